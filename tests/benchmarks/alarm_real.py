"""A/A on real answers: scores of a model against itself, resampled into weeks of traffic.

The published runs hold several models twice (same model, same prompts, asked again). Every (segment,
signal) of such a pair is a pool of scores with the law that real answers have; a stream draws from one
pool, its replays draw from the same one, so whatever fires is false.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from monitor.config import Config
from monitor.records import Segment
from monitor.signals import SIGNALS
from tests.benchmarks.alarm_checks import Check, at_most
from tests.benchmarks.alarm_engine import Watched, per_week, watch
from tests.benchmarks.alarm_streams import PER_WEEK, SEGMENTS, Floats, resampled
from tests.benchmarks.runs import MISSING, RUNS, Listed, listed
from tests.benchmarks.scored_runs import run

Pool = tuple[str, Segment, str]
LEAST, WEEKS, REPLAYS = 30, 4, 0.2
TESTED = {"flip", "agreement", "integrity"}


def pools() -> dict[Pool, Floats]:
    """Scores by (run, segment, signal), with at least 30 pairs, of signals that page or ticket."""
    found: dict[Pool, list[float]] = {}
    for pair in (p for p in listed() if p.is_control):
        for pool, x in _scores(pair):
            found.setdefault(pool, []).append(x)
    return {pool: np.array(x) for pool, x in found.items() if len(x) >= LEAST}


def _scores(pair: Listed) -> Iterator[tuple[Pool, float]]:
    for row in run(pair).rows:
        for name, score in row.recorded.scored.scores.items():
            if Config().level(name) in {"page", "ticket"} and SIGNALS[name].null in TESTED:
                for segment in row.recorded.segments:
                    yield (pair.name, segment, name), score.value


def alarms_per_week(found: Mapping[Pool, Floats], rng: np.random.Generator) -> tuple[float, float]:
    """False alarms a week over 300 streams that use the pools in turn, and the budget paid a week."""
    two = [name for pool, name in _forms(found) if pool]
    one = [name for pool, name in _forms(found) if not pool]
    shares = len(two) / len(found), len(one) / len(found)
    total = paid = 0.0
    for keys, share in zip((two, one), shares, strict=True):
        streams = round(SEGMENTS * share)
        if streams:
            seen = _watched(keys, found, streams, rng)
            total += per_week(seen.alarms) * streams / SEGMENTS
            paid += seen.paid / WEEKS
    return total, paid


def _forms(found: Mapping[Pool, Floats]) -> Iterator[tuple[bool, Pool]]:
    """Whether a pool's signal is tested against replays."""
    for pool in found:
        yield SIGNALS[pool[2]].null != "integrity", pool


def _watched(
    keys: list[Pool], found: Mapping[Pool, Floats], streams: int, rng: np.random.Generator
) -> Watched:
    drop = Config().evidence.allowed_drop
    allowed = [drop.page if Config().level(pool[2]) == "page" else drop.ticket for pool in keys]
    nulls = np.array([allowed[i % len(keys)] for i in range(streams)])
    traffic = resampled(rng, [found[pool] for pool in keys], (streams, WEEKS * PER_WEEK), REPLAYS)
    if SIGNALS[keys[0][2]].null == "integrity":
        return watch(traffic.candidate, nulls)
    return watch(traffic.candidate, nulls, x0=traffic.replay)


def real_answers() -> Iterator[Check]:
    """R1; nothing where the corpora are absent."""
    if not RUNS.is_dir():
        yield Check("R1", f"A/A on real answers: skipped, {MISSING}", "≤ 1/week", (), passed=True)
        return
    found = pools()
    alarms, paid = alarms_per_week(found, np.random.default_rng(1))
    note = f"{len(found)} pools of (run, segment, signal), {paid:.2f} of budget paid a week"
    yield at_most(
        "R1", f"A/A on real answers, 300 streams × {WEEKS} weeks", 1.0, alarms, unit="/week", note=note
    )
