"""The flow on one screen: spool, pipeline, store, HTTP. With Kafka between them it is `replicas.py`, which
builds on this; no other file imports both packages.

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
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, TypedDict

import uvicorn
from starlette.applications import Starlette

from collectors.exchanges import Decoding, exchange_of
from collectors.spool import bind, load_key
from collectors.spool_reader import Entry as SpoolEntry
from collectors.spool_reader import Reader, erase, follow
from collectors.wire import Capture, Counters, Gap
from monitor import heap
from monitor.addresses import host_port, is_loopback
from monitor.candidate import Identity, Leg
from monitor.capabilities import Capabilities
from monitor.capability_probe import probe
from monitor.config import Config
from monitor.config_file import secret
from monitor.errors import BadInput
from monitor.evaluations import Evaluations
from monitor.http.api import application
from monitor.http.guard import Tokens
from monitor.http.pages import pages
from monitor.http.patience import MOST_CONNECTIONS, Patient
from monitor.http.switch import Sidecar
from monitor.metrics import Metrics
from monitor.pairing import Pairing
from monitor.parquet.places import Place, place_of
from monitor.parquet.routine import Routine, erase_exported
from monitor.pipeline import Incoming, Pipeline
from monitor.ranges import Point, Ranges
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
PURGE_SECONDS, FORGET_SECONDS = 3600.0, 5.0
EXPORT_SECONDS, LABEL_SECONDS = 60.0, 30.0
TOPIC_OFFSET = "kafka:"


def run(config: Config, reload: Callable[[], Config]) -> None:
    """Serve until a signal. Raises ConfigError, StoreError, ForeignSpool before anything is served."""
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


def settled_ranges(store: Store) -> dict[str, Ranges]:
    """What of each stream is committed; offsets of Kafka topics lie in the same table."""
    offsets = store.mapping("offsets").items()
    return {name: Ranges.load(text) for name, text in offsets if not name.startswith(TOPIC_OFFSET)}


def _positions(store: Store) -> dict[str, Point]:
    return {stream: ranges.resume() for stream, ranges in settled_ranges(store).items()}


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
        candidate, replay = await entered(stack, config)
        metrics = Metrics(config.route.name, config.segments_limit)
        metrics.reloaded(time.time(), ok=True)
        routine = Routine(config, standing.store, place, metrics.exported) if place else None
        told = evaluations_of(config, metrics.evaluations)
        service = Service(
            config,
            standing,
            metrics=metrics,
            candidate=candidate,
            reload=reload,
            erase_waiting=erase_waiting,
            erase_exported=partial(erase_exported, standing.store, place),
            tell=told.offer if told else None,
        )
        pairing = Pairing(config, candidate, replay, service.eligible, service.model)
        settling = settling_of(standing, service, lambda _: reader.release(_positions(standing.store)))
        pipeline = Pipeline(
            pairing=pairing, judge=service.judge, settler=settling, window=8 * config.candidate.concurrency
        )
        tasks = {
            "feed": _feed(config, reader, pipeline, settling, service),
            "settle": pipeline.settle(),
            "watch": watch(pairing, candidate, replay, service),
            "probe": probe_for_ever(pairing, candidate, replay, service),
            **housekeeping(service, routine),
            **({"evaluations": told.run()} if told else {}),
        }
        await serve(tasks, http_server(config, service), service.reload_quietly)
    if batch := standing.final_batch():
        standing.store.commit(batch)


async def entered(stack: AsyncExitStack, config: Config) -> tuple[Leg, Leg | None]:
    """The legs to candidate and replay, open until `stack` is closed."""
    candidate, replay = legs_of(config)
    for leg in (candidate, replay):
        if leg is not None:
            await stack.enter_async_context(leg)
    return candidate, replay


def evaluations_of(config: Config, count: Callable[[str, int], None]) -> Evaluations | None:
    """Where scores are told to a tracing backend, if anywhere."""
    settings = config.evaluations
    if settings.endpoint is None:
        return None
    token = secret(settings.token_env, "evaluations.token_env")
    return Evaluations(settings.endpoint, config.route.name, token=token, count=count)


def housekeeping(service: Service, routine: Routine | None) -> dict[str, Coroutine[Any, Any, None]]:
    """What every monitor with a store does beside its flow."""
    export = {"export": every(EXPORT_SECONDS, routine.turn)} if routine else {}
    return {
        "board": every(BOARD_SECONDS, service.refresh),
        "purge": every(PURGE_SECONDS, service.purge),
        "forget": every(FORGET_SECONDS, service.forget_late),
        # labels may be faster than scores
        "labels": every(LABEL_SECONDS, service.look_for_labels),
        **export,
    }


async def serve(
    coroutines: Mapping[str, Coroutine[Any, Any, None]],
    server: _Server,
    on_reload: Callable[[], None],
    on_stop: Callable[[], None] = lambda: None,
) -> None:
    """Run everything until a signal or the first failure, then cancel all of it; a failure is raised."""
    tasks = [asyncio.create_task(coroutine, name=name) for name, coroutine in coroutines.items()]
    _handle_signals(on_reload, server)
    http = asyncio.create_task(server.serve(), name="http")
    await asyncio.wait([*tasks, http], return_when=asyncio.FIRST_COMPLETED)
    failure = next((t.exception() for t in tasks if t.done() and not t.cancelled() and t.exception()), None)
    on_stop()
    server.stop()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, http, return_exceptions=True)
    if failure is not None:
        raise failure


def settling_of(
    standing: Standing,
    service: Service,
    committed: Callable[[Mapping[str, str]], object],
    positions: Callable[[], Mapping[str, str]] = dict,
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
        positions=positions,
        late=lambda number: standing.label(number, time.time()),
    )


async def _feed(
    config: Config, reader: Reader, pipeline: Pipeline, settling: Settling, service: Service
) -> None:
    await pipeline.warm_up(service.load_models)
    heap.freeze()
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


class Watched(Protocol):
    """Who wants to know what serves at the candidate's address and what it can do."""

    @property
    def identity(self) -> Identity | None: ...
    def model(self) -> str | None: ...
    async def identified(self, identity: Identity | None) -> bool: ...
    def probed(self, capabilities: Capabilities) -> None: ...


