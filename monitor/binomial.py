"""Binomial probabilities to full precision without scipy, whose import costs more than a run.

Point probabilities are the saddle-point form of C. Loader, "Fast and accurate computation of
binomial probabilities" (2000); tails add positive terms only, so small ones keep their digits.
"""

from __future__ import annotations

from math import exp, inf, isclose, lgamma, log, log1p, pi

_HALF_LOG_2PI = 0.5 * log(2 * pi)


def _stirling_error(n: int) -> float:
    """log(n!) minus Stirling's formula."""
    if n < 16:
        return lgamma(n + 1.0) - (n + 0.5) * log(n) + n - _HALF_LOG_2PI if n else 0.0
    square = float(n) * n
    series = 1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - 1 / 1188 / square) / square) / square) / square
    return series / n


def _deviance(x: float, mean: float) -> float:
    """x log(x / mean) + mean - x without cancellation."""
    if abs(x - mean) >= 0.1 * (x + mean):
        return x * log(x / mean) + mean - x
    v = (x - mean) / (x + mean)
    total, power, j = (x - mean) * v, 2 * x * v, 1
    while True:
        power *= v * v
        term = power / (2 * j + 1)
        if total + term == total:
            return total
        total, j = total + term, j + 1


def log_pmf(k: int, n: int, p: float) -> float:
    """log P(X = k) for X ~ Binomial(n, p)."""
    if not 0 <= k <= n or (p == 0 and k) or (p == 1 and k < n):
        return -inf
    if p in {0, 1}:
        return 0.0
    if k == 0:
        return n * log1p(-p)
    if k == n:
        return n * log(p)
    shape = _stirling_error(n) - _stirling_error(k) - _stirling_error(n - k)
    shape -= _deviance(k, n * p) + _deviance(n - k, n * (1 - p))
    return shape - _HALF_LOG_2PI + 0.5 * (log(n) - log(k) - log(n - k))


def _sum_up(k: int, n: int, p: float) -> float:
    """P(X >= k) for k above the mean."""
    term = total = exp(log_pmf(k, n, p))
    odds = p / (1 - p) if p < 1 else inf
    while k < n and term > total * 1e-17:
        term *= (n - k) / (k + 1) * odds
        total, k = total + term, k + 1
    return min(total, 1.0)


def tail(k: int, n: int, p: float) -> float:
    """P(X >= k) for X ~ Binomial(n, p)."""
    if k <= 0 or p >= 1:
        return float(k <= n)
    if k > n or p <= 0:
        return 0.0
    if k > n * p:
        return _sum_up(k, n, p)
    return 1.0 - _sum_up(n - k + 1, n, 1.0 - p)


def below(k: int, n: int, p: float) -> float:
    """P(X <= k) for X ~ Binomial(n, p)."""
    return tail(n - k, n, 1.0 - p)


def rate_with_tail(k: int, n: int, level: float) -> float:
    """The p in [0, 1] with P(X >= k) = level, for 0 < k <= n: Newton on the logarithm, bracketed."""
    low, high = 0.0, 1.0
    p = k / (n + 1.0)
    for _ in range(200):
        value = tail(k, n, p)
        low, high = (p, high) if value < level else (low, p)
        slope = n * exp(log_pmf(k - 1, n - 1, p))
        step = value * log(value / level) / slope if value > 0 and slope > 0 else inf
        guess = p - step if low < p - step < high else (low + high) / 2
        if isclose(guess, p, rel_tol=1e-14):
            return guess
        p = guess
    return p
