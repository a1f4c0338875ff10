"""Bets on the mean of scores in [0, 1]: e-values for a fixed sample, intervals that may be watched.

Sources: Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting"
(JRSS-B 2024, arXiv:2010.09686): betting martingales, and Theorem 2 for the empirical-Bernstein
confidence sequence; Vovk and Wang, "E-values" (Annals of Statistics 2021): 1/e is a p-value.

Any law on [0, 1], no variance to know. What must hold: given the past, the mean of the next score
is at most the null's. Pure; arrays in, arrays out.
"""

from __future__ import annotations

from math import ceil, log

import numpy as np
from numpy.typing import ArrayLike, NDArray

from monitor.binomial import tail
from monitor.intervals import Interval

Floats = NDArray[np.float64]

BETS = np.array([1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 7 / 8])
"""Stakes as shares of the largest that cannot lose everything, 1/m; equal capital on each."""
_REFERENCE_BETS = np.array([0.05, 0.1, 0.2, 0.4, 0.7, 0.95])
_REFERENCE_CELLS = np.concatenate([np.linspace(0, 0.2, 41), np.linspace(0.21, 0.95, 75)])


def _mixture(log_wealths: Floats) -> Floats:
    """log of the mean over the last axis of exp, without overflow."""
    top = np.max(log_wealths, axis=-1, keepdims=True)
    spread = np.mean(np.exp(log_wealths - top), axis=-1)
    total: Floats = np.log(spread) + top[..., 0]
    return total


def log_wealths(x: ArrayLike, null_mean: float) -> Floats:
    """Per bet, sum of log(1 + c/m (x - m)): shape (6,), zero for an empty sample.

    Sums over disjoint samples add up, in SQL too: `sum(ln(1 + c/m*(x - m)))`.
    """
    values, counts = np.unique(np.asarray(x, dtype=float), return_counts=True)
    gains = np.log1p(BETS[:, None] / null_mean * (values - null_mean))
    total: Floats = gains @ counts
    return total


def log_e_value(x: ArrayLike, null_mean: float) -> float:
    """log e-value against "the mean is at most `null_mean`" (> 0) from scores in [0, 1]."""
    return float(_mixture(log_wealths(x, null_mean)))


def e_values(logs: Floats) -> Floats:
    """Fixed-start e-values from `log_wealths` stacked to (..., 6): what the weekly e-BH list takes."""
    return np.exp(np.minimum(_mixture(logs), 700.0))


def betting_p_value(x: ArrayLike, null_mean: float) -> float:
    """p-value of "the mean is at most `null_mean`" from a fixed sample of scores in [0, 1].

    The reciprocal of the e-value (Markov); does not depend on the order of the scores.
    """
    return float(np.exp(min(0.0, -log_e_value(x, null_mean))))


def log_excess_e_value(x: ArrayLike, x0: ArrayLike, allowed: float) -> float:
    """log e-value against "the mean of x is at most the mean of x0 plus `allowed`".

    For every cell [g, g'] that the reference mean may lie in, a bet that x exceeds g' + allowed times
    a bet that x0 lies below g; the smallest product is an e-value whichever cell is true. Needs
    Cov(x, x0) >= 0 within a pair; independent samples have it.
    """
    seen, times = np.unique(np.asarray(x, dtype=float), return_counts=True)
    seen0, times0 = np.unique(np.asarray(x0, dtype=float), return_counts=True)
    return log_excess_of_counts((seen, times), (seen0, times0), allowed)


def log_excess_of_counts(
    x: tuple[ArrayLike, ArrayLike], x0: tuple[ArrayLike, ArrayLike], allowed: float
) -> float:
    """The same from (values, how often each) per arm: what SQL aggregates give."""
    low, high = _REFERENCE_CELLS[:-1], np.append(_REFERENCE_CELLS[1:-1], 1.0)
    seen, times, seen0, times0 = (np.asarray(part, dtype=float) for part in (*x, *x0))
    nulls = np.minimum(high + allowed, 1.0)[:, None, None]
    up = np.log1p(BETS[:, None] / nulls * (seen - nulls)) @ times
    floor = low[:, None, None]
    down = np.log1p(_REFERENCE_BETS[:, None] / (1 - floor) * (floor - seen0)) @ times0
    return float(np.min(_mixture(up) + _mixture(down)))


def excess_betting_p_value(x: ArrayLike, x0: ArrayLike, allowed: float) -> float:
    """p-value of "the mean of x is at most the mean of x0 plus `allowed`", graded scores."""
    return float(np.exp(min(0.0, -log_excess_e_value(x, x0, allowed))))


def betting_pairs_needed(
    null_mean: float, mean: float, capital: float, power: float = 0.9, largest: int = 10_000_000
) -> int | None:
    """Smallest n found after which wealth that starts at `capital` reaches 1 with `power`.

    Computed exactly for 0/1 scores, which of all laws with that mean vary most. None where `mean`
    does not exceed `null_mean` or more than `largest` pairs would be needed.
    """
    if mean <= null_mean:
        return None
    low, high = 1, 1
    while _chance(high, null_mean, mean, capital) < power:
        if high >= largest:
            return None
        low, high = high + 1, min(2 * high, largest)
    while low < high:
        middle = (low + high) // 2
        enough = _chance(middle, null_mean, mean, capital) >= power
        low, high = (low, middle) if enough else (middle + 1, high)
    return low


