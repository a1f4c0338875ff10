"""The flow on one screen: spool, pipeline, store, HTTP. The only file that imports both packages.

spool ─► incoming() ─► Pipeline.feed ─► pair, score ─► Settling.take ─► Standing.apply ─► Store
                                                                │
                              GET /metrics, /api/v1/verdict ◄── Service ◄── verdict, gauges
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from functools import partial

import uvicorn

from collectors.exchanges import Decoding, exchange_of
from collectors.spool import bind, load_key
from collectors.spool_reader import Entry as SpoolEntry
from collectors.spool_reader import Reader, erase, follow
from collectors.wire import Capture, Counters, Gap
from monitor.addresses import host_port, is_loopback
from monitor.candidate import Leg
from monitor.capabilities import Capabilities
from monitor.capability_probe import probe
from monitor.config import Config
from monitor.config_file import secret
from monitor.errors import BadInput, ConfigError
from monitor.http.api import application
from monitor.http.guard import Tokens
from monitor.http.pages import pages
from monitor.http.switch import Sidecar
from monitor.metrics import Metrics
from monitor.pairing import Pairing
from monitor.parquet.places import Place, place_of
from monitor.parquet.routine import Routine
from monitor.pipeline import Incoming, Pipeline
from monitor.service import Service
from monitor.settling import Account, Settling
from monitor.shadow import legs_of
from monitor.standing import Standing
from monitor.store import Store

log = logging.getLogger("tailgate.monitor")

LOAD_SECONDS = 1.0
IDENTITY_SECONDS = 5.0
FIRST_SECONDS, PROBE_SECONDS = 0.2, 15.0
BOARD_SECONDS = 1.0
PURGE_SECONDS = 3600.0
EXPORT_SECONDS = 60.0


def run(config: Config, reload: Callable[[], Config]) -> None:
    """Serve until a signal. Raises ConfigError, StoreError, ForeignSpool before anything is served."""
    _refuse_what_is_missing(config)
    place = place_of(config.export.directory) if config.export.directory else None
    store = Store(config.store.path)
    try:
        directory = config.spool_directory
        bind(directory, store.id)
        key = load_key(directory, config.privacy.key_env)
        store.remember("config", config.model_dump_json())
        standing = Standing(config, store, key)
        reader = Reader(directory, key, _positions(store))
        waiting = partial(erase, directory, key)
        asyncio.run(_serve(config, reload, standing, reader, erase_waiting=waiting, place=place))
    finally:
        store.close()


def _refuse_what_is_missing(config: Config) -> None:
    """A key that would be silently ignored is worse than one that is refused."""
    if config.handover.kind != "spool":
        raise ConfigError("handover.kind: only `spool` works in this version")


def _positions(store: Store) -> dict[str, tuple[int, int, int]]:
    found = {stream: json.loads(text) for stream, text in store.mapping("offsets").items()}
    return {stream: (at[0], at[1], at[2]) for stream, at in found.items()}


async def _serve(
    config: Config,
    reload: Callable[[], Config],
    standing: Standing,
    reader: Reader,
    *,
    erase_waiting: Callable[[str], int],
    place: Place | None,
) -> None:
    async with AsyncExitStack() as stack:
        candidate, replay = legs_of(config)
        for leg in (candidate, replay):
            if leg is not None:
                await stack.enter_async_context(leg)
        metrics = Metrics(config.route.name, config.segments_limit)
        metrics.reloaded(time.time(), ok=True)
        routine = Routine(config, standing.store, place, metrics.exported) if place else None
        service = Service(
            config,
            standing,
            metrics=metrics,
            candidate=candidate,
            reload=reload,
            erase_waiting=erase_waiting,
            erase_exported=routine.erase if routine else None,
        )
        pairing = Pairing(config, candidate, replay, service.eligible, service.model)
        settling = settling_of(standing, service, lambda _: reader.release(_positions(standing.store)))
        pipeline = Pipeline(
            pairing=pairing, judge=service.judge, settler=settling, window=8 * config.candidate.concurrency
        )
        server = _http(config, service)
        tasks = [
            asyncio.create_task(coroutine, name=name)
            for name, coroutine in (
                ("feed", _feed(config, reader, pipeline, settling, service)),
                ("settle", pipeline.settle()),
                ("watch", _watch(pairing, candidate, replay, service)),
                ("probe", _probe(pairing, candidate, replay, service)),
                ("board", _every(BOARD_SECONDS, service.refresh)),
                ("purge", _every(PURGE_SECONDS, service.purge)),
                *([("export", _every(EXPORT_SECONDS, routine.turn))] if routine else []),
            )
        ]
        _handle_signals(service, server)
        tasks.append(asyncio.create_task(server.serve(), name="http"))
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        server.stop()
        await _stop(tasks)
    if batch := standing.final_batch():
        standing.store.commit(batch)


async def _stop(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel everything in order; the first failure that ended the run is raised."""
    failure = next((t.exception() for t in tasks if t.done() and not t.cancelled() and t.exception()), None)
    for task in tasks[:-1]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    if failure is not None:
        raise failure


