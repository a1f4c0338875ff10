"""Shippers, monitors that score and the one that judges, as the processes that users run, to be killed."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from collectors.kafka_topic import SCORES, Cluster, Consumer
from collectors.spool import segments
from monitor.app import settled_ranges
from monitor.config_file import load
from monitor.demo import free_ports
from monitor.evidence_log import EvidenceLog
from monitor.settling import Settling
from monitor.standing import Standing
from monitor.store import Store
from tests.benchmarks.exchanges import KEY
from tests.benchmarks.hotpath import process
from tests.faults.rig import TAILGATE

PREFIX = "fleet."
IDLE_POLLS = 10


@dataclass
class Fleet:
    """`shippers` spools with a shipper each, `scoring` monitors in one group, one monitor with the evidence."""

    directory: Path
    bootstrap: str
    candidate: str
    shippers: int
    scoring: int
    settings: Mapping[str, object] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    program: str = TAILGATE

    def __post_init__(self) -> None:
        names = [*(f"shipper{n}" for n in range(self.shippers)), *self.scorers, "evidence"]
        self.ports = dict(zip(names, free_ports(len(names)), strict=True))
        self.store = self.directory / "evidence.duckdb"
        self.http = httpx.Client(timeout=10)

    @property
    def scorers(self) -> list[str]:
        return [f"scoring{number}" for number in range(self.scoring)]

    @property
    def monitors(self) -> list[str]:
        return [*self.scorers, "evidence"]

    def spool(self, number: int) -> Path:
        return self.directory / f"spool{number}" / "spool"

    def __enter__(self) -> Fleet:
        for name in self.ports:
            self.start(name)
        return self

    def __exit__(self, *_: object) -> None:
        for each in self.processes.values():
            process.stop(each)
        self.http.close()

    @property
    def overrides(self) -> dict[str, object]:
        """What all of them are told."""
        return {
            "handover.kind": "kafka", "kafka.bootstrap": [self.bootstrap],
            "kafka.topic_prefix": PREFIX, "kafka.session_seconds": 10, "baseline.url": self.candidate,
            "candidate.url": self.candidate, "replay.share": 0, "privacy.key_env": "FLEET_KEY",
            "store.path": self.store, **self.settings,
        }  # fmt: skip

    def start(self, name: str) -> None:
        """Start, or start again, one of them."""
        address = f"127.0.0.1:{self.ports[name]}"
        if name.startswith("shipper"):
            number = int(name.removeprefix("shipper"))
            command, own = "shipper", {"kafka.shipper_listen": address, "spool.directory": self.spool(number)}
        else:
            role = "evidence" if name == "evidence" else "scoring"
            command, own = "monitor", {"kafka.role": role, "http.listen": address}
        told = [w for key, value in (self.overrides | own).items() for w in ("--set", f"{key}={value}")]
        with (self.directory / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [self.program, command, *told], stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, "FLEET_KEY": base64.b64encode(KEY).decode()},
            )  # fmt: skip

    def kill(self, name: str) -> None:
        """SIGKILL."""
        self.processes[name].kill()
        self.processes[name].wait()

    def listens(self, name: str) -> bool:
        """Whether it answers; RuntimeError where it ended by itself."""
        if (code := self.processes[name].poll()) is not None:
            log = (self.directory / f"{name}.log").read_text("utf-8", "replace")
            raise RuntimeError(f"{name} ended with {code}: {log[-2000:]}")
        with suppress(httpx.HTTPError):
            return self.http.get(f"http://127.0.0.1:{self.ports[name]}/-/healthy").is_success
        return False

    def funnel(self) -> dict[str, Any]:
        """As the monitor with the evidence tells it; empty while it does not answer."""
        with suppress(httpx.HTTPError):
            found: dict[str, Any] = self.http.get(
                f"http://127.0.0.1:{self.ports['evidence']}/api/v1/funnel"
            ).json()
            return found
        return {}

    def measures(self, name: str) -> dict[str, float]:
        """The metrics page: name without labels to value, for families with one sample."""
        with suppress(httpx.HTTPError):
            text = self.http.get(f"http://127.0.0.1:{self.ports[name]}/metrics").text
            return {m[1]: float(m[2]) for m in re.finditer(r"^(\w+)(?:\{.*\})? (\S+)$", text, re.MULTILINE)}
        return {}

    @property
    def unreleased(self) -> int:
        """Spool segments that still wait for a monitor's commit."""
        return sum(len(segments(self.spool(number))) for number in range(self.shippers))


@dataclass(frozen=True, slots=True)
class Standings:
    """What a store knows: the evidence to the bit, its pairs and the funnel."""

    evidence: bytes
    ids: list[str]
    funnel: Any


def kept(fleet: Fleet) -> Standings:
    """What the fleet's store knows, once its owner has ended."""
    store = Store(fleet.store)
    found = _standings(Standing(load(overrides=fleet.overrides), store, KEY))
    store.close()
    return found


def settling(standing: Standing, log: EvidenceLog) -> Settling:
    """What the monitor with the evidence does with what the log holds, without pages and alerts."""
    return Settling(
        observe=lambda _kept: None,
        apply=standing.apply,
        commit=standing.store.commit,
        committed=lambda _offsets: None,
        tally=standing.tally,
        seq=standing.seq,
        block=standing.engine.blocks,
        event_time=standing.event_time,
        positions=log.positions,
    )


def alone(fleet: Fleet) -> Standings:
    """What one process with an empty store makes of the same log."""
    store = Store(fleet.directory / "alone.duckdb")
    standing = Standing(load(overrides=fleet.overrides), store, KEY)
    log = EvidenceLog(standing, settled_ranges(store), start=0, since=0.0)
    log.attach(settling(standing, log))
    asyncio.run(_drain(Consumer(Cluster((fleet.bootstrap,), PREFIX), SCORES), log))
    found = _standings(standing)
    store.close()
    return found


async def _drain(consumer: Consumer, log: EvidenceLog) -> None:
    """Read the log until nothing comes for a while."""
    idle = 0
    while idle < IDLE_POLLS:
        records = consumer.poll_now(500)
        idle = 0 if records else idle + 1
        for record in records:
            await log.take(record.offset, record.value, lambda _reason: None)
    await consumer.close()


def _standings(standing: Standing) -> Standings:
    ids = [row[0] for row in standing.store.query("SELECT id FROM pairs ORDER BY seq")]
    return Standings(standing.engine.snapshot(), ids, standing.tally.funnel())
