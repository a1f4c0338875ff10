"""Latency of recorded pairs, against the baseline asked twice."""

from __future__ import annotations

import random

import pytest

from monitor.offline import Recorded, Rule, judge
from monitor.offline_latency import Rung, rungs
from monitor.records import ALL, Segment, SegmentVerdict
from monitor.scoring import Scored
from monitor.signals import SIGNALS

RULE = Rule(lambda signal: SIGNALS[signal].level, {"page": 0.05, "ticket": 0.02})
TAIL = Segment("context=32k-128k")


def _recorded(
    n: int, factor: float, *segments: Segment, replayed: bool = True, seed: int = 1
) -> list[Recorded]:
    """Lognormal seconds; the candidate takes `factor` times as long."""
    draw = random.Random(seed)
    rows = []
    for _ in range(n):
        candidate, replay = factor * draw.lognormvariate(0, 0.6), draw.lognormvariate(0, 0.6)
        legs = {"latency": (candidate, replay if replayed else None), "ttft": (None, None)}
        rows.append(Recorded(Scored("p", {}, {}), segments or (ALL,), legs=legs))
    return rows


def _row(rows: list[Recorded], signal: str, segment: Segment = ALL) -> SegmentVerdict:
    (found,) = (r for r in judge(rows, [], RULE).rows if (r.segment, r.signal) == (segment, signal))
    return found


def test_twice_as_slow_diverges() -> None:
    row = _row(_recorded(600, 2.0), "latency_p95")
    assert (row.verdict, row.kind) == ("diverged", "latency")
    assert row.effect is not None
    assert row.effect > 0.1


def test_as_fast_as_before_does_not() -> None:
    rows = _recorded(2_000, 1.0)
    assert {_row(rows, f"latency_{rung}").verdict for rung in ("p50", "p90", "p95", "p99")} <= {
        "ok",
        "inconclusive",
    }


def test_a_slow_tail_segment_borrows_the_quantile_not_the_floor() -> None:
    rows = _recorded(400, 1.0) + _recorded(60, 4.0, ALL, TAIL, seed=2)
    assert _row(rows, "latency_p95", TAIL).verdict == "diverged"


def test_too_few_replays_have_no_row() -> None:
    assert judge(_recorded(100, 3.0), [], RULE).rows == ()


def test_without_replays_there_is_no_latency_row() -> None:
    assert judge(_recorded(500, 3.0, replayed=False), [], RULE).rows == ()


def test_the_control_files_candidate_is_the_replay() -> None:
    rows, control = _recorded(400, 2.0, replayed=False), _recorded(400, 1.0, replayed=False, seed=3)
    states = {row.signal: row.verdict for row in judge(rows, control, RULE).rows}
    assert states["latency_p95"] == "diverged"


@pytest.mark.parametrize("seed", range(5))
def test_healthy_latency_rarely_alarms(seed: int) -> None:
    rows = judge(_recorded(800, 1.0, seed=seed), [], RULE).rows
    assert not [row for row in rows if row.verdict == "diverged"]


def test_a_stalled_candidate_counts_as_slower_than_anything() -> None:
    stalled = [
        ((ALL,), {"latency": (float("inf"), 1.0 + i / 1000), "ttft": (None, None)}) for i in range(300)
    ]
    found: list[Rung] = list(rungs(stalled, []))
    assert {rung.x for rung in found} == {(1.0,) * 300}
