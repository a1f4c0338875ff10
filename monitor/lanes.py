"""I/O: a transport of httpx with one connection per request in flight, the last used first.

httpx's own stands on httpcore, anyio and h11, which between them take most of what asking a candidate costs:
locks, cancel scopes and checks that a leg, whose requests have one destination and are bounded elsewhere, has no
use for. Here a request is one write, and the parser of answers is the sidecar's (llhttp).
"""

from __future__ import annotations

import asyncio
import select
import ssl
import time
from collections.abc import AsyncIterator, Iterable

import httptools
import httpx

CONNECT_SECONDS = 5.0
IDLE_SECONDS = 4.0
"""uvicorn, which serves vLLM, closes a connection that was idle for five."""
EYEBALLS_SECONDS = 0.25
"""RFC 8305 5: how long one address of a name has before the next is tried beside it."""
MOST_UNREAD_BYTES = 1 << 18
_BREAKS = b"\r\n\0"


class Lanes(httpx.AsyncBaseTransport):
    """As many connections to `url` as there ever were requests at once: the caller bounds these."""

    def __init__(self, url: str, tls: ssl.SSLContext) -> None:
        address = httpx.URL(url)
        self._host, encrypted = address.host, address.scheme == "https"
        self._port = address.port or (443 if encrypted else 80)
        self._tls = tls if encrypted else None
        self._free: list[Connection] = []
        self._open: set[Connection] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The connection is free again once the answer is closed, or closed where that was not whole."""
        connection = await self.ask(_rendered(request))
        stream = _Body(self, connection)
        return httpx.Response(connection.status, headers=connection.headers, stream=stream)

    async def ask(self, message: bytes) -> Connection:
        """The connection on which a whole request was sent and an answer begins; `done` takes it back."""
        connection = self._reused() or await self._connected()
        try:
            await connection.ask(message)
        except BaseException:
            self.done(connection)
            raise
        return connection

    def _reused(self) -> Connection | None:
        """The last used connection that is still good."""
        while self._free:
            connection = self._free.pop()
            if connection.is_fresh():
                return connection
            self._closed(connection)
        return None

    async def _connected(self) -> Connection:
        create = asyncio.get_running_loop().create_connection
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, connection = await create(
                    Connection, self._host, self._port, ssl=self._tls, happy_eyeballs_delay=EYEBALLS_SECONDS
                )
        except TimeoutError as error:
            raise httpx.ConnectTimeout(f"no connection in {CONNECT_SECONDS} s") from error
        except OSError as error:  # also of names and certificates
            raise httpx.ConnectError(str(error)) from error
        self._open.add(connection)
        return connection

    def done(self, connection: Connection) -> None:
        """Take a connection back: for the next request, if the answer on it was whole."""
        if connection.is_whole():
            self._free.append(connection)
        else:
            self._closed(connection)

    def _closed(self, connection: Connection) -> None:
        self._open.discard(connection)
        connection.close()

    async def aclose(self) -> None:
        """Close all connections."""
        for connection in tuple(self._open):
            self._closed(connection)
        await asyncio.sleep(0)  # a transport says goodbye in the loop's next turn


def _rendered(request: httpx.Request) -> bytes:
    """The request's bytes, for one write."""
    start = head(request.method.encode(), request.url.raw_path, request.headers.raw)
    return b"%b\r\n%b" % (start, request.content)


