"""How many pairs until the alarm, forced against generated: the stored scores in other orders.

The pairs of one candidate are drawn again with replacement, evenly spaced in time as they came, and fed
to the evidence engine of the run's own configuration. Two clocks stop: at the first alarm of
`forced_drop`, and at the first of any directional page signal, in whatever segment. A draw is twice as
long as the run was; one that stays silent counts as that long (a lower bound, said beside it).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from monitor import logged
from monitor.config import Config
from monitor.evidence import Engine, cut
from monitor.hypotheses import Settings
from monitor.observations import Observation
from monitor.store import Store

RESAMPLES = 60
Json = dict[str, Any]


def until_alarm(store: Store, directional: Collection[str], resamples: int = RESAMPLES) -> Json:
    """Pairs until the alarm by `forced` and by `generate`, and the ratio of the two, draw by draw."""
    config = Config.model_validate_json(store.mapping("meta")["config"])
    rows = store.query("replay_log", {"block": 0})
    pairs = [each for block in logged.of_rows(rows, config.crosses) for each in block]
    # Repeats within an hour are one observation; here a repeat stands for another request of its kind.
    pairs = [replace(each, prompt=None, conversation=None) for each in pairs]
    return until_alarm_of(pairs, Settings.of(config), directional, resamples)


def until_alarm_of(
    pairs: Sequence[Observation], settings: Settings, directional: Collection[str], resamples: int
) -> Json:
    """The same of pairs that are at hand."""
    rng, longest = np.random.default_rng(3), 2 * len(pairs)
    found = np.array(
        [
            _first_alarms(settings, _drawn(pairs, rng.integers(0, len(pairs), longest)), directional)
            for _ in range(resamples)
        ]
    )
    forced, generate = np.minimum(found, longest).T
    silent = np.isinf(found).mean(axis=0)
    return {
        "resamples": resamples,
        "longest": longest,
        "forced": _summary(forced, float(silent[0])),
        "generate": _summary(generate, float(silent[1])),
        "ratio": _summary(generate / forced, float(silent.max())),
    }


def _drawn(pairs: Sequence[Observation], chosen: Any) -> list[Observation]:
    start, end = pairs[0].time, pairs[-1].time
    # One second at least: a block, at whose end an alarm is latched, holds a second.
    step = max(1.0, (end - start) / len(pairs))
    return [replace(pairs[index], time=start + step * n) for n, index in enumerate(chosen)]


def _first_alarms(
    settings: Settings, pairs: Sequence[Observation], directional: Collection[str]
) -> tuple[float, float]:
    """Pairs fed when each clock stopped; infinite where it did not."""
    engine, fed, forced, generate = Engine(settings), 0, float("inf"), float("inf")
    for block in cut(pairs):
        alarms = {event.signal for event in engine.apply(block) if event.kind == "alarm"}
        fed += len(block)
        forced = min(forced, fed) if "forced_drop" in alarms else forced
        generate = min(generate, fed) if alarms & set(directional) else generate
        if forced < float("inf") and generate < float("inf"):
            break
    return forced, generate


def _summary(values: Any, silent: float) -> Json:
    """Median, the middle 95 % of draws, and the share that stayed silent."""
    low, middle, high = np.quantile(values, (0.025, 0.5, 0.975))
    stayed = silent >= 0.5
    return {
        "median": None if stayed else float(middle),
        "low": float(low),
        "high": float(high),
        "silent": silent,
    }
