"""`tailgate collect`: every way in but the sidecar, one process, into the same sealed spool.

Nothing here is in the path of production. What arrives is admitted by the data path's own code
(intake.py), written by its writer and read by the same monitor, so that a trace, an Envoy stream
and a spliced connection are one kind of exchange with one funnel.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path

import msgspec

from collectors.admin import Admin
from collectors.counters import Board
from collectors.intake import Intake
from collectors.kafka_topic import Cluster
from collectors.serving import listener, shown
from collectors.settings import Settings
from collectors.spool import load_key, new_stream
from collectors.worker import Worker
from monitor.config_collect import Collect
from monitor.errors import ConfigError, StoreError

_BEAT_SECONDS = 0.5


def run(settings: Settings, ways: Collect, token: str, cluster: Cluster) -> None:
    """Serve until SIGTERM or SIGINT; one line of JSON on stdout says where.

    Raises ConfigError (nothing is configured), StoreError (spool), Unreachable (an address is taken).
    """
    if not ways.ways:
        raise ConfigError("collect: no way in is configured; set e.g. collect.otlp.grpc=127.0.0.1:4317")
    spool = Path(settings.spool)
    try:
        spool.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreError(f"{spool}: cannot be created: {error.strerror}") from error
    board = Board(1, settings.fraction)
    key = load_key(spool, settings.key_env)
    worker = Worker(settings, board, 0, stream=new_stream(0), key=key, parent=-1)
    asyncio.run(_serve(settings, ways, board, worker, token, cluster=cluster))


async def _serve(
    settings: Settings, ways: Collect, board: Board, worker: Worker, token: str, *, cluster: Cluster
) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    intake = Intake(worker.admission)
    declared = tuple(name for name in (*settings.captured_headers, settings.subject_header) if name)
    async with AsyncExitStack() as stack:
        worker.writer.start()
        stack.callback(worker.writer.close)
        sock = listener(ways.admin, "collect.admin")
        server = await asyncio.start_server(
            Admin(settings, board, sock.getsockname()[0]).connection, sock=sock
        )
        stack.callback(server.close)
        addresses = {
            name: await stack.enter_async_context(way)
            for name, way in configured(ways, intake, declared, token, cluster).items()
        }
        beat = asyncio.create_task(_beat(worker))
        stack.callback(beat.cancel)
        ready = {
            "event": "ready",
            "admin": shown(*sock.getsockname()[:2]),
            "spool": settings.spool,
            **addresses,
        }
        sys.stdout.write(msgspec.json.encode(ready).decode() + "\n")
        sys.stdout.flush()
        await stop.wait()


def configured(
    ways: Collect, intake: Intake, declared: Sequence[str], token: str, cluster: Cluster
) -> dict[str, AbstractAsyncContextManager[str]]:
    """The ways in that have an address, by name; each serves while its context is open."""
    found: dict[str, AbstractAsyncContextManager[str]] = {}
    if "otlp" in ways.ways:
        from collectors.otlp import Receiver, over_grpc, over_http

        receiver = Receiver(intake, declared)
        if ways.otlp.grpc:
            found["otlp_grpc"] = over_grpc(receiver, ways.otlp, token)
        if ways.otlp.http:
            found["otlp_http"] = over_http(receiver, ways.otlp, token)
    if ways.envoy.listen:
        from collectors.envoy import ext_proc

        found["envoy"] = ext_proc(intake, ways.envoy.listen, token)
    if ways.taps.directory:
        from collectors.envoy_taps import tap_files

        found["taps"] = tap_files(intake, ways.taps.directory, intake.admission.max_body_bytes)
    if ways.records.listen:
        from collectors.mapping import load
        from collectors.posted import posted

        found["records"] = posted(intake, ways.records, load(ways.records.mapping), token)
    if ways.topic.name:
        from collectors.mapping import load
        from collectors.record_topic import record_topic

        found["topic"] = record_topic(intake, cluster, ways.topic, load(ways.topic.mapping))
    if ways.packets.interface:
        from collectors.packets import packets

        found["packets"] = packets(intake, ways.packets)
    return found


async def _beat(worker: Worker) -> None:
    while True:
        worker.publish(worker.admission.observing)
        await asyncio.sleep(_BEAT_SECONDS)
