"""The other ways in: what `tailgate collect` listens to. Each is off until it has an address."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from monitor.addresses import host_port
from monitor.config_types import Count, Strict


def _address(value: str | None) -> str | None:
    if value is not None:
        host_port(value)
    return value


class Otlp(Strict):
    grpc: str | None = Field(
        None, description="HOST:PORT of the OTLP/gRPC receiver for GenAI spans, usually port 4317."
    )
    http: str | None = Field(None, description="HOST:PORT of the OTLP/HTTP receiver, usually port 4318.")
    max_request_bytes: Count = Field(4 << 20, description="Largest export as sent, over HTTP.")
    max_inflated_bytes: Count = Field(
        32 << 20, description="Largest export once decompressed: a small body may unpack to gigabytes."
    )

    _listen = field_validator("grpc", "http")(_address)


class Envoy(Strict):
    listen: str | None = Field(
        None,
        description="HOST:PORT of the external processor for Envoy (observability mode, deploy/envoy/ext_proc.yaml).",
    )

    _listen = field_validator("listen")(_address)


class Taps(Strict):
    directory: Path | None = Field(
        None,
        description="Where Envoy's tap filter writes JSON files (deploy/envoy/tap.yaml); read and deleted.",
    )


class Records(Strict):
    listen: str | None = Field(
        None,
        description="HOST:PORT to which another tool posts its records as JSON, e.g. LiteLLM's generic_api.",
    )
    mapping: str = Field(
        "litellm", description="Where things lie in a record: litellm, dynamo, or a mapping file."
    )
    max_request_bytes: Count = Field(4 << 20, description="Largest post as sent.")
    max_inflated_bytes: Count = Field(32 << 20, description="Largest post once decompressed.")

    _listen = field_validator("listen")(_address)


class Topic(Strict):
    name: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9._-]{1,249}$",
        description="Kafka topic with another tool's records as JSON, on the brokers of kafka.bootstrap.",
    )
    mapping: str = Field("litellm", description="As collect.records.mapping.")
    group: str = Field(
        "tailgate-collect", description="Consumer group; processes of one group share the topic."
    )
    max_record_bytes: Count = Field(4 << 20, description="Larger records are counted and left out.")


class Packets(Strict):
    interface: str | None = Field(
        None,
        min_length=1,
        max_length=15,
        description="Network interface to observe, e.g. eth0 or lo; needs CAP_NET_RAW and plain HTTP.",
    )
    port: int = Field(8000, ge=1, le=65535, description="The baseline's TCP port.")


class Collect(Strict):
    admin: str = Field("127.0.0.1:9872", description="Metrics, health and kill switch of `tailgate collect`.")
    token_env: str | None = Field(
        None,
        description="Environment variable with the bearer token that senders must show; required beyond loopback.",
    )
    otlp: Otlp = Field(default_factory=Otlp)
    envoy: Envoy = Field(default_factory=Envoy)
    taps: Taps = Field(default_factory=Taps)
    records: Records = Field(default_factory=Records)
    topic: Topic = Field(default_factory=Topic)
    packets: Packets = Field(default_factory=Packets)

    @field_validator("admin")
    @classmethod
    def _admin(cls, value: str) -> str:
        host_port(value)
        return value

    @property
    def listening(self) -> tuple[str, ...]:
        """Every address that is configured, the admin port's included."""
        return tuple(
            each
            for each in (self.admin, self.otlp.grpc, self.otlp.http, self.envoy.listen, self.records.listen)
            if each
        )

    @property
    def ways(self) -> tuple[str, ...]:
        """Names of the ways in that are on."""
        on = {
            "otlp": self.otlp.grpc or self.otlp.http,
            "envoy": self.envoy.listen,
            "taps": self.taps.directory,
            "records": self.records.listen,
            "topic": self.topic.name,
            "packets": self.packets.interface,
        }
        return tuple(name for name, where in on.items() if where)
