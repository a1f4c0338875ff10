"""Exact tests and intervals for a fixed sample of 0/1 outcomes, and corrections for many of them.

Valid for one look at a sample whose size was not chosen by looking at it: recorded pairs, a closed
week. Continuous looking is `evidence.py`; graded scores are `betting.py`. Nothing here is
asymptotic except Wilson's and Newcombe's intervals, which are displayed and never decide.

Pure and free of scipy (1.2 s to import); every function is compared with scipy in the tests.
"""

from __future__ import annotations

from math import exp, lgamma, sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from monitor.binomial import log_pmf, rate_with_tail, tail

Floats = NDArray[np.float64]

_NUISANCE_LEVEL = 1e-7
"""Given away once to leave out absurd reference rates (Berger and Boos 1994); far below any level
that Holm asks for over a thousand hypotheses."""
_CELLS = 256
_OUTSIDE = 1e-12
"""Probability that the enumeration of outcomes leaves out, added back to the p-value."""


class Interval(NamedTuple):
    """Closed interval with `lower <= upper`."""

    lower: float
    upper: float


def binomial_p_value(k: int, n: int, rate: float) -> float:
    """Exact one-sided p-value of "the true rate is at most `rate`" after `k` of `n`."""
    return tail(k, n, rate)


def mcnemar_p_value(worse: int, better: int) -> float:
    """Exact one-sided p-value of "the candidate does not lose more often than it wins".

    `worse`, `better`: discordant pairs by direction. McNemar's test conditional on their number.
    """
    return tail(worse, worse + better, 0.5)


def mcnemar_two_sided(worse: int, better: int) -> float:
    """Exact two-sided p-value of "either arm wins a discordant pair equally often"."""
    return min(1.0, 2 * tail(max(worse, better), worse + better, 0.5))


def clopper_pearson(k: int, n: int, alpha: float = 0.05) -> Interval:
    """Exact two-sided interval for a rate after `k` of `n` (Clopper and Pearson 1934)."""
    return Interval(rate_at_least(k, n, alpha / 2), rate_at_most(k, n, alpha / 2))


def rate_at_least(k: int, n: int, alpha: float = 0.05) -> float:
    """Exact one-sided lower confidence bound on a rate after `k` of `n`."""
    return rate_with_tail(k, n, alpha) if k > 0 else 0.0


def rate_at_most(k: int, n: int, alpha: float = 0.05) -> float:
    """Exact one-sided upper confidence bound on a rate after `k` of `n`."""
    return 1.0 - rate_with_tail(n - k, n, alpha) if k < n else 1.0


def wilson(k: int, n: int, alpha: float = 0.05) -> Interval:
    """Score interval for a rate (Wilson 1927), approximate; (0, 1) for an empty sample."""
    if n == 0:
        return Interval(0.0, 1.0)
    z = NormalDist().inv_cdf(1 - alpha / 2)
    centre = (k + z * z / 2) / (n + z * z)
    spread = z / (n + z * z) * sqrt(k * (n - k) / n + z * z / 4)
    return Interval(max(0.0, centre - spread), min(1.0, centre + spread))


def newcombe(k: int, n: int, k0: int, n0: int, alpha: float = 0.05) -> Interval:
    """Interval for rate minus reference rate, independent samples (Newcombe 1998a, method 10)."""
    if n == 0 or n0 == 0:
        return Interval(-1.0, 1.0)
    return _hybrid(k / n, wilson(k, n, alpha), k0 / n0, wilson(k0, n0, alpha), 0.0)


def newcombe_paired(both: int, only: int, only0: int, neither: int, alpha: float = 0.05) -> Interval:
    """Interval for rate minus reference rate on the same pairs (Newcombe 1998b, method 10).

    `only`: bad in this arm alone, `only0`: bad in the reference arm alone.
    """
    n = both + only + only0 + neither
    if n == 0:
        return Interval(-1.0, 1.0)
    k, k0 = both + only, both + only0
    correlation = _phi(both, only, only0, neither)
    return _hybrid(k / n, wilson(k, n, alpha), k0 / n, wilson(k0, n, alpha), correlation)


def _phi(a: int, b: int, c: int, d: int) -> float:
    """Newcombe's phi, corrected for continuity where it is positive."""
    margins = (a + b) * (c + d) * (a + c) * (b + d)
    excess = float(a * d - b * c)
    if excess > 0:
        excess = max(excess - (a + b + c + d) / 2, 0.0)
    return excess / sqrt(margins) if margins else 0.0


