"""The week as a closed sample: rates, exact intervals, e-values that start with the window, e-BH. Pure.

e-values of a fixed start are what e-BH takes (Wang and Ramdas 2022); the live alarm is a Shiryaev-
Roberts sum that may be watched, which e-BH must never see (arXiv:2501.19360). Hence two columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import log, sqrt

import numpy as np
from numpy.typing import NDArray

from monitor.betting import BETS, e_values, log_excess_of_counts, smallest_visible_rise
from monitor.hypotheses import Test
from monitor.intervals import Interval, clopper_pearson, e_bh, newcombe
from monitor.report.model import Week

LEVEL = 0.05
Key = tuple[str, str]


@dataclass(slots=True)
class Arm:
    """Scores of one arm: how many of each value (two decimals), and exact sums."""

    values: dict[float, int] = field(default_factory=dict)
    n: int = 0
    total: float = 0.0
    squares: float = 0.0

    @property
    def mean(self) -> float:
        return self.total / self.n if self.n else 0.0

    @property
    def binary(self) -> bool:
        return self.values.keys() <= {0.0, 1.0}


@dataclass(slots=True)
class Sample:
    """One (segment, signal): the candidate's scores and the replays'."""

    x: Arm = field(default_factory=Arm)
    x0: Arm = field(default_factory=Arm)


def weeks(found: Mapping[Key, Sample], tests: Mapping[str, Test]) -> dict[Key, Week]:
    """Rates and intervals of all, e-values and the e-BH list over page and ticket signals."""
    made = {key: _measured(sample, tests.get(key[1])) for key, sample in found.items()}
    tested = [key for key, week in made.items() if week.e_value is not None]
    listed = e_bh([e for key in tested if (e := made[key].e_value) is not None], LEVEL) if tested else ()
    capital = LEVEL / max(len(tested), 1)
    for key, on_list in zip(tested, listed, strict=True):
        seen = _visible(tests[key[1]], made[key].pairs, capital)
        made[key] = replace(made[key], listed=bool(on_list), visible=seen)
    return made


def _measured(sample: Sample, test: Test | None) -> Week:
    x, affine = sample.x, test is not None and test.null == "affine"
    x0 = None if affine or (test is not None and not test.two_stream) or not sample.x0.n else sample.x0
    bounds = _bounds(x, x0)
    effect = x.mean - (x0.mean if x0 else 0.0)
    if affine:
        effect, bounds = 2 * effect - 1, Interval(2 * bounds.lower - 1, 2 * bounds.upper - 1)
    floor = sample.x0.mean if sample.x0.n else None
    e_value = _e_value(sample, test) if test is not None else None
    return Week(x.n, sample.x0.n, x.mean, floor, effect, bounds.lower, bounds.upper, e_value)


def _bounds(x: Arm, x0: Arm | None) -> Interval:
    """Clopper-Pearson or Newcombe for 0/1 scores, empirical Bernstein for graded ones."""
    if x0 is None:
        return clopper_pearson(round(x.total), x.n) if x.binary else _bernstein(x, 0.05)
    if x.binary and x0.binary:
        return newcombe(round(x.total), x.n, round(x0.total), x0.n)
    own, other = _bernstein(x, 0.025), _bernstein(x0, 0.025)
    return Interval(max(own.lower - other.upper, -1.0), min(own.upper - other.lower, 1.0))


def _bernstein(arm: Arm, alpha: float) -> Interval:
    """Finite-sample interval for a mean of scores in [0, 1] (Maurer and Pontil 2009, theorem 4)."""
    if arm.n < 2:
        return Interval(0.0, 1.0)
    variance = max(arm.squares - arm.n * arm.mean**2, 0.0) / (arm.n - 1)
    spread = log(4 / alpha)
    radius = sqrt(2 * variance * spread / arm.n) + 7 * spread / (3 * (arm.n - 1))
    return Interval(max(arm.mean - radius, 0.0), min(arm.mean + radius, 1.0))


def _e_value(sample: Sample, test: Test) -> float | None:
    """Against "the mean is at most m", or with two streams "at most the replays' plus the allowance"."""
    if test.null == "latency":
        return None
    if not test.two_stream:
        values, counts = _columns(sample.x)
        logs = np.log1p(BETS[:, None] / test.m * (values - test.m)) @ counts
        return float(e_values(logs))
    if not sample.x0.n:
        return None
    grown = log_excess_of_counts(_columns(sample.x), _columns(sample.x0), test.m)
    return float(np.exp(min(grown, 700.0)))


def _columns(arm: Arm) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.array(list(arm.values)), np.array(list(arm.values.values()), dtype=np.float64)


def _visible(test: Test, pairs: int, capital: float) -> float | None:
    """For one-stream nulls; a floor's own noise has no closed form here."""
    if test.two_stream:
        return None
    rise = _rise(round(test.m, 4), _rounded(pairs), capital)
    return None if rise is None else 2 * rise if test.null == "affine" else rise


def _rounded(pairs: int) -> int:
    """Down to two digits: the answer hardly moves, and equal questions are asked once."""
    scale = int(10 ** max(len(str(pairs)) - 2, 0))
    return pairs // scale * scale


@lru_cache(maxsize=4096)
def _rise(null_mean: float, pairs: int, capital: float) -> float | None:
    return smallest_visible_rise(null_mean, pairs, capital)
