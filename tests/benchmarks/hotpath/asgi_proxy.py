"""The proxy that one would write first: ASGI on uvicorn, aiohttp as the client. A peer, nothing more.

`python -m tests.benchmarks.hotpath.asgi_proxy PORT UPSTREAM_URL`
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import uvicorn

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

HOP_BY_HOP = {b"connection", b"keep-alive", b"transfer-encoding", b"host"}


class Proxy:
    """Forwards every request to `upstream` and streams the answer back chunk by chunk."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if self.session is None:
            connector = aiohttp.TCPConnector(limit=0)
            self.session = aiohttp.ClientSession(connector=connector, auto_decompress=False)
        headers = [(k.decode(), v.decode()) for k, v in scope["headers"] if k not in HOP_BY_HOP]
        url, body = self.upstream + scope["path"], await _body(receive)
        async with self.session.request(scope["method"], url, headers=headers, data=body) as answer:
            await send(_head(answer))
            async for chunk in answer.content.iter_any():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _head(answer: aiohttp.ClientResponse) -> dict[str, Any]:
    headers = [(k.lower(), v) for k, v in answer.raw_headers if k.lower() not in HOP_BY_HOP]
    return {"type": "http.response.start", "status": answer.status, "headers": headers}


if __name__ == "__main__":
    uvicorn.run(
        Proxy(sys.argv[2]),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        log_level="warning",
        access_log=False,
    )