def head(method: bytes, target: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Request line and headers, each with its end. Raises httpx.LocalProtocolError."""
    lines = [b"%b %b HTTP/1.1" % (method, target), *(b"%b: %b" % header for header in headers)]
    if any(byte in line for line in lines for byte in _BREAKS):
        raise httpx.LocalProtocolError("a line break in a header")
    return b"\r\n".join([*lines, b""])


class _Body(httpx.AsyncByteStream):
    """An answer's bytes; gives its connection back once it is closed."""

    def __init__(self, lanes: Lanes, connection: Connection) -> None:
        self._lanes, self._connection = lanes, connection
        self._open = True

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await self._connection.piece():
            yield piece

    async def aclose(self) -> None:
        if self._open:
            self._open = False
            self._lanes.done(self._connection)


class Connection(asyncio.Protocol):
    """One request at a time: `ask`, then `piece` until it gives nothing. `status` and `headers` are the answer's."""

    status = 0
    headers: list[tuple[bytes, bytes]]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  of a stream
        self._transport = transport
        self._poll = select.poll()
        self._poll.register(transport.get_extra_info("socket"), select.POLLIN)
        self._waiter: asyncio.Future[None] | None = None
        self._complete = True
        self._lost = False
        self._keeps = True
        self._idle_since = time.monotonic()

    def is_whole(self) -> bool:
        """Whether the answer came to its end and another request may follow."""
        return self._complete and self._keeps and not self._lost

    def is_fresh(self) -> bool:
        """Whether an idle connection is as it was left: a server that goes away makes it readable."""
        unused = time.monotonic() - self._idle_since
        return not self._lost and unused < IDLE_SECONDS and not self._poll.poll(0)

    def fields(self) -> dict[str, str]:
        """The answer's headers by small names; of one that came twice the values are joined (RFC 9110 5.3)."""
        found: dict[str, str] = {}
        for raw, value in self.headers:
            name, words = raw.lower().decode("latin-1"), value.decode("latin-1")
            found[name] = f"{found[name]}, {words}" if name in found else words
        return found

    def close(self) -> None:
        self._transport.close()

    async def ask(self, message: bytes) -> None:
        """Send a request and wait for the head of its answer. Raises httpx.TransportError."""
        self._parser = httptools.HttpResponseParser(self)
        self._started = self._complete = False
        self._error: httpx.TransportError | None = None
        self.headers, self._unread = [], 0
        self._pieces: list[bytes] = []
        self._transport.write(message)  # all of it is in memory anyway
        if self._lost:
            self._fail(httpx.RemoteProtocolError("the server closed the connection before it was asked"))
        while not self._started:
            await self._changed()

    async def piece(self) -> bytes:
        """What has come of the body since; nothing at its end. Raises httpx.TransportError."""
        while not self._pieces and not self._complete:
            await self._changed()
        piece, self._pieces = b"".join(self._pieces), []
        if self._unread > MOST_UNREAD_BYTES:
            self._transport.resume_reading()
        self._unread = 0
        return piece

    async def _changed(self) -> None:
        if self._error:
            raise self._error
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    def data_received(self, data: bytes) -> None:
        if self._complete:  # nobody asked
            self._keeps = False
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:  # nobody asked to switch
            self._fail(httpx.RemoteProtocolError(str(error) or "the server switched protocols"))
        if self._unread > MOST_UNREAD_BYTES:
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        self._lost = True
        if self._complete:
            return
        if error is None and self._started and not self._is_framed():
            self._complete = True
        elif error is None:
            self._fail(httpx.RemoteProtocolError("the server closed the connection within an answer"))
        else:
            self._fail(httpx.ReadError(str(error)))
        self._wake()

    def _fail(self, error: httpx.TransportError) -> None:
        if not self._complete:
            self._error = self._error or error
        self._keeps = False

    def _is_framed(self) -> bool:
        """Whether the end of the body can be told from the end of the connection (RFC 9112 6.3)."""
        return any(name.lower() in {b"content-length", b"transfer-encoding"} for name, _ in self.headers)

    # what the parser calls

    def on_message_begin(self) -> None:
        if self._complete:  # a second answer to one request
            self._keeps = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._started:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if not self._started:
            self.status = self._parser.get_status_code()
            self._started = self.status >= 200

    def on_body(self, body: bytes) -> None:
        if not self._complete:
            self._pieces.append(body)
            self._unread += len(body)

    def on_message_complete(self) -> None:
        if not self._started:  # an interim answer (RFC 9110 15.2)
            self.headers = []
        elif not self._complete:
            self._complete, self._keeps = True, self._parser.should_keep_alive()
            self._idle_since = time.monotonic()