def settling_of(
    standing: Standing, service: Service, committed: Callable[[Mapping[str, str]], object]
) -> Settling:
    """The owner of the log, going on where the store ends."""
    return Settling(
        observe=service.observe,
        apply=standing.apply,
        commit=standing.store.commit,
        committed=committed,
        tally=standing.tally,
        seq=standing.seq,
        block=standing.engine.blocks,
        event_time=standing.event_time,
    )


async def _feed(
    config: Config, reader: Reader, pipeline: Pipeline, settling: Settling, service: Service
) -> None:
    await pipeline.warm_up(service.load_models)
    service.attach(settling)
    decoding = Decoding(
        session_header=config.sampling.header,
        subject_header=config.privacy.subject,
        max_age_seconds=config.spool.max_age_seconds,
    )
    async for entries in follow(reader):
        for entry in entries:
            await pipeline.feed(incoming(entry, decoding, time.time()))


def incoming(entry: SpoolEntry, decoding: Decoding, now: float) -> Incoming:
    """A spool record as the pipeline takes it."""
    last = entry.position.number
    account = Account(entry.stream, json.dumps(entry.position), numbers=(last, last))
    record = entry.record
    if isinstance(record, Capture):
        try:
            return Incoming(account, exchange_of(record, decoding, now))
        except BadInput as error:
            return Incoming(replace(account, skipped=error.reason))
    if isinstance(record, Counters):
        return Incoming(_counted(account, record))
    return Incoming(_lost(account, record))


def _counted(account: Account, counters: Counters) -> Account:
    return replace(
        account,
        numbers=None,
        counters_of=counters.stream,
        capture_skipped=counters.skipped,
        capture_excluded=counters.excluded,
        counted_at=counters.at,
    )


def _lost(account: Account, gap: Gap) -> Account:
    """Captures that nobody can read; those of a killed process never had a number."""
    last = account.numbers[1] if account.numbers else 0
    numbers = (0, 0) if gap.since else (last - gap.count + 1, last)
    return replace(
        account, numbers=numbers, skipped=gap.reason, skipped_count=gap.count, unknown_since=gap.since
    )


async def _watch(pairing: Pairing, candidate: Leg, replay: Leg | None, service: Service) -> None:
    """Load of both servers every second, the candidate's identity every five and once it was lost.

    Nothing is sent between: a server that comes back with other weights is another candidate before
    its first answer.
    """
    checked = float("-inf")
    pairing.watched = True
    while True:
        if candidate.lost or time.monotonic() - checked >= IDENTITY_SECONDS:
            checked, lost = time.monotonic(), candidate.lost
            another = await service.identified(await candidate.identity())
            if another or (lost and not candidate.lost):
                pairing.warm_up_again()
            if another:
                pairing.capabilities = Capabilities()
        pairing.pressure.candidate = await candidate.load()
        if replay is not None:
            pairing.pressure.baseline = await replay.load()
        await asyncio.sleep(LOAD_SECONDS)


async def _probe(pairing: Pairing, candidate: Leg, replay: Leg | None, service: Service) -> None:
    """What both servers can do, once per identity; apart from `_watch`, which must not wait for it."""
    while True:
        identity, pause = service.identity, FIRST_SECONDS
        if service.model() is not None and not pairing.capabilities.settled(replays=replay is not None):
            found = await probe(candidate, replay, service.model())
            if found is not None and service.identity == identity:
                pairing.capabilities = found
                await asyncio.to_thread(service.probed, found)
            if not pairing.capabilities.settled(replays=replay is not None):
                pause = PROBE_SECONDS
        await asyncio.sleep(pause)


async def _every(seconds: float, work: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await asyncio.to_thread(work)
        except Exception:
            log.exception("%s failed; going on", getattr(work, "__name__", "background work"))


class _Server(uvicorn.Server):
    """uvicorn re-raises SIGTERM when it is done, which would cut off the last commit: we handle signals."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def stop(self) -> None:
        self.should_exit = True


def _http(config: Config, service: Service) -> _Server:
    host, port = host_port(config.http.listen)
    app = application(
        service,
        tokens=Tokens(
            secret(config.http.token_env, "http.token_env"),
            secret(config.http.read_token_env, "http.read_token_env"),
        ),
        loopback=is_loopback(host),
        pages=pages(service, _switch(config), config.sampling.fraction),
    )
    settings = uvicorn.Config(
        app, host=host, port=port, log_level="warning", lifespan="off", access_log=False, server_header=False
    )
    return _Server(settings)


def _switch(config: Config) -> Sidecar:
    """Whom the kill switch tells; bound to every address, the sidecar is asked on this machine's own."""
    host, port = host_port(config.sidecar.admin)
    near = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host)  # noqa: S104  compared, not bound
    admin = f"{near}:{port}" if near else config.sidecar.admin
    return Sidecar(admin, os.environ.get(config.sidecar.token_env) if config.sidecar.token_env else None)


def _handle_signals(service: Service, server: _Server) -> None:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, service.reload_quietly)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