def _chance(n: int, null_mean: float, mean: float, capital: float) -> float:
    """P(the wealth after n 0/1 scores is at least 1): the wealth grows with the number of ones."""
    stakes = BETS / null_mean
    lost, won = np.log1p(-stakes * null_mean), np.log1p(stakes * (1 - null_mean))
    target, low, high = -log(capital), 0, n + 1
    while low < high:
        ones = (low + high) // 2
        reached = _mixture(ones * won + (n - ones) * lost) >= target
        low, high = (low, ones) if reached else (ones + 1, high)
    return tail(low, n, mean)


def smallest_visible_rise(null_mean: float, pairs: float, capital: float, power: float = 0.9) -> float | None:
    """The smallest rise above `null_mean` that `pairs` exchanges reveal with `power`, to 0.001.

    So that "no alarm" in a quiet segment is never read as "healthy". None where not even a mean of 1
    would be seen.
    """
    n = int(pairs)
    low, high = 0, ceil((1 - null_mean) * 1000)
    if n < 1 or _chance(n, null_mean, 1.0, capital) < power:
        return None
    while low < high:
        middle = (low + high) // 2
        seen = _chance(n, null_mean, min(null_mean + middle / 1000, 1.0), capital) >= power
        low, high = (low, middle) if seen else (middle + 1, high)
    return low / 1000


FRESH = np.zeros(6)
"""State of one confidence sequence before its first score: count, sum, sum of squared deviations
from the running mean, sum of weights, weighted sum, penalty."""


def observe(states: Floats, group: NDArray[np.int64], x: Floats, alpha: float = 0.05) -> Floats:
    """States (G, 6) after scores `x` in [0, 1] of the sequences `group` (indices), in their order.

    Predictable plug-in weights of Waudby-Smith and Ramdas, equation 14, at most 1/2. Splitting a
    batch changes the result by rounding only; `alpha` must stay the same for a state's life.
    """
    order = np.argsort(group, kind="stable")
    g, values = group[order], x[order]
    starts = np.flatnonzero(np.diff(g, prepend=-1))
    sizes = np.diff(starts, append=g.size)
    past = states[g]
    count = past[:, 0] + np.arange(g.size) - np.repeat(starts, sizes) + 1
    mean = (0.5 + past[:, 1] + _running(values, starts, sizes)) / (count + 1)
    spread = past[:, 2] + _running((values - mean) ** 2, starts, sizes)
    before = _shifted(mean, (0.5 + past[:, 1]) / (past[:, 0] + 1), starts)
    variance = _shifted((0.25 + spread) / (count + 1), (0.25 + past[:, 2]) / (past[:, 0] + 1), starts)
    weight = np.minimum(np.sqrt(2 * np.log(2 / alpha) / (variance * count * np.log1p(count))), 0.5)
    penalty = (values - before) ** 2 * (-np.log1p(-weight) - weight)
    steps = [np.ones_like(values), values, (values - mean) ** 2, weight, weight * values, penalty]
    after = states.copy()
    after[g[starts]] += np.add.reduceat(np.stack(steps, axis=1), starts, axis=0) if g.size else 0.0
    return after


def _running(values: Floats, starts: NDArray[np.int64], sizes: NDArray[np.int64]) -> Floats:
    """Cumulative sum that begins anew at every start."""
    sums = np.cumsum(values)
    total: Floats = sums - np.repeat(sums[starts] - values[starts], sizes)
    return total


def _shifted(now: Floats, first: Floats, starts: NDArray[np.int64]) -> Floats:
    """The value before each score: the one after its predecessor, or the state's own."""
    before = np.roll(now, 1)
    before[starts] = first[starts]
    return before


def mean_bounds(states: Floats, alpha: float = 0.05) -> tuple[Floats, Floats]:
    """Lower and upper bounds (G,) that hold at every look at once with probability 1 - alpha.

    Empirical-Bernstein confidence sequence; (0, 1) before the first score.
    """
    weight = np.where(states[:, 3] > 0, states[:, 3], 1.0)
    centre = np.where(states[:, 3] > 0, states[:, 4] / weight, 0.5)
    radius = (np.log(2 / alpha) + states[:, 5]) / weight
    return np.clip(centre - radius, 0.0, 1.0), np.clip(centre + radius, 0.0, 1.0)


def mean_interval(x: ArrayLike, alpha: float = 0.05) -> Interval:
    """The confidence sequence's interval after the scores `x` in [0, 1]."""
    values = np.asarray(x, dtype=float)
    states = observe(FRESH[None, :], np.zeros(values.size, dtype=np.int64), values, alpha)
    lower, upper = mean_bounds(states, alpha)
    return Interval(float(lower[0]), float(upper[0]))
