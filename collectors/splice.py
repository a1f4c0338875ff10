"""The data path: bytes between a client and the upstream, verbatim, both ways.

One upstream connection per client connection and nothing rewritten (but the Host line, where that
is configured), so HEAD, 1xx, trailers, upgrades, keep-alive and half-closes behave as they do
without us, and a parser that loses its way cannot mix two clients' traffic. The write to the other
side comes first, observation second; an error of the observer ends observation, never a connection.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from time import monotonic_ns
from typing import Final, cast

from collectors.admission import Admission
from collectors.counters import CELL
from collectors.endings import close_with_reset, discard, finish, set_reset
from collectors.observer import Observer
from collectors.overhead import Overhead
from collectors.refusal import error_type, refusal
from collectors.settings import Settings

_HIGH_WATER = 1 << 18
_LINGER_SECONDS = 2.0
# Reads are observed in batches: of so many, or as old as this, or at once where one is large, since
# what waits is held in memory.
_BATCH: Final = 32
_BATCH_SECONDS = 0.005
_LARGE_READ: Final = 1 << 14
_ANSWER: Final = -1  # in place of the nanoseconds that a read from the client took on its way
_CONNECTIONS: Final = CELL["gauge:connections"]


class Splicer:
    """What the connections of one worker share: where to connect, whom to tell, who is open."""

    def __init__(
        self,
        settings: Settings,
        admission: Admission,
        upstream_tls: ssl.SSLContext | None,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.admission, self.loop = admission, loop
        self.cells = admission.cells
        self.draining = False
        self.empty = asyncio.Event()  # while draining: nobody is connected any more
        self.connections: set[Client] = set()
        self.host_value = settings.host_value
        self._settings, self._tls = settings, upstream_tls
        self.overhead = Overhead()
        self.seen: list[tuple[Client, bytes, int, int]] = []  # (client, data, time, _ANSWER or nanoseconds)
        self._timed = False

    async def connect(self, client: Client) -> None:
        """Connect `client` to the upstream, resolving its name anew, or tell it why not."""
        host, port = self._settings.upstream
        try:
            async with asyncio.timeout(self._settings.connect_seconds):
                await self.loop.create_connection(
                    lambda: Upstream(self, client),
                    host,
                    port,
                    ssl=self._tls,
                    server_hostname=host if self._tls else None,
                )
        except (OSError, ssl.SSLError) as error:
            reason = error_type(error)
            self.upstream_error(reason)
            client.refuse(reason)

    def upstream_error(self, reason: str) -> None:
        """Count an error of the upstream by type."""
        self.cells[CELL[f"upstream:{reason}"]] += 1

    def observe_later(self) -> None:
        """Have `seen` observed within `_BATCH_SECONDS`; by one timer, however many batches come first.

        Nobody waits for the observer, and in a batch its code stays in the processor's cache: at the
        pace of a stream, a wake-up per event costs more than the event's observation.
        """
        if not self._timed:
            self._timed = True
            self.loop.call_later(_BATCH_SECONDS, self._time_is_up)

    def _time_is_up(self) -> None:
        self._timed = False
        self.observe()

    def observe_soon(self) -> None:
        """Have `seen` observed after the reads of this turn."""
        self.loop.call_soon(self.observe)

    def observe(self) -> None:
        """Observe what was seen, in order; everything in it was forwarded by now."""
        seen, self.seen = self.seen, []
        for client, data, at, took in seen:
            observer = client.observer
            if observer is None:  # connections that carry nothing cost no parsers
                observer = client.observer = Observer(self.admission)
            if not observer.following:
                continue
            try:
                if took < 0:
                    observer.response(data, at)
                elif observer.request(data, at):
                    self.overhead.spent(took + client.debt)
                    client.debt = 0
            except Exception:  # noqa: BLE001  whatever goes wrong in observation stays there
                observer.stop("observer_error")
        if self.draining:
            for client in {entry[0] for entry in seen}:
                client.close_if_idle()

    def drain(self) -> None:
        """Close what is idle now; the rest closes when its answer is complete."""
        self.draining = True
        for client in list(self.connections):
            client.close_if_idle()
        self.left(None)

    def left(self, client: Client | None) -> None:
        """A client's connection is gone."""
        if client is not None:
            self.connections.discard(client)
            self.cells[_CONNECTIONS] -= 1
        if self.draining and not self.connections:
            self.empty.set()

    def abort(self) -> None:
        """Close everything; exchanges under observation are dropped as `shutdown`."""
        for client in list(self.connections):
            client.abort("shutdown")


