"""One YAML file, strict: unknown keys are errors, every default carries its reason.

Secrets are never values here: keys ending in `_env` name environment variables. Reading and merging
is `config_file.py`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from monitor.addresses import host_port, http_url, is_loopback, is_private
from monitor.config_collect import Collect
from monitor.config_kafka import Handover, Kafka
from monitor.config_out import Evaluations, Export
from monitor.config_types import Count, Fraction, Positive, Strict
from monitor.signals import SIGNALS, Level


class Route(Strict):
    name: str = Field(
        "default",
        pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$",
        description="Name of this baseline-candidate comparison; the `route` label.",
    )


class ClientTLS(Strict):
    ca: Path | None = Field(
        None,
        description="PEM bundle that the upstream's certificate must chain to; default: the system's.",
    )
    client_cert: Path | None = Field(None, description="PEM with certificate and key for mutual TLS.")


class Baseline(Strict):
    url: str = Field(
        "http://127.0.0.1:8000",
        description="The production server, scheme://host:port; any path belongs to the client.",
    )
    host: Literal["auto", "preserve", "rewrite"] = Field(
        "auto",
        description="Host header: as sent, or the upstream's name. auto: preserve for loopback and private addresses, else rewrite.",
    )
    tls: ClientTLS = Field(default_factory=ClientTLS, description="Verification of an https upstream.")
    token_env: str | None = Field(None, description="Environment variable with the bearer token for replays.")

    _url = field_validator("url")(http_url)

    @property
    def rewrites_host(self) -> bool:
        """Whether the Host line is replaced by the upstream's name."""
        if self.host == "auto":
            return not is_private(urlsplit(self.url).hostname or "")
        return self.host == "rewrite"


class Candidate(Strict):
    url: str | None = Field(
        None,
        description="The model under judgement, scheme://host:port of a vLLM or OpenAI-compatible server.",
    )
    model: str | None = Field(
        None,
        description="Model name to ask for; default: the candidate's only model, else the name as sent.",
    )
    token_env: str | None = Field(None, description="Environment variable with the candidate's bearer token.")
    concurrency: Count = Field(
        8, description="Requests at once; more only moves the queue into the candidate."
    )
    mode: Literal["generate", "forced", "both"] = Field(
        "generate",
        description="generate: it answers itself. forced: it scores the baseline's answer with one prefill. both: both.",
    )
    generated_share: Fraction = Field(
        0.1,
        description="Share of pairs that mode forced still generates, for the directional signals.",
    )
    deadline_factor: Positive = Field(
        5.0,
        description="Deadline relative to the baseline's duration: generous enough to lose and be seen losing.",
    )
    deadline_floor_seconds: Positive = Field(30.0, description="Shortest deadline.")
    max_waiting: int = Field(
        0, ge=0, description="Shed before sampling while vllm:num_requests_waiting exceeds this."
    )
    max_kv_cache: Fraction = Field(0.9, description="Shed while vllm:kv_cache_usage_perc exceeds this.")
    priority: int | None = Field(
        None, description="Sent as `priority` (vLLM --scheduling-policy priority; larger = later)."
    )
    logprobs: bool = Field(
        True,
        description="Ask the candidate (never the baseline's users) for logprobs of its answer.",
    )
    tls: ClientTLS = Field(default_factory=ClientTLS, description="Verification of an https candidate.")

    @field_validator("url")
    @classmethod
    def _url(cls, value: str | None) -> str | None:
        return None if value is None else http_url(value)


class Replay(Strict):
    url: str | None = Field(
        None, description="Where the baseline is asked a second time; default baseline.url."
    )
    share: Fraction = Field(
        0.2,
        description="Share of mirrored exchanges; below 10 % a young segment cannot know its noise floor (stats.md 4.3).",
    )
    concurrency: Count = Field(1, description="Replays at once.")
    max_share_of_traffic: Fraction = Field(
        0.02, description="Hard cap: share of all production requests that may be replayed."
    )

    @field_validator("url")
    @classmethod
    def _url(cls, value: str | None) -> str | None:
        return None if value is None else http_url(value)


class ServerTLS(Strict):
    cert: Path | None = Field(None, description="PEM certificate for client-side TLS.")
    key: Path | None = Field(None, description="PEM key for client-side TLS.")


