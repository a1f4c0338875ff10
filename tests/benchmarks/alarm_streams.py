"""Traffic for the alarm benchmark: disagreement scores in [0, 1] and latencies, seeded.

Arrays are (streams, exchanges). A healthy stream has mean 0.10 under four laws: `mix` (an agreeing
and a disagreeing beta), `bern` (0 or 1), `bursts` (every score repeated in runs of mean length 8:
retries, near-duplicates) and `wander` (the request mix drifts, so the conditional mean wanders).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Rng = np.random.Generator
Law = Literal["mix", "bern", "bursts", "wander"]
Tail = Literal["lognormal", "pareto"]
LAWS: tuple[Law, ...] = ("mix", "bern", "bursts", "wander")

HEALTHY = 0.10
SEGMENTS = 300
PER_WEEK = 4_032
"""Exchanges per segment and week: 1.21 million a week over 300 segments."""

_AGREE, _DISAGREE = 1 - 30 / 31.5, 0.75


def scores(rng: Rng, mean: float | Floats, shape: tuple[int, int], law: Law = "mix") -> Floats:
    """Independent scores with that mean (scalar or broadcastable)."""
    if law == "bern":
        return (rng.random(shape) < mean).astype(np.float64)
    share = (np.broadcast_to(np.asarray(mean, float), shape) - _AGREE) / (_DISAGREE - _AGREE)
    return np.where(rng.random(shape) < share, rng.beta(6, 2, shape), rng.beta(1.5, 30, shape))


def burst_starts(rng: Rng, shape: tuple[int, int], length: float = 8.0) -> Bools:
    """Where a new request begins; runs between are repeats of it, geometric with that mean length."""
    starts = rng.random(shape) < 1.0 / length
    starts[:, 0] = True
    return starts


def repeated(values: Floats, starts: Bools) -> Floats:
    """Every run shows the score of its first exchange."""
    first = np.maximum.accumulate(np.where(starts, np.arange(values.shape[1]), 0), axis=1)
    return np.take_along_axis(values, first, axis=1)


def wandering(rng: Rng, shape: tuple[int, int], memory: float = 200.0) -> Floats:
    """Standard normal, autocorrelated over `memory` exchanges."""
    keep = np.exp(-1 / memory)
    shocks = rng.standard_normal(shape) * np.sqrt(1 - keep**2)
    path = np.empty(shape)
    path[:, 0] = rng.standard_normal(shape[0])
    for t in range(1, shape[1]):
        path[:, t] = keep * path[:, t - 1] + shocks[:, t]
    return path


def healthy(rng: Rng, law: Law, shape: tuple[int, int]) -> Floats:
    """A/A scores under one of the four laws."""
    if law == "bursts":
        return repeated(scores(rng, HEALTHY, shape), burst_starts(rng, shape))
    if law == "wander":
        return scores(rng, np.clip(HEALTHY + 0.03 * wandering(rng, shape), 0.05, 0.7), shape)
    return scores(rng, HEALTHY, shape, law)


def dropped(seed: int, law: Law, drop: float, streams: int, *, before: int, after: int = PER_WEEK) -> Floats:
    """Healthy for `before` exchanges, then worse by `drop`."""
    rng = np.random.default_rng(seed)
    parts = [scores(rng, HEALTHY, (streams, before), law), scores(rng, HEALTHY + drop, (streams, after), law)]
    return np.concatenate(parts, axis=1)


class Paired(NamedTuple):
    """Replay's and candidate's disagreement with the same baseline answer."""

    replay: Floats
    candidate: Floats

    def with_share(self, rng: Rng, share: float) -> Paired:
        """Replays on a random share of the exchanges, nan elsewhere."""
        kept = rng.random(self.replay.shape) < share
        return Paired(np.where(kept, self.replay, np.nan), self.candidate)


def paired(rng: Rng, shape: tuple[int, int], drop: float = 0.0, onset: int = 0) -> Paired:
    """A wandering share of open-ended requests, on which both arms differ from the baseline more often.

    Healthy candidates already differ two points more than replays do; an odd baseline answer makes
    both differ (correlation about 0.36).
    """
    open_ended = rng.random(shape) < 1 / (1 + np.exp(1.73 - 0.6 * wandering(rng, shape)))
    odd = rng.random(shape) < np.where(open_ended, 0.15, 0.005)
    differs = np.where(odd, 0.9, np.where(open_ended, 0.15, 0.005))
    candidate = np.where(odd, 0.9, differs + 0.03)
    candidate[:, onset:] += drop / 0.70
    return Paired(_graded(rng, differs), _graded(rng, np.clip(candidate, 0, 1)))


def _graded(rng: Rng, differs: Floats) -> Floats:
    shape = (differs.shape[0], differs.shape[1])
    return np.where(rng.random(shape) < differs, rng.beta(6, 2, shape), rng.beta(1.5, 30, shape))


def seconds(rng: Rng, law: Tail, shape: tuple[int, ...]) -> Floats:
    """Latencies: lognormal (p99 = 4 x p50) or Pareto with infinite third moment."""
    if law == "lognormal":
        return 0.8 * np.exp(0.6 * rng.standard_normal(shape))
    return 0.5 * rng.random(shape) ** (-1 / 2.5)


def p99(law: Tail) -> float:
    return 0.8 * float(np.exp(0.6 * 2.3263479)) if law == "lognormal" else 0.5 * 0.01 ** (-1 / 2.5)


def slowed(rng: Rng, law: Tail, shape: tuple[int, ...], mode: str, factor: float) -> Floats:
    """`scale`: every call `factor` times as slow; `tail`: 5 % of calls slowed until p99 is."""
    base = seconds(rng, law, shape)
    if mode == "scale":
        return base * factor
    return np.where(rng.random(shape) < 0.05, base * tail_factor(law, factor), base)


def tail_factor(law: Tail, factor: float) -> float:
    """How much slower 5 % of the calls must be for the p99 to be `factor` times as large."""
    rng = np.random.default_rng(0)
    base = seconds(rng, law, (400_000,))
    hit = rng.random(base.size) < 0.05
    low, high = 1.0, 200.0
    for _ in range(30):
        middle = (low + high) / 2
        reached = np.quantile(np.where(hit, base * middle, base), 0.99) >= factor * p99(law)
        low, high = (low, middle) if reached else (middle, high)
    return high


def resampled(rng: Rng, pools: Sequence[Floats], shape: tuple[int, int], share: float) -> Paired:
    """Streams drawn with replacement from measured scores of one model against itself, one pool each.

    Pools are used in turn. Candidate and replay are separate draws of the same pool: an A/A test with
    the laws that real answers have.
    """
    chosen = [pools[i % len(pools)] for i in range(shape[0])]
    candidate = np.stack([rng.choice(pool, shape[1]) for pool in chosen])
    replay = np.stack([rng.choice(pool, shape[1]) for pool in chosen])
    return Paired(replay, candidate).with_share(rng, share)