def _hybrid(p: float, own: Interval, p0: float, other: Interval, phi: float) -> Interval:
    down, up = p - own.lower, own.upper - p
    down0, up0 = p0 - other.lower, other.upper - p0
    lower = p - p0 - sqrt(max(down * down - 2 * phi * down * up0 + up0 * up0, 0.0))
    upper = p - p0 + sqrt(max(up * up - 2 * phi * up * down0 + down0 * down0, 0.0))
    return Interval(max(lower, -1.0), min(upper, 1.0))


def fisher_p_value(k: int, n: int, k0: int, n0: int) -> float:
    """Exact one-sided p-value of "the rate is at most the reference rate", independent samples.

    Conditional on the sum k + k0 (Fisher): no unknown rate remains, any rates, any sizes.
    """
    total = k + k0
    if k * (n + n0) > n * total:
        return _drawn_at_least(k, n, total, n0)
    return 1.0 - _drawn_at_least(n - k + 1, n, n + n0 - total, n0)


def _drawn_at_least(k: int, n: int, total: int, n0: int) -> float:
    """P(at least k of n draws are marked), `total` of n + n0 being marked, for k above the mean."""
    if k > min(n, total):
        return 0.0
    rate = total / (n + n0)
    term = exp(log_pmf(k, n, rate) + log_pmf(total - k, n0, rate) - log_pmf(total, n + n0, rate))
    p = term
    while term > p * 1e-17 and k < min(n, total):
        term *= (n - k) * (total - k) / ((k + 1) * (n0 - total + k + 1))
        p, k = p + term, k + 1
    return min(p, 1.0)


def excess_p_value(k: int, n: int, k0: int, n0: int, allowed: float = 0.0) -> float:
    """Exact p-value of "the rate is at most the reference rate plus `allowed`".

    `k` of `n` against `k0` of `n0`, independent samples; `allowed` in [0, 1). Unconditional test
    (Barnard 1947; with a margin: Chan 1998): the probability of every outcome at least as extreme,
    maximised over the unknown reference rate within its 1 - 1e-7 interval (Berger and Boos 1994).
    The maximum is bounded cell by cell from above, so the p-value is never too small. 1.0 where an
    arm is empty or the observed excess is within the allowance.
    """
    if n == 0 or n0 == 0 or k / n - k0 / n0 <= allowed:
        return 1.0
    edges = _reference_edges(k0, n0)
    outcomes0 = _window(n0, float(edges[0]), float(edges[-1]))
    lows, highs = edges[:-1], np.minimum(edges[1:] + allowed, 1.0)
    outcomes = _window(n, float(highs[0]), float(highs[-1]))
    critical = _critical_counts((k, n, k0, n0), allowed, outcomes0)
    tails = _tails(_pmf(outcomes, n, highs))
    at = np.clip(critical - outcomes[0], 0, outcomes.size)
    worst = float(np.max(np.sum(_pmf(outcomes0, n0, lows) * tails[:, at], axis=1)))
    return min(1.0, worst + _NUISANCE_LEVEL + 2 * _OUTSIDE)


def _reference_edges(k0: int, n0: int) -> Floats:
    """Cells of the reference rate, even in the angle so that each is the same share of its noise."""
    lower, upper = clopper_pearson(k0, n0, _NUISANCE_LEVEL)
    angles = np.linspace(np.arcsin(sqrt(lower)), np.arcsin(sqrt(upper)), _CELLS + 1)
    edges: Floats = np.sin(angles) ** 2
    edges[0], edges[-1] = lower, upper
    return edges


def _window(n: int, lowest: float, highest: float) -> NDArray[np.int64]:
    """Counts that carry all but `_OUTSIDE` of the mass of every rate in [lowest, highest].

    Bernstein's inequality: P(|X - np| >= t) <= 2 exp(-t^2 / (2 (np(1-p) + t/3))).
    """
    needed = np.log(2 / _OUTSIDE)

    def reach(p: float) -> float:
        return float(needed / 3 + sqrt(needed * needed / 9 + 2 * needed * n * p * (1 - p)))

    low = max(0, int(n * lowest - reach(lowest)))
    high = min(n, int(n * highest + reach(highest)) + 1)
    return np.arange(low, high + 1)