class Sidecar(Strict):
    listen: str = Field("127.0.0.1:8080", description="Where clients connect.")
    admin: str = Field("127.0.0.1:9871", description="Sidecar's metrics, health and kill switch.")
    workers: Annotated[int, Field(ge=1, le=64)] = Field(
        2, description="Processes in the path; with two, one crash is no outage."
    )
    tls: ServerTLS = Field(default_factory=ServerTLS, description="TLS towards clients.")
    max_body_bytes: Count = Field(
        8 << 20,
        description="Captured bytes per message; 8 MiB holds 128k tokens many times over. Larger ones are forwarded, counted and not captured.",
    )
    max_in_flight: Count = Field(256, description="Exchanges under observation at once, per worker.")
    max_queue_items: Count = Field(1024, description="Exchanges waiting for the spool, per worker.")
    max_queue_bytes: Count = Field(
        32 << 20,
        description="Captured bytes held in memory, per worker, in flight and queued together.",
    )
    drain_seconds: Positive = Field(30.0, description="How long SIGTERM waits for open streams.")
    token_env: str | None = Field(
        None,
        description="Environment variable with the bearer token for PUT /-/sampling; required beyond loopback.",
    )

    @field_validator("listen", "admin")
    @classmethod
    def _address(cls, value: str) -> str:
        host_port(value)
        return value


class Allow(Strict):
    endpoints: tuple[str, ...] = Field(
        ("/v1/chat/completions", "/v1/completions", "/v1/responses"),
        description="Paths that may be mirrored; everything else is `endpoint_unsupported`.",
    )


class Boost(Strict):
    path: str | None = Field(None, description="Request path that this boost applies to.")
    header: str | None = Field(None, description="Declared request header that this boost applies to.")
    value: str | None = Field(None, description="Value of that header; default: any.")
    fraction: Fraction = Field(description="Sampling fraction there.")


class Sampling(Strict):
    fraction: Fraction = Field(0.05, description="Share of production requests that is mirrored.")
    header: str | None = Field(
        None,
        description="Header with the stable sampling key (session, user); default x-request-id, else traceparent, else random.",
    )
    boosts: tuple[Boost, ...] = Field(
        (), description="Higher fractions by path or declared header, decided from the head alone."
    )
    salt: str = Field(
        "tailgate",
        min_length=1,
        max_length=64,
        description="Hash domain, apart from any rollout split.",
    )


class Spool(Strict):
    directory: Path | None = Field(None, description="Default <store.path>.spool/.")
    max_bytes: Count = Field(
        1 << 30, description="Bound on disk; when full the newest exchange is dropped and counted."
    )
    max_age_seconds: Positive = Field(
        3600, description="Sealed requests are deleted once scored, at the latest after this."
    )
    sync_seconds: Annotated[float, Field(ge=0.05, le=10)] = Field(0.5, description="fdatasync interval.")


class Store(Strict):
    path: Path = Field(Path("tailgate.duckdb"), description="The DuckDB file; the monitor is its only owner.")
    text: Literal["none", "redacted", "full"] = Field(
        "none", description="What text is kept: nothing, redacted, everything."
    )
    retention_days: Positive = Field(30.0, description="Rows older than this are purged.")
    text_retention_days: Positive = Field(
        7.0,
        description="Stored text and explanations are purged from rows older than this; a week holds what the report shows.",
    )


class Http(Strict):
    listen: str = Field("127.0.0.1:9870", description="Monitor's metrics, API, gates and page.")
    token_env: str | None = Field(
        None,
        description="Environment variable with the bearer token for write endpoints; required beyond loopback.",
    )
    read_token_env: str | None = Field(
        None,
        description="Environment variable with a token that reading needs too, as a bearer token or a browser's password; default: reading needs none. Health and Flagger's gate stay open.",
    )

    @field_validator("listen")
    @classmethod
    def _address(cls, value: str) -> str:
        host_port(value)
        return value


class AllowedDrop(Strict):
    page: Fraction = Field(0.05, description="Excess over the noise floor that a page signal tolerates.")
    ticket: Fraction = Field(0.02, description="Excess that a ticket signal tolerates.")


class EvidenceConfig(Strict):
    budget_per_week: Positive = Field(
        1.0, description="Expected false alarms per week over all segments and signals together."
    )
    allowed_drop: AllowedDrop = Field(default_factory=AllowedDrop, description="Allowed drop per level.")
    detectable_drop: Fraction = Field(
        0.15,
        description="Rise above the allowance that must have been visible before `ok` is said.",
    )
    provable: bool = Field(
        False,
        description="A replayed exchange feeds only the reference: no assumption on covariance, slower.",
    )


class VerdictConfig(Strict):
    required: tuple[str, ...] | None = Field(
        None,
        description="Segments that must be ok; default: those with >= 1 % of eligible traffic.",
    )
    required_signals: tuple[str, ...] = Field((), description="Signals whose missing arm holds back ok.")
    max_age_seconds: Positive = Field(
        3600, description="Without a scored pair for this long the verdict is inconclusive."
    )


class DeclaredSegment(Strict):
    header: str | None = Field(None, description="Request header that carries the value.")
    pointer: str | None = Field(
        None, description="JSON pointer into the request body, e.g. /metadata/tenant."
    )
    regex: str | None = Field(
        None, description="Pattern on the last user message; its group 1 (or yes/no) is the value."
    )

    @model_validator(mode="after")
    def _one(self) -> DeclaredSegment:
        if sum(v is not None for v in (self.header, self.pointer, self.regex)) != 1:
            raise ValueError("needs exactly one of header, pointer, regex")
        if self.regex is not None:
            try:
                re.compile(self.regex)
            except re.error as error:
                raise ValueError(f"regex does not compile: {error}") from error
        return self


