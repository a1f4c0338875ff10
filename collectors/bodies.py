"""Bodies of requests from senders that we do not control: bounded as sent and as unpacked."""

from __future__ import annotations

import zlib

from starlette.requests import Request

from monitor.errors import BadInput

_GZIP = 16 + zlib.MAX_WBITS


def inflate(body: bytes, limit: int) -> bytes:
    """gzip, at most `limit` bytes of content; BadInput `too_large` or `unreadable`."""
    decoder = zlib.decompressobj(_GZIP)
    try:
        plain = decoder.decompress(body, limit + 1)
    except zlib.error as error:
        raise BadInput("unreadable", str(error)) from error
    if len(plain) > limit:
        raise BadInput("too_large", f"more than {limit} bytes once decompressed")
    if not decoder.eof:
        raise BadInput("unreadable", "the gzip stream is cut off")
    return plain


async def body_of(request: Request, limit: int, inflated_limit: int) -> bytes:
    """The body, decompressed; BadInput `too_large` or `unreadable`."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > limit:
            raise BadInput("too_large", f"more than {limit} bytes")
    match request.headers.get("content-encoding", "identity").lower():
        case "gzip":
            return inflate(bytes(body), inflated_limit)
        case "identity":
            return bytes(body)
        case other:
            raise BadInput("unreadable", f"content-encoding {other[:20]!r}: send gzip or none")
