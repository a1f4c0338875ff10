"""What leaves the monitor beside metrics and verdict: Parquet, and scores as OpenTelemetry events."""

from __future__ import annotations

from pydantic import Field, field_validator, model_validator

from monitor.addresses import http_url
from monitor.config_types import Positive, Strict


class Export(Strict):
    directory: str | None = Field(
        None,
        description="Directory or s3://bucket/prefix?region=... for Parquet files (deploy/README.md); default: no export.",
    )
    hourly: bool = Field(
        False, description="Export every closed hour; else every closed day. Hours are merged into days."
    )
    retention_days: Positive | None = Field(
        None, description="Exported days older than this are deleted; default store.retention_days."
    )

    @model_validator(mode="after")
    def _somewhere(self) -> Export:
        if self.directory is None and (self.hourly or self.retention_days is not None):
            raise ValueError("export.directory is missing: name the directory or s3:// URL to export to")
        return self


class Evaluations(Strict):
    endpoint: str | None = Field(
        None,
        description="OTLP/HTTP receiver, http://host:4318, of every score as a gen_ai.evaluation.result event; default: off.",
    )
    token_env: str | None = Field(None, description="Environment variable with that receiver's bearer token.")

    @field_validator("endpoint")
    @classmethod
    def _endpoint(cls, value: str | None) -> str | None:
        return None if value is None else http_url(value)
