"""The flow of many machines on one screen: Kafka between shippers, monitors that score and those that judge.

spool ─► shipper ─► exchanges ─► Pipeline ─► Publishing ─► scores ─► EvidenceLog ─► Settling ─► Store
                        (any number of monitors, one group)     (one log per route; any number of readers)

`kafka.role` says which halves a monitor has: `scoring`, `evidence` or `both`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from collectors.spool import load_key
from monitor.app import entered, guarding, housekeeping, http_server, serve, server_of
from monitor.config import Config
from monitor.evidence_replica import Evidence
from monitor.http.plain import plain_application
from monitor.metrics import Metrics
from monitor.parquet.places import Place, place_of
from monitor.parquet.routine import Routine, erase_exported
from monitor.replica import Replica, cluster_of
from monitor.replica_metrics import ReplicaMetrics, registry_of
from monitor.scoring_replica import Scoring
from monitor.service import Service
from monitor.standing import Standing
from monitor.store import Store

Tasks = dict[str, Coroutine[Any, Any, None]]


def run(config: Config, reload: Callable[[], Config]) -> None:
    """Serve until a signal. Raises ConfigError and StoreError before anything is served."""
    logging.getLogger("kafka").setLevel("CRITICAL")  # it reports every attempt to reconnect; we report states
    replica = Replica(config, cluster_of(config), load_key(config.spool_directory, config.privacy.key_env))
    if config.kafka.role == "scoring":
        asyncio.run(_score(replica))
        return
    place = place_of(config.export.directory) if config.export.directory else None
    store = Store(config.store.path)
    try:
        store.remember("config", config.model_dump_json())
        standing = Standing(config, store, replica.key)
        asyncio.run(_judge(replica, reload, standing, place))
        if batch := standing.final_batch():
            store.commit(batch)
    finally:
        store.close()


async def _score(replica: Replica) -> None:
    """A monitor without evidence: it has metrics and health, and no verdict to give."""
    config = replica.config
    async with AsyncExitStack() as stack:
        scoring = Scoring(replica, *await entered(stack, config))
        registry = registry_of(config.route.name, replica.measures)
        app = plain_application(registry, scoring.not_ready, **guarding(config))
        await serve(
            scoring.tasks(), server_of(app, config.http.listen), _nothing_to_reload, scoring.publishing.close
        )
        await scoring.close()


async def _judge(
    replica: Replica, reload: Callable[[], Config], standing: Standing, place: Place | None
) -> None:
    """The owner of a store, which may score as well."""
    config = replica.config
    async with AsyncExitStack() as stack:
        candidate, replay = await entered(stack, config)
        metrics = Metrics(config.route.name, config.segments_limit)
        metrics.registry.register(ReplicaMetrics(config.route.name, replica.measures))
        metrics.reloaded(time.time(), ok=True)
        routine = Routine(config, standing.store, place, metrics.exported) if place else None
        evidence = Evidence(replica, standing)
        service = Service(
            config,
            standing,
            metrics=metrics,
            candidate=candidate,
            reload=reload,
            erase_waiting=evidence.erase,
            erase_exported=partial(erase_exported, standing.store, place),
        )
        service.attach(evidence.settling(service))
        tasks: Tasks = {**evidence.tasks(service, candidate), **housekeeping(service, routine)}
        scoring = Scoring(replica, candidate, replay) if config.kafka.role == "both" else None
        if scoring is not None:
            tasks |= scoring.tasks()
        stop = scoring.publishing.close if scoring else lambda: None
        await serve(tasks, http_server(config, service), service.reload_quietly, stop)
        if scoring is not None:
            await scoring.close()
        await evidence.close()


def _nothing_to_reload() -> None:
    logging.getLogger("tailgate.replica").warning(
        "a monitor that only scores reads its configuration at start"
    )
