"""E: what the engine costs (processor time), and that restart and split give the same bits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from functools import partial

import numpy as np

from monitor.cells import Cells, Ints
from monitor.detector import WEEK, Bank, block_ids
from monitor.evidence import Engine, Observation, Settings
from monitor.records import ALL, Segment
from monitor.signals import SIGNALS
from tests.benchmarks.alarm_checks import Check, at_most
from tests.benchmarks.alarm_streams import Floats

SEGMENTS, LOG = 1_000, 1_000_000
NAN = float("nan")


def seconds_of(work: Callable[[], object], repeats: int = 5) -> float:
    """Least processor time of a few runs: what the work costs, whoever else uses the machine."""
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


def _bank(*, two_stream: bool) -> Bank:
    bank = Bank(two_stream=two_stream)
    bank.add(np.full(SEGMENTS, 0.05), 0.0, 1 / SEGMENTS / WEEK)
    return bank


def _log(size: int, share: float) -> tuple[Ints, Floats, Floats, Floats]:
    """Rows, times, x, x0 of a log, replays on a share of it."""
    rng = np.random.default_rng(0)
    x0 = np.where(rng.random(size) < share, rng.random(size) * 0.2, NAN)
    return rng.integers(0, SEGMENTS, size), np.arange(size) / 20, rng.random(size) * 0.3, x0


def updates() -> Iterator[Check]:
    """E1: blocks of 10,000 exchanges over 1,000 segments."""
    for two_stream, limit in ((False, 1.0), (True, 3.0)):
        feed = partial(_bank(two_stream=two_stream).feed, *_log(10_000, 0.2))
        per_exchange = seconds_of(feed) / 10_000 * 1e6
        name = "two streams" if two_stream else "one stream"
        yield at_most(
            f"E1 {name}", "update, 1,000 segments, block of 10,000", limit, per_exchange, unit=" µs/exchange"
        )
    yield from _whole_engine()


def _whole_engine() -> Iterator[Check]:
    """The engine as the monitor calls it: 12 signals, blocks of 256 pairs, 1,000 segments."""
    engine = Engine(Settings(dict.fromkeys(SIGNALS, "page")))
    names = [s.name for s in SIGNALS.values() if s.null in {"integrity", "flip", "agreement"}][:12]
    rng = np.random.default_rng(1)

    def block(start: float) -> list[Observation]:
        found = []
        for i in range(256):
            segments = (ALL, Segment(f"customer={rng.integers(SEGMENTS)}"))
            x = dict(zip(names, rng.random(12).tolist(), strict=True))
            found.append(Observation(start + i / 256, segments, x, x if i % 5 == 0 else {}))
        return found

    for i in range(40):
        engine.apply(block(float(i)))
    blocks = iter([block(100.0 + i) for i in range(9)])
    taken = seconds_of(lambda: engine.apply(next(blocks)), 9)
    value = taken / (256 * 2 * 12) * 1e6
    yield at_most(
        "E1 engine", "whole engine, 1,000 segments × 12 signals, blocks of 256", 5.0, value, unit=" µs/score"
    )
    size = sum(getattr(t.bank.cells, f.name).nbytes for t in engine._tables for f in fields(Cells)) / 2**20
    yield at_most(
        "E1 memory",
        "state of 1,000 segments × 12 signals",
        50.0,
        size,
        unit=" MB",
        note=f"{len(engine.rows())} rows",
    )


def restart() -> Iterator[Check]:
    """E2: rebuild from a log of a million, load a snapshot, go on to the same bits."""
    log = _log(LOG, 0.0)
    blocks = block_ids(log[1])
    taken = seconds_of(lambda: _bank(two_stream=False).feed(*log, blocks=blocks), 3)
    yield at_most("E2 log", "evidence from 1,000,000 logged scores", 2.0, taken, unit=" s")
    settings = Settings(dict.fromkeys(SIGNALS, "page"))
    history = list(_history())
    whole = Engine(settings)
    for block in history:
        whole.apply(block)
    first, second = Engine(settings), Engine(settings)
    for block in history[:20]:
        first.apply(block)
    blob = first.snapshot()
    loading = seconds_of(lambda: Engine(settings).restore(blob))
    second.restore(blob)
    for block in history[20:]:
        second.apply(block)
    same = second.rows() == whole.rows()
    yield Check("E2 snapshot", "load a snapshot, 1,000 segments; the same bits afterwards", "≤ 50 ms, identical",
                (loading * 1e3,), loading <= 0.05 and same, "identical" if same else "differs")  # fmt: skip


def _history() -> Iterator[list[Observation]]:
    rng = np.random.default_rng(2)
    for second in range(40):
        yield [
            Observation(second + i / 256, (ALL, Segment(f"customer={rng.integers(SEGMENTS)}")),
                        {"format": float(rng.random() < 0.1), "script": 0.0}, {"format": 0.0} if i % 5 == 0 else {})
            for i in range(256)
        ]  # fmt: skip


def replicas() -> Iterator[Check]:
    """E3: two processes that own half the segments each, against one."""
    rows, times, x, x0 = _log(100_000, 0.2)
    whole = _bank(two_stream=True)
    whole.feed(rows, times, x, x0)
    parts = [_bank(two_stream=True) for _ in range(2)]
    for owner, part in enumerate(parts):
        own = rows % 2 == owner
        part.feed(rows[own], times[own], x[own], x0[own])
    mine = np.arange(SEGMENTS) % 2
    merged = np.where(mine[:, None, None] == 0, parts[0].cells.wealth, parts[1].cells.wealth)
    worst = float(np.max(np.abs(merged - whole.cells.wealth) / whole.cells.wealth))
    yield at_most("E3", "one owner per segment against one process, relative", 1e-12, worst)
