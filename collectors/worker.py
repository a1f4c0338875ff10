"""One worker: the event loop of the data path, its admission and its spool writer."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import uvloop

from collectors.admission import Admission, numbering
from collectors.counters import CELL, EVERY_DROPPED, EVERY_EXCLUDED, UNOBSERVED, Board, by_reason
from collectors.rewriting_client import RewritingClient
from collectors.settings import Settings
from collectors.splice import Client, Splicer
from collectors.spool import Limits, Writer
from collectors.wire import Counters, Exchange, Packed

# The writer thread computes; with the default of 5 ms the loop would wait that long for the GIL.
_SWITCH_SECONDS = 0.0002
_HEARTBEAT_SECONDS = 0.5


def account(
    cells: Sequence[int], base: Sequence[int], *, stream: str, worker: int, started_at: float, final: bool
) -> Counters:
    """The counters record of one incarnation: its page of the board since `base`."""

    def since(name: str) -> int:
        return cells[CELL[name]] - base[CELL[name]]

    return Counters(
        stream=stream,
        at=time.time(),
        started_at=started_at,
        worker=worker,
        not_sampled=since("not_sampled"),
        sampled=since("sampled"),
        written=since("written"),
        unkeyed=since("unkeyed"),
        excluded=by_reason(cells, base, "excluded", EVERY_EXCLUDED),
        dropped=by_reason(cells, base, "dropped", EVERY_DROPPED),
        unobserved=by_reason(cells, base, "unobserved", UNOBSERVED),
        final=final,
    )


class Worker:
    """Everything of one incarnation; made after the fork. `parent` is a pipe that ends with it."""

    def __init__(
        self,
        settings: Settings,
        board: Board,
        index: int,
        *,
        stream: str,
        key: bytes,
        parent: int,
        inherited: Sequence[Counters] = (),
    ) -> None:
        self.settings, self.parent = settings, parent
        self.cells = cells = board.pages[index]
        base, started = cells.tolist(), time.time()

        def account_now(final: bool) -> Counters:  # noqa: FBT001  called with one flag by the writer
            # One C call: a consistent picture, since only this process writes the page.
            now = cells.tolist()
            return account(now, base, stream=stream, worker=index, started_at=started, final=final)

        self.writer: Writer[Exchange | Packed] = Writer(
            Path(settings.spool),
            stream,
            key,
            Limits(settings.spool_max_bytes, settings.spool_max_age_seconds, settings.spool_sync_seconds),
            render=numbering(settings),
            account=account_now,
            lost=self._lost,
            wrote=self._wrote,
            inherited=inherited,
        )
        self.admission = Admission(settings, board, index, self.writer)

    def _lost(self, reason: str, count: int) -> None:
        self.cells[CELL[f"dropped:{reason}"]] += count

    def _wrote(self, count: int) -> None:
        self.cells[CELL["written"]] += count

    def run(self, listener: socket.socket) -> None:
        """Serve until told to stop (SIGTERM, or the parent's end), then drain."""
        sys.setswitchinterval(_SWITCH_SECONDS)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._serve(listener))
        self.writer.close()

    async def _serve(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        splicer = Splicer(self.settings, self.admission, _upstream_tls(self.settings), loop)
        client = RewritingClient if self.settings.rewrite_host else Client
        stop = asyncio.Event()
        loop.add_signal_handler(signal.SIGTERM, stop.set)
        loop.add_signal_handler(signal.SIGINT, lambda: None)  # Ctrl-C reaches the parent, which drains
        loop.add_reader(self.parent, stop.set)
        self.writer.start()
        server = await loop.create_server(
            lambda: client(splicer), sock=listener, ssl=_client_tls(self.settings), backlog=socket.SOMAXCONN
        )
        beat = asyncio.create_task(self._beat(splicer))
        await stop.wait()
        loop.remove_reader(self.parent)
        server.close()
        await self._drain(splicer)
        beat.cancel()

    async def _drain(self, splicer: Splicer) -> None:
        splicer.drain()
        with suppress(TimeoutError):
            async with asyncio.timeout(self.settings.drain_seconds):
                await splicer.empty.wait()
        splicer.abort()
        await asyncio.sleep(0)

    def publish(self, in_flight: int) -> None:
        """Gauges for the admin port."""
        cells, writer = self.cells, self.writer
        cells[CELL["gauge:heartbeat"]] = time.monotonic_ns()
        cells[CELL["gauge:in_flight"]] = in_flight
        cells[CELL["gauge:queue_items"]] = len(writer.queue)
        cells[CELL["gauge:queue_bytes"]] = max(0, self.admission.held)
        cells[CELL["gauge:spool_bytes"]] = writer.used

    async def _beat(self, splicer: Splicer) -> None:
        """Gauges for the admin port, and a sign of life for the parent."""
        while True:
            self.publish(self.admission.in_flight)
            splicer.overhead.publish(self.cells)
            await asyncio.sleep(_HEARTBEAT_SECONDS)


def _upstream_tls(settings: Settings) -> ssl.SSLContext | None:
    if not settings.upstream_tls:
        return None
    context = ssl.create_default_context(cafile=settings.upstream_ca)
    context.set_alpn_protocols(["http/1.1"])
    if settings.upstream_cert:
        context.load_cert_chain(settings.upstream_cert)
    return context


def _client_tls(settings: Settings) -> ssl.SSLContext | None:
    if not settings.tls_cert:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(settings.tls_cert, settings.tls_key)
    return context


def check_tls(settings: Settings) -> None:
    """Load all certificates once, so that a wrong path is an error at start and not in a worker."""
    _upstream_tls(settings)
    _client_tls(settings)


def exit_now(code: int) -> None:
    """End a forked child without running the parent's exit handlers."""
    sys.stderr.flush()
    os._exit(code)
