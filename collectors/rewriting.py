"""Replacing the Host value of a request head: the only bytes that are ever changed. Pure."""

from __future__ import annotations

_NAME = b"\r\nhost:"


def with_host(data: bytes, host: bytes) -> bytes | None:
    """`data`, which starts with a complete request head, with `host` as its Host value.

    Unchanged where the head has no Host line (HTTP/1.0); None where it has several (RFC 9112 3.2
    makes that an error, and which one counts is the upstream's choice).
    """
    end = data.find(b"\r\n\r\n") + 2
    lower = data[:end].lower()
    at = lower.find(_NAME)
    if at < 0:
        return data
    if lower.find(_NAME, at + 2) >= 0:
        return None
    value = at + len(_NAME)
    return b"".join((data[:value], b" ", host, data[data.find(b"\r\n", value) :]))
