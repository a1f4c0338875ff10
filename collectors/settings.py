"""What the capture process needs to know, as one JSON object in its environment.

The command line validates the configuration with pydantic and then replaces itself by a light
interpreter that reads only this. No secret is in it: keys and tokens stay in their own environment
variables, named here.
"""

from __future__ import annotations

import msgspec

ENVIRONMENT = "TAILGATE_SIDECAR"
# Even where the configuration names them as a sampling key they are hashed, never captured.
NEVER_CAPTURED = frozenset(
    {"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "api-key"}
)


class Boost(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A higher (or lower) fraction for a path or for a declared header's value."""

    fraction: float
    path: str | None = None
    header: str | None = None
    value: str | None = None


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Addresses are host and port; sizes are bytes, times seconds."""

    upstream: tuple[str, int]
    spool: str
    route: str = "default"
    listen: tuple[str, int] = ("127.0.0.1", 8080)
    admin: tuple[str, int] = ("127.0.0.1", 9871)
    workers: int = 2
    upstream_tls: bool = False
    upstream_ca: str | None = None
    upstream_cert: str | None = None
    rewrite_host: bool = False
    tls_cert: str | None = None
    tls_key: str | None = None
    endpoints: tuple[str, ...] = ("/v1/chat/completions", "/v1/completions", "/v1/responses")
    fraction: float = 0.05
    sampling_header: str | None = None
    boosts: tuple[Boost, ...] = ()
    salt: str = "tailgate"
    captured_headers: tuple[str, ...] = ()
    subject_header: str | None = None
    max_body_bytes: int = 8 << 20
    max_in_flight: int = 256
    max_queue_items: int = 1024
    max_queue_bytes: int = 32 << 20
    spool_max_bytes: int = 1 << 30
    spool_max_age_seconds: float = 3600.0
    spool_sync_seconds: float = 0.5
    drain_seconds: float = 30.0
    connect_seconds: float = 10.0
    key_env: str | None = None
    token_env: str | None = None

    @property
    def host_value(self) -> bytes:
        """The upstream's Host value, for `rewrite_host`."""
        host, port = self.upstream
        name = f"[{host}]" if ":" in host else host
        default = 443 if self.upstream_tls else 80
        return (name if port == default else f"{name}:{port}").encode("ascii" if name.isascii() else "idna")
