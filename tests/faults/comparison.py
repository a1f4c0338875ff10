"""Production with a fault against production without, in interleaved pairs. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb
from statistics import median
from typing import Any

Report = dict[str, Any]
"""What the load generator prints."""

PAIRS, MOST_PAIRS = 9, 27


@dataclass(frozen=True, slots=True)
class Comparison:
    """Ratios faulty/healthy: requests served, median p50, and median p99 with a 95 % interval."""

    failed: int
    served: float
    p50: float
    p99: float
    p99_low: float
    p99_high: float

    @property
    def unharmed(self) -> bool:
        """No request failed, and neither throughput nor latency gives reason to believe in harm."""
        return self.failed == 0 and self.served >= 0.97 and self.p50 <= 1.1 and self.p99_low <= 1.5


def compare(pairs: Sequence[tuple[Report, Report]]) -> Comparison:
    """Hold (healthy, faulty) reports against each other, pair by pair."""
    p99 = sorted(_latency(faulty, "p99") / _latency(healthy, "p99") for healthy, faulty in pairs)
    low, high = median_interval(p99)
    return Comparison(
        failed=sum(not_served(report) for pair in pairs for report in pair),
        served=sum(faulty["ok"] for _, faulty in pairs) / sum(healthy["ok"] for healthy, _ in pairs),
        p50=median(_latency(faulty, "p50") / _latency(healthy, "p50") for healthy, faulty in pairs),
        p99=median(p99),
        p99_low=low,
        p99_high=high,
    )


def not_served(report: Report) -> int:
    """Requests that did not get their whole answer."""
    return int(report["failed"] + report["refused"] + report["short"] + report["unfinished"])


def _latency(report: Report, quantile: str) -> float:
    return float(report["latency_us"][quantile])


def median_interval(ordered: Sequence[float]) -> tuple[float, float]:
    """At least 95 % interval for the median from order statistics; no assumption on the shape."""
    n = len(ordered)
    tail, rank = 0.0, 0
    while rank < (n - 1) // 2 and 2 * (tail + comb(n, rank) / 2**n) <= 0.05:
        tail += comb(n, rank) / 2**n
        rank += 1
    first = max(rank - 1, 0)
    return ordered[first], ordered[n - 1 - first]


def until_clear(
    measure: Callable[[], tuple[Report, Report]], measured: Sequence[tuple[Report, Report]] = ()
) -> Comparison:
    """Nine pairs (those `measured` already, if any); in noise of the machine's up to twenty-seven.

    More pairs make the medians steadier; a real slowdown stays above its limit.
    """
    pairs = [*measured] or [measure() for _ in range(PAIRS)]
    while not (comparison := compare(pairs)).unharmed and comparison.failed == 0 and len(pairs) < MOST_PAIRS:
        pairs += [measure() for _ in range(6)]
    return comparison