class Client(asyncio.Protocol):
    """The client's side of one spliced connection."""

    def __init__(self, splicer: Splicer) -> None:
        self.splicer = splicer
        self.transport: asyncio.Transport | None = None
        self.upstream: Upstream | None = None
        self.send: Callable[[bytes], None] | None = None  # to the upstream; None until it is connected
        self.observer: Observer | None = None
        self.ended = False  # the client sent FIN
        self._accepted = 0
        self.debt = 0  # nanoseconds spent connecting, added to the first request's overhead
        self._early: list[bytes] = []
        self._refused: str | None = None
        self._connecting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=_HIGH_WATER)
        self.splicer.connections.add(self)
        self.splicer.cells[_CONNECTIONS] += 1
        self._accepted = monotonic_ns()
        self._connecting = self.splicer.loop.create_task(self.splicer.connect(self))

    def data_received(self, data: bytes) -> None:
        began = monotonic_ns()
        send = self.send
        if send is None:
            self._wait(data)
            return
        send(data)
        splicer = self.splicer
        seen = splicer.seen
        seen.append((self, data, began, monotonic_ns() - began))
        count = len(seen)
        if count == 1:
            splicer.observe_later()
        if count == _BATCH or len(data) > _LARGE_READ:
            splicer.observe_soon()

    def _wait(self, data: bytes) -> None:
        """Keep one read until the upstream is connected; after a failed connect, say so."""
        if self._refused is not None:
            self._answer_refusal()
            return
        self._early.append(data)
        if self.transport is not None:
            self.transport.pause_reading()

    def connected(self, upstream: Upstream) -> None:
        """The upstream is there: pass on what waited."""
        self.upstream, self.send = upstream, upstream.write
        self.debt = monotonic_ns() - self._accepted
        early, self._early = self._early, []
        for data in early:
            self.data_received(data)
        if self.ended:
            upstream.finish()
        elif self.transport is not None:
            self.transport.resume_reading()

    def refuse(self, reason: str) -> None:
        """The upstream cannot be reached. A client that has asked nothing yet is told when it asks."""
        self._refused = reason
        if self._early or self.ended:
            self._answer_refusal()

    def _answer_refusal(self) -> None:
        transport = self.transport
        self._early.clear()
        if transport is None or transport.is_closing():
            return
        if transport.can_write_eof():
            transport.resume_reading()  # a reset for unread bytes would destroy the answer
            with suppress(RuntimeError):  # already answered
                transport.write(refusal(self._refused or "unreachable"))
                transport.write_eof()
            self.splicer.loop.call_later(_LINGER_SECONDS, transport.abort)
        else:
            transport.write(refusal(self._refused or "unreachable"))
            transport.close()

    def eof_received(self) -> bool:
        """Half-close: the upstream gets the client's FIN, the answer still comes back."""
        self.ended = True
        upstream = self.upstream
        if upstream is not None:
            upstream.finish()
        elif self._refused is not None:
            self._close()
        elif self._connecting is not None and not self._early:
            self._close()  # nothing was asked
        return self.transport is not None and self.transport.can_write_eof()

    def finish(self) -> None:
        """The upstream sent FIN."""
        finish(self.transport, both=self.ended)
        if self.ended and self.upstream is not None:
            self.upstream.close()

    def pause_writing(self) -> None:
        if self.upstream is not None:
            self.upstream.pause()

    def resume_writing(self) -> None:
        if self.upstream is not None:
            self.upstream.resume()

    def pause(self) -> None:
        if self.transport is not None:
            self.transport.pause_reading()

    def resume(self) -> None:
        if self.transport is not None:
            self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.splicer.left(self)
        self.transport = None
        if self._connecting is not None:
            self._connecting.cancel()
        self._closed("client_left")
        upstream, self.upstream, self.send = self.upstream, None, discard
        if upstream is not None:
            upstream.abort(reset=exc is not None)

    def upstream_lost(self, *, reset: bool) -> None:
        """The upstream's connection is gone, by reset or in order."""
        self.upstream, self.send = None, discard
        self.splicer.observe()
        waiting = self.observer is not None and self.observer.following and self.observer.awaiting
        if waiting and not self.ended:
            self.splicer.upstream_error("reset" if reset else "closed_early")
        lost = "upstream_reset" if reset else "upstream_closed"
        self._closed("client_left" if self.ended and not reset else lost)
        if self.transport is not None:
            close_with_reset(self.transport) if reset else self.transport.close()

    def close_if_idle(self) -> None:
        """While draining: close unless an answer is outstanding or may be."""
        self.splicer.observe()
        observer = self.observer
        if observer is None or (observer.following and not observer.awaiting and not observer.in_request):
            self._close()

    def abort(self, outcome: str) -> None:
        """Close both sides now."""
        self._closed(outcome)
        if self.transport is not None:
            self.transport.abort()

    def _close(self) -> None:
        if self.transport is not None:
            self.transport.close()

    def _closed(self, outcome: str) -> None:
        self.splicer.observe()
        observer = self.observer
        if observer is None or not observer.following:
            return
        try:
            observer.closed(outcome, monotonic_ns())
        except Exception:  # noqa: BLE001  whatever goes wrong in observation stays there
            observer.stop("observer_error")


