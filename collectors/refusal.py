"""When the upstream cannot be reached: the reason as a label, and what the client is told. Pure."""

from __future__ import annotations

import json
import socket
import ssl


def error_type(error: OSError) -> str:
    """Low-cardinality name of a failed connect."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return "certificate"
    if isinstance(error, ssl.SSLError):
        return "tls"
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, socket.gaierror):
        return "unresolved"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    return "unreachable"


def refusal(reason: str) -> bytes:
    """A whole 502 answer in the shape of an OpenAI error, so that clients show the reason."""
    message = f"tailgate: the upstream cannot be reached ({reason})"
    body = json.dumps({"error": {"message": message, "type": "upstream_error", "code": reason}}).encode()
    head = (
        "HTTP/1.1 502 Bad Gateway\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body
