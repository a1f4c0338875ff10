"""I/O: a transport of httpx with one small pool per request in flight, the last used first.

httpcore asks every connection of a pool twice per request whether it is still open, a system call for each
that is idle (encode/httpcore, `_assign_requests_to_connections`): with 32 of them that cost a third of what
asking a candidate costs.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable

import httpx

ALONE = httpx.Limits(max_connections=1, max_keepalive_connections=1)


class Lanes(httpx.AsyncBaseTransport):
    """As many connections as there ever were requests at once: the caller bounds these."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._tls = tls
        self._free: list[httpx.AsyncHTTPTransport] = []
        self._all: list[httpx.AsyncHTTPTransport] = []

    def _lane(self) -> httpx.AsyncHTTPTransport:
        if self._free:
            return self._free.pop()
        self._all.append(httpx.AsyncHTTPTransport(verify=self._tls, limits=ALONE, trust_env=False))
        return self._all[-1]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The lane is free again once the answer is closed, or at once where there is none."""
        lane = self._lane()
        try:
            response = await lane.handle_async_request(request)
        except BaseException:
            self._free.append(lane)
            raise
        assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101  of an async transport
        stream = _Body(response.stream, lambda: self._free.append(lane))
        return httpx.Response(
            response.status_code, headers=response.headers, stream=stream, extensions=response.extensions
        )

    async def aclose(self) -> None:
        """Close all connections."""
        for lane in self._all:
            await lane.aclose()


class _Body(httpx.AsyncByteStream):
    """An answer's bytes; tells once when it is closed."""

    def __init__(self, stream: httpx.AsyncByteStream, closed: Callable[[], None]) -> None:
        self._stream, self._closed = stream, closed
        self._open = True

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            yield chunk

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            if self._open:
                self._open = False
                self._closed()