class Upstream(asyncio.Protocol):
    """The upstream's side of one spliced connection."""

    def __init__(self, splicer: Splicer, client: Client) -> None:
        self._splicer = splicer
        self._client: Client | None = client
        self._transport: asyncio.Transport | None = None
        self._ended = False
        self.write: Callable[[bytes], None] = discard
        self._send: Callable[[bytes], None] = discard

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=_HIGH_WATER)
        if self._client is None or self._client.transport is None:
            self._transport.abort()
        else:
            self.write = self._transport.write
            self._send = self._client.transport.write
            self._client.connected(self)

    def data_received(self, data: bytes) -> None:
        now = monotonic_ns()
        self._send(data)
        client = self._client
        if client is None:
            return
        splicer = self._splicer
        seen = splicer.seen
        seen.append((client, data, now, _ANSWER))
        count = len(seen)
        if count == 1:
            splicer.observe_later()
        if count == _BATCH or len(data) > _LARGE_READ:
            splicer.observe_soon()

    def eof_received(self) -> bool:
        self._ended = True
        if self._client is not None:
            self._client.finish()
        return self._transport is not None and self._transport.can_write_eof()

    def finish(self) -> None:
        """The client sent FIN."""
        finish(self._transport, both=self._ended)

    def pause_writing(self) -> None:
        if self._client is not None:
            self._client.pause()

    def resume_writing(self) -> None:
        if self._client is not None:
            self._client.resume()

    def pause(self) -> None:
        if self._transport is not None:
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    def close(self) -> None:
        """After both sides have finished."""
        if self._transport is not None:
            self._transport.close()

    def abort(self, *, reset: bool) -> None:
        """The client is gone: so is the upstream's work."""
        self._client, self._send = None, discard
        if self._transport is not None:
            if reset:
                set_reset(self._transport)
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        client, self._client = self._client, None
        if client is not None:
            client.upstream_lost(reset=exc is not None)