async def watch(pairing: Pairing, candidate: Leg, replay: Leg | None, service: Watched) -> None:
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


async def probe_for_ever(pairing: Pairing, candidate: Leg, replay: Leg | None, service: Watched) -> None:
    """What both servers can do, once per identity; apart from `watch`, which must not wait for it."""
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


async def every(seconds: float, work: Callable[[], None]) -> None:
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


def http_server(config: Config, service: Service) -> _Server:
    """The monitor's API, gates and page."""
    app = application(
        service,
        **guarding(config),
        pages=pages(service, _switch(config), config.sampling.fraction),
    )
    return server_of(app, config.http.listen)


class Guarding(TypedDict):
    """What the port's guard is told."""

    tokens: Tokens
    loopback: bool


def guarding(config: Config) -> Guarding:
    """Who may read and write, and whether a page on this machine could reach the port under another name."""
    return Guarding(
        tokens=Tokens(
            secret(config.http.token_env, "http.token_env"),
            secret(config.http.read_token_env, "http.read_token_env"),
        ),
        loopback=is_loopback(host_port(config.http.listen)[0]),
    )


def server_of(app: Starlette, listen: str) -> _Server:
    """A server for an application at HOST:PORT."""
    host, port = host_port(listen)
    settings = uvicorn.Config(
        app, host=host, port=port, log_level="warning", lifespan="off", access_log=False, server_header=False,
        http=Patient, limit_concurrency=MOST_CONNECTIONS,
    )  # fmt: skip
    return _Server(settings)


def _switch(config: Config) -> Sidecar:
    """Whom the kill switch tells; bound to every address, the sidecar is asked on this machine's own."""
    host, port = host_port(config.sidecar.admin)
    near = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host)  # noqa: S104  compared, not bound
    admin = f"{near}:{port}" if near else config.sidecar.admin
    return Sidecar(admin, os.environ.get(config.sidecar.token_env) if config.sidecar.token_env else None)


def _handle_signals(on_reload: Callable[[], None], server: _Server) -> None:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, on_reload)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
