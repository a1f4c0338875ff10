"""What scoring costs in processor time: microseconds per pair, per signal, and beside one LCS pass over the same words."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from functools import lru_cache
from statistics import median
from time import thread_time
from typing import Any

from rapidfuzz.distance import LCSseq

from collectors.jsonl import Tally, read_pairs
from monitor.config import Config
from monitor.recorded import entry
from monitor.records import Pair
from monitor.scorers import SCORERS
from monitor.scoring import score_pair
from tests.benchmarks.runs import listed, pair_lines

_SHORTEST, _LONGEST = 1_000, 2_200  # characters; answers of about 1.5 kB
_WARM_UP = 30
_MEMO = type(lru_cache(abs))


def costs(per_set: int = 60) -> dict[str, Any]:
    """Every pair is scored once per measurement, as in production: caches help only as they do there."""
    pairs = sample(per_set)
    config = Config()
    for pair in pairs[:_WARM_UP]:
        entry(pair, config)
    fresh = pairs[_WARM_UP:]
    whole = _timed(fresh, lambda p: score_pair(p, SCORERS, config.level))
    lcs = _timed(fresh, lambda p: LCSseq.similarity(p.baseline.text.split(), p.candidate.text.split()))
    return {
        "pairs": len(fresh),
        "mean_characters": sum(len(p.baseline.text) for p in fresh) / len(fresh),
        "median_us": median(whole),
        "p99_us": _quantile(whole, 0.99),
        "lcs_median_us": median(lcs),
        "ratio_to_lcs": median(whole) / median(lcs),
        "signals": signal_costs(per_set),
    }


def signal_costs(per_set: int) -> dict[str, dict[str, float]]:
    """Median and p99 per signal alone, on pairs that no other signal has warmed up."""
    found = {}
    for name, scorer in SCORERS.items():
        _clear_caches()
        times = _timed(sample(per_set), scorer)[_WARM_UP:]
        found[name] = {"median_us": median(times), "p99_us": _quantile(times, 0.99)}
    return found


def sample(per_set: int) -> list[Pair]:
    """Newly read pairs with answers of about 1.5 kB, interleaved over all sets and languages."""
    by_pair = []
    for pair in listed():
        read = read_pairs(pair_lines(pair), 0.0, Tally())
        by_pair.append([p for p in read if _SHORTEST <= len(p.baseline.text) <= _LONGEST][: per_set // 4])
    return [group[i] for i in range(per_set // 4) for group in by_pair if i < len(group)]


def _clear_caches() -> None:
    """Every memo of the product's modules, as after a start."""
    for found in gc.get_objects():
        if isinstance(found, _MEMO) and found.__module__.startswith("monitor."):
            found.cache_clear()


def _timed(pairs: Sequence[Pair], work: Callable[[Pair], object]) -> list[float]:
    times = []
    for pair in pairs:
        start = thread_time()
        work(pair)
        times.append((thread_time() - start) * 1e6)
    return times


def _quantile(values: Sequence[float], q: float) -> float:
    return sorted(values)[min(len(values) - 1, int(q * len(values)))]