def _pmf(counts: NDArray[np.int64], n: int, rates: Floats) -> Floats:
    """Binomial probabilities, one row per rate, one column per count."""
    ways = np.array([lgamma(n + 1) - lgamma(i + 1) - lgamma(n - i + 1) for i in counts.tolist()])
    p = np.clip(rates, 1e-300, 1 - 1e-16)[:, None]
    mass: Floats = np.exp(ways + counts * np.log(p) + (n - counts) * np.log1p(-p))
    return mass


def _tails(mass: Floats) -> Floats:
    """P(X >= each count of the window), with a last column of 0 for "beyond"."""
    sums = np.cumsum(mass[:, ::-1], axis=1)[:, ::-1]
    sums[:, 0] = 1.0
    return np.minimum(np.pad(sums, ((0, 0), (0, 1))), 1.0)


def _critical_counts(
    seen: tuple[int, int, int, int], allowed: float, outcomes0: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Per reference count, the smallest count that is as extreme as what was seen.

    Found by bisection: where the excess is positive the distance grows with the count. Made monotone
    in the reference count by enlarging the region, which can only enlarge the p-value; then it is
    likeliest where the rate is highest and the reference rate lowest (Barnard's convexity).
    """
    k, n, k0, n0 = seen
    target = _distance(np.array([k]), n, np.array([k0]), n0, allowed)[0] - 1e-12
    low, high = np.zeros_like(outcomes0), np.full_like(outcomes0, n + 1)
    while np.any(low < high):
        middle = (low + high) // 2
        extreme = _distance(middle, n, outcomes0, n0, allowed) >= target
        high = np.where((low < high) & extreme, middle, high)
        low = np.where((low < high) & ~extreme, middle + 1, low)
    return np.minimum.accumulate(high[::-1])[::-1]


def _distance(
    k: NDArray[np.int64], n: int, k0: NDArray[np.int64], n0: int, allowed: float
) -> NDArray[np.float64]:
    """Excess over the margin in standard errors; variances from rates shrunk by Agresti and Caffo."""
    p, p0 = (k + 1) / (n + 2), (k0 + 1) / (n0 + 2)
    gap: Floats = k / n - k0 / n0 - allowed
    return gap / np.sqrt(p * (1 - p) / n + p0 * (1 - p0) / n0)


def holm(p_values: ArrayLike) -> Floats:
    """Adjusted p-values: those at most alpha are wrong about any one with probability <= alpha.

    Any dependence (Holm 1979). Same order as given.
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def e_bh(e_values: ArrayLike, level: float = 0.05) -> NDArray[np.bool_]:
    """Which hypotheses to list so that the expected share of wrong ones is at most `level`.

    Valid for e-values under any dependence at a time fixed beforehand (Wang and Ramdas 2022, e-BH);
    not for running maxima, hence for weekly lists and never for alarms (arXiv:2501.19360).
    """
    e = np.asarray(e_values, dtype=float)
    order = np.argsort(-e, kind="stable")
    passed = np.flatnonzero(e[order] * np.arange(1, e.size + 1) * level >= e.size)
    listed = np.zeros(e.size, dtype=bool)
    if passed.size:
        listed[order[: passed[-1] + 1]] = True
    return listed


def binomial_pairs_needed(
    null_rate: float, rate: float, alpha: float = 0.05, power: float = 0.9, largest: int = 1_000_000
) -> int | None:
    """Smallest n whose exact test of `null_rate` at `alpha` detects `rate` with `power`.

    None where `rate` does not exceed `null_rate` or more than `largest` pairs would be needed. The
    power of an exact test is a sawtooth in n: a slightly larger n may fall short by a little.
    """
    if rate <= null_rate:
        return None
    for k in range(1, largest + 1):
        fewest = _first_with_tail(k, rate, power, largest)
        if fewest is None:
            return None
        if tail(k, fewest, null_rate) <= alpha:
            return fewest
    return None


def _first_with_tail(k: int, rate: float, power: float, largest: int) -> int | None:
    """Smallest n with P(X >= k) >= power, X ~ Binomial(n, rate): the tail grows with n."""
    low, high = k, k
    while tail(k, high, rate) < power:
        if high >= largest:
            return None
        low, high = high + 1, min(2 * high, largest)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if tail(k, middle, rate) >= power else (middle + 1, high)
    return low
