"""Latency of a fixed sample: how often is the candidate slower than the replays' quantile allows? Pure.

The rule of `latency.py` without its looks: q from the first half of the replays, m, an upper bound on
the share of replays beyond q, from the second; x = 1 where the candidate exceeds max(1.2 q, q + 50 ms).
A segment with fewer replays borrows q from the whole route, never m.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from monitor.intervals import rate_at_most
from monitor.latency import BORROWED_FROM, ERROR_RATE, FIRST_FIT, QUANTILES, Legs, limit
from monitor.records import ALL, Segment
from monitor.signals import RUNGS

Timed = tuple[Sequence[Segment], Mapping[str, Legs]]
"""Segments of one pair and its comparable seconds per measurement, (candidate, replay)."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One (segment, signal): indices of the pairs, x per pair, m, and the replays' own share."""

    segment: Segment
    signal: str
    members: tuple[int, ...]
    x: tuple[float, ...]
    null: float
    floor: float


def rungs(rows: Sequence[Timed], control: Sequence[Timed]) -> Iterator[Rung]:
    """Every rung that has enough replays; `control` pairs' candidate is the baseline again."""
    for measurement in ("latency", "ttft"):
        replays = _replays(rows, control, measurement)
        whole = _quantiles(replays.get(ALL, []))
        for segment, seconds in replays.items():
            yield from _of_segment(segment, measurement, rows, seconds, whole)


def _replays(
    rows: Sequence[Timed], control: Sequence[Timed], measurement: str
) -> Mapping[Segment, list[float]]:
    found: defaultdict[Segment, list[float]] = defaultdict(list)
    for at, pairs in ((1, rows), (0, control)):
        for segments, legs in pairs:
            seconds = legs.get(measurement, (None, None))[at]
            if seconds is not None:
                for segment in segments:
                    found[segment].append(seconds)
    return found


def _quantiles(replays: Sequence[float]) -> tuple[float, ...] | None:
    if len(replays) < FIRST_FIT:
        return None
    half = replays[: len(replays) // 2]
    return tuple(float(q) for q in np.quantile(half, QUANTILES, method="inverted_cdf"))


def _of_segment(
    segment: Segment,
    measurement: str,
    rows: Sequence[Timed],
    replays: Sequence[float],
    whole: tuple[float, ...] | None,
) -> Iterator[Rung]:
    own = _quantiles(replays)
    quantiles = own or whole
    beyond = replays[len(replays) // 2 :] if own else replays
    if quantiles is None or len(beyond) < BORROWED_FROM:
        return
    timed = [(i, legs[measurement][0]) for i, (names, legs) in enumerate(rows) if segment in names and legs]
    known = [(i, seconds) for i, seconds in timed if seconds is not None]
    for rung, quantile in zip(RUNGS, quantiles, strict=True):
        slow = sum(seconds > quantile for seconds in beyond)
        yield Rung(
            segment,
            f"{measurement}_{rung}",
            tuple(i for i, _ in known),
            tuple(float(seconds > limit(quantile)) for _, seconds in known),
            rate_at_most(slow, len(beyond), ERROR_RATE),
            slow / len(beyond),
        )
