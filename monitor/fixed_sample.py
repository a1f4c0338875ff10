"""One (segment, signal) of a fixed sample: p-value, excess with its interval, pairs needed.

0/1 scores get exact binomial tests; a graded score (JSON leaves, a confidence gap) is tested by a
bet, whose inverted e-value is a p-value for any law on [0, 1]. With a reference arm x0 the question
is the excess over the baseline's own noise, without one the rate itself. Valid for one look.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from monitor.betting import betting_p_value, betting_pairs_needed, excess_betting_p_value
from monitor.intervals import (
    Interval,
    binomial_p_value,
    binomial_pairs_needed,
    clopper_pearson,
    excess_p_value,
    newcombe,
    rate_at_most,
)
from monitor.signals import Null

Floats = NDArray[np.float64]

_SMALLEST_NULL = 0.005  # below it a bet's stake and a test's first success mean nothing (DESIGN 5)
_POWER = 0.9


@dataclass(frozen=True, slots=True)
class Question:
    """H0: mean(x) <= mean(x0) + `allowed`; without x0: mean(x) <= `allowed`.

    `affine` scores are gaps mapped from [-1, 1] to [0, 1]: no gap is 0.5, a gap of g is 0.5 + g/2.
    """

    allowed: float
    affine: bool = False

    @property
    def null_mean(self) -> float:
        """Largest mean of x that is still allowed when there is no reference."""
        allowed = max(self.allowed, _SMALLEST_NULL)
        return 0.5 + allowed / 2 if self.affine else allowed


def question(null: Null, allowed: float) -> Question:
    """The hypothesis of a signal whose level tolerates `allowed`."""
    return Question(allowed, affine=null == "affine")


def is_binary(x: Floats) -> bool:
    """Whether every score is 0 or 1."""
    return bool(np.all((x == 0) | (x == 1)))


def p_value(asked: Question, x: Floats, x0: Floats | None) -> float:
    """Valid one-sided p-value; 1.0 for an empty arm."""
    if x.size == 0 or (x0 is not None and x0.size == 0):
        return 1.0
    if x0 is None:
        if is_binary(x):
            return binomial_p_value(int(x.sum()), x.size, asked.null_mean)
        return betting_p_value(x, asked.null_mean)
    if x.mean() <= x0.mean() + asked.allowed:
        return 1.0  # the exact test maximises over the unknown rate: nothing to find here
    if is_binary(x) and is_binary(x0):
        return excess_p_value(int(x.sum()), x.size, int(x0.sum()), x0.size, asked.allowed)
    return excess_betting_p_value(x, x0, max(asked.allowed, _SMALLEST_NULL))


def excess(asked: Question, x: Floats, x0: Floats | None, alpha: float = 0.05) -> tuple[float, Interval]:
    """Mean excess of x over the reference (over nothing without one) and its two-sided interval."""
    if asked.affine:
        low, high = _mean_interval(x, alpha)
        return 2 * float(x.mean()) - 1, Interval(2 * low - 1, 2 * high - 1)
    if x0 is None or x0.size == 0:
        return float(x.mean()), _mean_interval(x, alpha)
    effect = float(x.mean() - x0.mean())
    if is_binary(x) and is_binary(x0):
        return effect, newcombe(int(x.sum()), x.size, int(x0.sum()), x0.size, alpha)
    own, other = _mean_interval(x, alpha / 2), _mean_interval(x0, alpha / 2)
    return effect, Interval(own.lower - other.upper, own.upper - other.lower)


def _mean_interval(x: Floats, alpha: float) -> Interval:
    if is_binary(x):
        return clopper_pearson(int(x.sum()), x.size, alpha)
    return Interval(_lower(x, alpha / 2), 1.0 - _lower(1.0 - x, alpha / 2))


def _lower(x: Floats, alpha: float) -> float:
    """Largest mean that the bet rejects at `alpha`, to 1e-4."""
    low, high = 0.0, float(x.mean())
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (middle, high) if betting_p_value(x, middle) <= alpha else (low, middle)
    return low


def pairs_needed(
    asked: Question, x: Floats, x0: Floats | None, detectable: float, alpha: float
) -> int | None:
    """Pairs after which a rise of `detectable` above the allowance is found with probability 0.9.

    A reference arm counts at the upper 95 % bound of its rate: few replays make more pairs
    necessary. None where no number of pairs would do.
    """
    null, rise = asked.null_mean, detectable / 2 if asked.affine else detectable
    actual = null
    if x0 is not None and not asked.affine:
        actual = min(1.0, float(x0.mean()) + asked.allowed) if x0.size else asked.allowed
        null = max(min(1.0, _reference_at_most(x0) + asked.allowed), _SMALLEST_NULL)
    return _needed(round(null, 3), min(1.0, round(actual + rise, 3)), alpha, binary=is_binary(x))


def _reference_at_most(x0: Floats) -> float:
    return rate_at_most(round(float(x0.sum())), x0.size) if x0.size else 1.0


@lru_cache(maxsize=4096)
def _needed(null: float, mean: float, alpha: float, *, binary: bool) -> int | None:
    if binary:
        return binomial_pairs_needed(null, mean, alpha, _POWER)
    return betting_pairs_needed(null, mean, alpha, _POWER)