class Ood(Strict):
    reference: Path | None = Field(
        None,
        description="JSONL of requests that the candidate was tuned on; switches the `ood` dimension on.",
    )


class Privacy(Strict):
    subject: str | None = Field(None, description="Header that names the data subject (for erase).")
    key_env: str | None = Field(
        None,
        description="Environment variable with the sealing key (32 bytes, base64); default: a key file beside the store.",
    )
    seal_text: bool = Field(
        True,
        description="Stored text is sealed under that key (AES-SIV) in the database and in exported files.",
    )
    scanner: str | None = Field(
        None,
        description="package.module:function, text to (start, end, kind) of what store.text `redacted` must not keep, beside the built-in patterns (SECURITY.md).",
    )


class Config(Strict):
    """The whole configuration (DESIGN 9)."""

    route: Route = Field(default_factory=Route)
    baseline: Baseline = Field(default_factory=Baseline)
    candidate: Candidate = Field(default_factory=Candidate)
    replay: Replay = Field(default_factory=Replay)
    sidecar: Sidecar = Field(default_factory=Sidecar)
    allow: Allow = Field(default_factory=Allow)
    sampling: Sampling = Field(default_factory=Sampling)
    handover: Handover = Field(default_factory=Handover)
    spool: Spool = Field(default_factory=Spool)
    kafka: Kafka = Field(default_factory=Kafka)
    store: Store = Field(default_factory=Store)
    http: Http = Field(default_factory=Http)
    evidence: EvidenceConfig = Field(default_factory=EvidenceConfig)
    verdict: VerdictConfig = Field(default_factory=VerdictConfig)
    segments: Mapping[str, DeclaredSegment] = Field(
        default_factory=dict, description="Declared dimensions, name to where the value is."
    )
    crosses: tuple[tuple[str, ...], ...] = Field(
        (), description="Crosses of dimensions to watch, e.g. [[language, context]]."
    )
    segments_limit: Annotated[int, Field(ge=1, le=200)] = Field(
        50, description="Segment labels in Prometheus per route; the rest folds into __other__."
    )
    signals: Mapping[str, Level] = Field(
        default_factory=dict, description="Level per signal: page, ticket, show, off."
    )
    ood: Ood = Field(default_factory=Ood)
    privacy: Privacy = Field(default_factory=Privacy)
    export: Export = Field(default_factory=Export)
    evaluations: Evaluations = Field(default_factory=Evaluations)
    collect: Collect = Field(default_factory=Collect)

    @field_validator("signals")
    @classmethod
    def _known_signals(cls, value: Mapping[str, Level]) -> Mapping[str, Level]:
        for name in value:
            if name not in SIGNALS:
                raise ValueError(f"no signal {name!r}; known: {', '.join(SIGNALS)}")
        return value

    @field_validator("segments")
    @classmethod
    def _names(cls, value: Mapping[str, DeclaredSegment]) -> Mapping[str, DeclaredSegment]:
        for name in value:
            if not re.fullmatch(r"[a-z][a-z0-9_]{0,30}", name):
                raise ValueError(f"dimension {name!r} must be lower-case letters, digits and _")
        return value

    @model_validator(mode="after")
    def _exposed_ports_have_tokens(self) -> Config:
        for key, listen, token in (
            ("http", self.http.listen, self.http.token_env),
            ("sidecar", self.sidecar.admin, self.sidecar.token_env),
            *(("collect", listen, self.collect.token_env) for listen in self.collect.listening),
        ):
            if not is_loopback(host_port(listen)[0]) and not token:
                raise ValueError(
                    f"{key}.token_env is required because {listen} is reachable from other machines"
                )
        return self

    @model_validator(mode="after")
    def _kafka_is_complete(self) -> Config:
        if self.handover.kind == "kafka":
            if not self.kafka.bootstrap:
                raise ValueError("kafka.bootstrap is required with handover.kind kafka: brokers as host:port")
            if not self.privacy.key_env:
                raise ValueError(
                    "privacy.key_env is required with handover.kind kafka: sidecars and monitors share one key"
                )
        return self

    def level(self, signal: str) -> Level:
        """The signal's level: configured, else the table's."""
        return self.signals.get(signal, SIGNALS[signal].level)

    @property
    def spool_directory(self) -> Path:
        """Where the hand-over lives (DESIGN 9)."""
        return self.spool.directory or self.store.path.with_name(self.store.path.name + ".spool")

    @property
    def hash(self) -> str:
        """12 hex digits over what changes the meaning of evidence (not addresses or limits)."""
        parts = self.model_dump(mode="json", include={"evidence", "signals", "segments", "crosses", "ood"})
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]
