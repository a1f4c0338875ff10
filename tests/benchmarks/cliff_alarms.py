"""How many pairs until the alarm, forced against generated: the stored scores in other orders.

The pairs of one candidate are drawn again with replacement, evenly spaced in time as they came, and fed
to the evidence engine of the run's own configuration. One clock per way of asking stops at the first
alarm of any of its signals, in whatever segment. A draw is twice as long as the run was; one that stays
silent counts as that long (a lower bound, said beside it).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from monitor import logged
from monitor.config import Config
from monitor.evidence import Engine, cut
from monitor.hypotheses import Settings
from monitor.observations import Observation
from monitor.store import Store

RESAMPLES = 20
Json = dict[str, Any]
Ways = Mapping[str, Collection[str]]
"""Signals by the way of asking that they rest on; `forced` and `generate` are compared."""


def until_alarm(store: Store, ways: Ways, resamples: int = RESAMPLES) -> Json:
    """Pairs until the alarm per way, and the ratio of `generate` to `forced`, draw by draw."""
    config = Config.model_validate_json(store.mapping("meta")["config"])
    rows = store.query("replay_log", {"block": 0})
    pairs = [each for block in logged.of_rows(rows, config.crosses) for each in block]
    # Repeats within an hour are one observation; here a repeat stands for another request of its kind.
    pairs = [replace(each, prompt=None, conversation=None) for each in pairs]
    return until_alarm_of(pairs, Settings.of(config), ways, resamples)


def until_alarm_of(pairs: Sequence[Observation], settings: Settings, ways: Ways, resamples: int) -> Json:
    """The same of pairs that are at hand."""
    rng, longest = np.random.default_rng(3), 2 * len(pairs)
    draws = (_drawn(pairs, rng.integers(0, len(pairs), longest)) for _ in range(resamples))
    found = [_first_alarms(settings, drawn, ways) for drawn in draws]
    columns = {way: np.array([each[way] for each in found]) for way in ways}
    silent = {way: float(np.isinf(values).mean()) for way, values in columns.items()}
    counted = {way: np.minimum(values, longest) for way, values in columns.items()}
    ratio = counted["generate"] / counted["forced"]
    return {
        "resamples": resamples,
        "longest": longest,
        **{way: _summary(values, silent[way]) for way, values in counted.items()},
        "ratio": _summary(ratio, max(silent["forced"], silent["generate"])),
    }


def _drawn(pairs: Sequence[Observation], chosen: Any) -> list[Observation]:
    start, end = pairs[0].time, pairs[-1].time
    # One second at least: a block, at whose end an alarm is latched, holds a second.
    step = max(1.0, (end - start) / len(pairs))
    return [replace(pairs[index], time=start + step * n) for n, index in enumerate(chosen)]


def _first_alarms(settings: Settings, pairs: Sequence[Observation], ways: Ways) -> dict[str, float]:
    """Pairs fed when each clock stopped; infinite where it did not."""
    engine, fed = Engine(settings), 0
    stopped = dict.fromkeys(ways, float("inf"))
    for block in cut(pairs):
        alarms = {event.signal for event in engine.apply(block) if event.kind == "alarm"}
        fed += len(block)
        for way, signals in ways.items():
            if alarms & set(signals):
                stopped[way] = min(stopped[way], fed)
        if float("inf") not in stopped.values():
            break
    return stopped


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
