"""The sections of the configuration for many machines: `handover` and `kafka`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, field_validator

from monitor.addresses import host_port
from monitor.config_types import Strict


class Handover(Strict):
    kind: Literal["spool", "kafka"] = Field(
        "spool", description="How the capture process hands exchanges to the monitor."
    )


class Kafka(Strict):
    bootstrap: tuple[str, ...] = Field((), description="Brokers, host:port.")
    topic_prefix: str = Field(
        "tailgate.",
        pattern=r"^[A-Za-z0-9._-]{1,200}$",
        description="Prefix of the topics exchanges, scores, settled, labels, decisions, dead-letter; one per route.",
    )
    group: str = Field("tailgate", description="Consumer group of the monitors.")
    role: Literal["both", "scoring", "evidence"] = Field(
        "both",
        description="A monitor asks and scores, keeps the evidence and serves the verdict, or both.",
    )
    partitions: Annotated[int, Field(ge=1, le=1000)] = Field(
        12,
        description="Partitions of the topic of exchanges, where it does not exist: most monitors that score.",
    )
    replication: Annotated[int, Field(ge=-1, le=9)] = Field(
        -1, description="Copies of topics that do not exist; -1: the brokers' default."
    )
    compression: Literal["none", "zstd", "lz4"] = Field(
        "zstd", description="Of exchanges before they are sealed, and of scores."
    )
    session_seconds: Annotated[float, Field(ge=6, le=1800)] = Field(
        30.0,
        description="Silence after which a monitor counts as dead and its partitions move; one short of CPU is slow.",
    )
    shipper_listen: str = Field("127.0.0.1:9873", description="The shipper's metrics and health.")
    security: Mapping[str, str] = Field(
        default_factory=dict,
        description="Passed to kafka-python: security_protocol, ssl_cafile, sasl_mechanism, ...; secrets by *_env.",
    )

    @field_validator("bootstrap", "shipper_listen")
    @classmethod
    def _addresses(cls, value: tuple[str, ...] | str) -> tuple[str, ...] | str:
        for address in (value,) if isinstance(value, str) else value:
            host_port(address)
        return value

    @field_validator("security")
    @classmethod
    def _passed_on(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        for key in value:
            if not key.startswith(("security_protocol", "ssl_", "sasl_")):
                raise ValueError(f"{key}: only security_protocol, ssl_* and sasl_* are passed on")
            if "password" in key and not key.endswith("_env"):
                raise ValueError(f"{key} holds a secret: name an environment variable in {key}_env")
        return value
