"""Addresses as people write them: `http://host:8000` and `HOST:PORT`. Pure."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"must look like http://host:8000, got {value!r}")
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError(
            f"must be scheme, host and port only: the path {parts.path!r} belongs to the client. "
            f"Set the client's base URL to http://<sidecar.listen>{parts.path} instead"
        )
    if parts.username or parts.password:
        raise ValueError("must not carry credentials; name an environment variable in token_env")
    return value.rstrip("/")


def host_port(value: str) -> tuple[str, int]:
    """Split `HOST:PORT` (IPv6 in brackets); ValueError names what is wrong."""
    host, _, port = value.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"must look like 127.0.0.1:8080, got {value!r}")
    return host.strip("[]"), int(port)


def is_private(host: str) -> bool:
    """Loopback or private by address or by the names that mean it."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or "." not in host or host.endswith((".local", ".svc", ".internal"))
    return address.is_loopback or address.is_private


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
