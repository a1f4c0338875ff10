"""Latency against offered load: percentiles, tail ratio, and where they bend. Pure.

Open loop: requests are sent when they are due, whether or not earlier ones are back; a closed loop waits with
a slow server and hides its tail (coordinated omission). Levels are mean numbers of requests at once by
Little's law, so that a level means the same on a fast server and a slow one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from monitor.intervals import fisher_p_value, holm
from monitor.probes.draws import Draws

LEVEL = 0.05
KNEE = 2.0
"""The knee is the first level whose p99 is so many times the lightest level's."""
LATE = 2.0
"""A candidate's request is late beyond so many times the baseline's p95 at the same load."""
Verdict = Literal["ok", "worse"]


@dataclass(frozen=True, slots=True)
class Shot:
    """One request: seconds to first token, between tokens, in all; None where it failed."""

    duration: float | None
    first: float | None = None
    between: float | None = None


@dataclass(frozen=True, slots=True)
class Spread:
    """p50 and p99, seconds."""

    p50: float
    p99: float

    @property
    def ratio(self) -> float:
        return self.p99 / self.p50 if self.p50 else 0.0


@dataclass(frozen=True, slots=True)
class LoadRow:
    """One arm at one level. `rate` is what was offered, requests per second."""

    arm: str
    concurrency: float
    rate: float
    sent: int
    failed: int
    duration: Spread | None
    first_token: Spread | None
    between_tokens: Spread | None
    tail_ratio: float
    knee: bool = False
    late: int = 0
    baseline_late: int = 0
    p_value: float | None = None
    adjusted: float | None = None
    verdict: Verdict = "ok"


def arrivals(count: int, rate: float, draws: Draws, trace: Sequence[float] = ()) -> list[float]:
    """Seconds at which requests are due: the trace's gaps scaled to `rate`, else Poisson."""
    gaps = np.diff(np.asarray(trace[: count + 1], dtype=float)) if len(trace) > 1 else np.array([])
    if gaps.size and gaps.sum() > 0:
        shape = np.resize(gaps / gaps.mean(), count)
    else:
        shape = np.array([-math.log(1.0 - draws.unit()) for _ in range(count)])
    return [float(at) for at in np.cumsum(shape) / rate]


def load_row(arm: str, concurrency: float, rate: float, shots: Sequence[Shot]) -> LoadRow:
    """Percentiles of one level; failures count, they have no latency."""
    spread = _spread([shot.duration for shot in shots])
    return LoadRow(
        arm, concurrency, rate, len(shots), sum(shot.duration is None for shot in shots), spread,
        _spread([shot.first for shot in shots]), _spread([shot.between for shot in shots]),
        spread.ratio if spread else 0.0,
    )  # fmt: skip


def _spread(values: Sequence[float | None]) -> Spread | None:
    known = [value for value in values if value is not None]
    return Spread(*(float(q) for q in np.quantile(known, [0.5, 0.99]))) if known else None


def with_knee(rows: Sequence[LoadRow]) -> tuple[LoadRow, ...]:
    """The same rows of one arm, lightest first, with the knee marked."""
    lightest = rows[0].duration if rows else None
    if lightest is None:
        return tuple(rows)
    bent = (i for i, row in enumerate(rows) if row.duration and row.duration.p99 > KNEE * lightest.p99)
    at = next(bent, None)
    return tuple(replace(row, knee=i == at) for i, row in enumerate(rows))


def compared(
    rows: Sequence[LoadRow], own: Sequence[Sequence[Shot]], before: Sequence[Sequence[Shot]]
) -> tuple[LoadRow, ...]:
    """The candidate's rows against the baseline at the same load: late or failed requests, Fisher, Holm at 5 %."""
    tested = [_late(row, mine, theirs) for row, mine, theirs in zip(rows, own, before, strict=True)]
    adjusted = holm([1.0 if row.p_value is None else row.p_value for row in tested]).tolist()
    return tuple(
        replace(row, adjusted=p, verdict="worse" if p <= LEVEL else "ok")
        for row, p in zip(tested, adjusted, strict=True)
    )


def _late(row: LoadRow, own: Sequence[Shot], before: Sequence[Shot]) -> LoadRow:
    durations = [shot.duration for shot in before if shot.duration is not None]
    if not durations or not own:
        return row
    limit = LATE * float(np.quantile(durations, 0.95))
    late, reference = (
        sum(shot.duration is None or shot.duration > limit for shot in shots) for shots in (own, before)
    )
    p = fisher_p_value(late, len(own), reference, len(before)) if late else 1.0
    return replace(row, late=late, baseline_late=reference, p_value=p)
