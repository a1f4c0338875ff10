"""Tailgate's own detectors on the benchmark's streams: the engine that ships, looked at every exchange.

A stream stands for one (segment, signal) with 4,032 exchanges a week and an equal share, 1/300, of the
week's budget. Delays count exchanges of that stream, from the change to the alarm.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor.dedup import Repeats
from monitor.detector import WEEK, Bank
from monitor.latency import Reference, limit
from monitor.records import ALL
from tests.benchmarks.alarm_streams import PER_WEEK, SEGMENTS, Bools, Floats, Paired

STEP = WEEK / PER_WEEK


class Watched(NamedTuple):
    """Where alarms were raised and cleared (streams, exchanges), and the budget that was paid."""

    alarms: Bools
    clears: Bools
    paid: float


class Delay(NamedTuple):
    """Median and 90th percentile in exchanges (inf where missed), and the share that was found."""

    median: float
    p90: float
    power: float


def watch(
    x: Floats,
    null: float | Floats,
    *,
    x0: Floats | None = None,
    budget: float = 1.0,
    times: Floats | None = None,
) -> Watched:
    """One detector per stream; with `x0` the two-stream form, where `null` is the allowed drop.

    nan in `x` = the stream has no exchange there. `budget`: a week's, for 300 streams.
    """
    streams, length = x.shape
    bank = Bank(two_stream=x0 is not None)
    bank.add(np.broadcast_to(np.asarray(null, float), (streams,)).copy(), 0.0, budget / SEGMENTS / WEEK)
    if times is None:
        times = np.broadcast_to(STEP * np.arange(1, length + 1), x.shape)
    rows, exchanges = np.tile(np.arange(streams), length), np.repeat(np.arange(length), streams)
    reference = None if x0 is None else x0.T.ravel()
    found = np.zeros((2, streams, length), dtype=bool)
    for crossing in bank.feed(rows, times.T.ravel(), x.T.ravel(), reference, exchanges):
        found[int(not crossing.alarm), crossing.row, crossing.index // streams] = True
    return Watched(found[0], found[1], bank.paid)


def watch_paired(streams: Paired, allowed: float) -> Watched:
    return watch(streams.candidate, allowed, x0=streams.replay)


def per_week(onsets: Bools) -> float:
    """Alarms a week over 300 streams."""
    streams, length = onsets.shape
    return float(onsets.sum() * SEGMENTS * PER_WEEK / (streams * length))


def delay(onsets: Bools, change: int) -> Delay:
    """From exchange `change` to the first onset there or later."""
    after = onsets[:, change:]
    waits = np.where(after.any(axis=1), after.argmax(axis=1) + 1.0, np.inf)
    ordered = np.sort(waits)
    middle = ordered[(waits.size - 1) // 2 : waits.size // 2 + 1]
    p90 = float(ordered[int(np.ceil(0.9 * (waits.size - 1)))])
    return Delay(float(middle[0] + middle[-1]) / 2, p90, float(np.isfinite(waits).mean()))


def first_of_each(starts: Bools, times: Floats) -> Bools:
    """Which exchanges count when repeats within the hour are left out (the engine's own rule)."""
    counted = np.zeros(starts.shape, dtype=bool)
    names = np.cumsum(starts, axis=1)
    for stream in range(starts.shape[0]):
        repeats = Repeats()
        for t in range(starts.shape[1]):
            seen = repeats.counted(float(times[stream, t]), str(names[stream, t]), (ALL,), 1)
            counted[stream, t] = not seen.get(ALL)
    return counted


def ladder(replays: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Thresholds and nulls of the four rungs after these replays (n,), as the engine learns them."""
    reference = Reference()
    for seconds in replays.tolist():
        reference.learn(seconds)
    tail = reference.tail
    if tail is None or tail.nulls is None:
        raise ValueError("too few replays for a ladder")
    return np.array([limit(q) for q in tail.quantiles]), np.array(tail.nulls)


def watch_ladder(seconds: Floats, thresholds: Floats, nulls: Floats) -> Bools:
    """Onsets of any of the four rungs, which share the stream's budget. `thresholds`, `nulls`: (n, 4)."""
    onsets = np.zeros(seconds.shape, dtype=bool)
    for rung in range(nulls.shape[1]):
        slow = (seconds > thresholds[:, rung, None]).astype(float)
        onsets |= watch(slow, nulls[:, rung], budget=1 / nulls.shape[1]).alarms
    return onsets
