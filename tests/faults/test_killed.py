"""kill -9 of either side: an exchange whose frame is in the spool is scored once, whatever dies.

The monitor commits scores and spool position in one transaction; capture loses at most what came
since its last write, which it makes every 50 ms.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import duckdb
import pytest

from collectors.spool import load_key
from collectors.spool_reader import Reader
from collectors.wire import Capture
from monitor.config import Config
from monitor.standing import Standing
from monitor.store import Store
from tests.benchmarks.hotpath import native
from tests.benchmarks.hotpath.native import Load, read_load, start_load, upstream
from tests.faults.breakages import healthy_candidate
from tests.faults.comparison import not_served
from tests.faults.rig import Rig, eventually, tailgate

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(native.missing() is not None, reason=str(native.missing())),
]

KILLS = pytest.mark.parametrize("kills", [12, pytest.param(50, marks=pytest.mark.full)])
RATE = 400


@pytest.fixture
def baseline() -> Iterator[int]:
    with upstream(first_us=1_000) as port:
        yield port


@KILLS
def test_a_monitor_killed_many_times_scores_every_exchange_once(
    baseline: int, tmp_path: Path, kills: int
) -> None:
    rng = random.Random(kills)
    production = Load(seconds=3600, warm_up=0, grace=5, rate=40, connections=16)
    with ExitStack() as stack:
        candidate = stack.enter_context(healthy_candidate())
        sidecar = stack.enter_context(tailgate("sidecar", tmp_path, baseline))
        load = start_load(production, sidecar.port)
        for _ in range(kills):
            _killed_monitor(tmp_path, baseline, candidate, rng.uniform(0.0, 3.0))
        load.terminate()
        report = read_load(load, production)
        with tailgate("monitor", tmp_path, baseline, candidate_url=candidate) as monitor:
            assert eventually(lambda: _is_settled(monitor, report["sent"]), 60), monitor.funnel()
            funnel = monitor.funnel()
            time.sleep(2)  # the last block is committed after a second without more
    assert not_served(report) == 0
    assert funnel["eligible"] == funnel["scored"] + sum(funnel["skipped"].values())
    assert _scored_ids(tmp_path / "store.duckdb") == {f"run-{n:012d}": 1 for n in range(report["sent"])}
    restored, replayed = _evidence(tmp_path / "store.duckdb")
    assert restored == replayed, "after all deaths the evidence is that of one life over the same log"


def _evidence(path: Path) -> tuple[bytes, bytes]:
    """The evidence as the last monitor left it, and as one pass over the whole log makes it."""
    store = Store(path)
    config = Config.model_validate_json(store.mapping("meta")["config"])
    restored = Standing(config, store, b"unused").engine.snapshot()
    store.write("DELETE FROM snapshots")
    replayed = Standing(config, store, b"unused").engine.snapshot()
    store.close()
    return restored, replayed


def _killed_monitor(directory: Path, baseline: int, candidate: str, after: float) -> None:
    with tailgate("monitor", directory, baseline, ready=False, candidate_url=candidate) as monitor:
        time.sleep(after)
        monitor.signal(signal.SIGKILL)


def _is_settled(monitor: Rig, sent: int) -> bool:
    funnel = monitor.funnel()
    return bool(funnel["eligible"] == sent and funnel["pending"] == 0)


def _scored_ids(store: Path) -> Counter[str]:
    with duckdb.connect(str(store), read_only=True) as connection:
        return Counter(id_ for (id_,) in connection.execute("SELECT id FROM pairs").fetchall())


@pytest.mark.parametrize("seed", range(4))
def test_killed_capture_loses_at_most_its_last_tenth_of_a_second(
    baseline: int, tmp_path: Path, seed: int
) -> None:
    production = Load(seconds=3, warm_up=0, rate=RATE, connections=32)
    with tailgate("sidecar", tmp_path, baseline) as rig:
        load = start_load(production, rig.port)
        time.sleep(random.Random(seed).uniform(1.0, 2.0))
        os.killpg(rig.process.pid, signal.SIGKILL)
        report = read_load(load, production)
    written = _captured_ids(tmp_path / "spool")
    assert max(written.values()) == 1
    assert 0 <= report["ok"] - len(written) <= RATE * 0.1 + production.connections


def _captured_ids(spool: Path) -> Counter[str]:
    reader = Reader(spool, load_key(spool))
    ids: Counter[str] = Counter()
    while entries := reader.read():
        ids.update(e.record.request_headers["x-request-id"] for e in entries if isinstance(e.record, Capture))
    reader.close()
    assert reader.corrupt <= 2, "a torn last frame per worker at most"
    return ids
