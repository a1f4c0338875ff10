"""Where does a model stop being able to? A threshold on one axis, from as few calls as possible. Pure.

The chance to pass at difficulty x (octaves: log2 of the level) is

    p(x) = guess + (1 - guess - lapse) * sigma((t - x) / s)

with the threshold t where half of what guessing and lapses leave is lost (Wichmann and Hill 2001).
The posterior lives on a grid over (t, s, lapse); `guess` is known from the axis. The next level is the
one whose answer is expected to leave least entropy about t alone: QUEST (Watson and Pelli 1983) as QUEST+
does it (Watson 2017), so that slope and lapses are nuisances and not targets.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from monitor.intervals import Interval

Floats = NDArray[np.float64]
Status = Literal["in range", "below range", "above range", "unclear"]

STEP = 0.04
"""Octaves between thresholds of the grid."""
MARGIN = 2.0
"""The grid reaches so many octaves beyond either end of the axis."""
SPREADS = np.array([0.04, 0.12, 0.22, 0.35, 0.6, 1.0])
SPREAD_PRIOR = np.array([0.2, 0.2, 0.2, 0.2, 0.13, 0.07])
LAPSES = np.array([0.005, 0.03, 0.1, 0.25])
LAPSE_PRIOR = np.array([0.45, 0.3, 0.17, 0.08])

EASY_RATE = 0.7
"""An axis whose easiest level is passed less often than this has no threshold on it."""
_EASY_CALLS, _EASY_SURE = 10, 0.8
"""The easiest level is asked once, and on while it is believed to be passed less often than this, at most ten
times: its calls say little about a threshold elsewhere, three in advance are an eighth of an axis's calls."""
_EASY_FAILURES = 4
"""Of ten calls at the easiest level four failures are more than 30 %."""
MASS = 0.95
"""Posterior mass of what is reported as the 90 % interval: stopping where it looks narrow costs coverage
(0.83 of 0.90 at a spread of a quarter octave), the margin gives it back."""
_NARROW_ANSWERS = 3
"""It must look narrow after so many answers in a row: once, it does by luck, most of all on integer axes whose
threshold lies on a level (root mean square error 0.116 octaves, after three 0.102)."""
_LEAST_FAILURES = 3
"""No threshold from fewer failures: on integer axes one slip next to a wide gap would end the search."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The levels of an axis that can be asked for, easiest first, and the chance to pass by guessing."""

    levels: tuple[float, ...]
    guess: float = 0.0
    integer: bool = False

    @property
    def octaves(self) -> tuple[float, ...]:
        return tuple(math.log2(level) for level in self.levels)


@dataclass(frozen=True, slots=True)
class Trial:
    """One answered item: the level that it really had (tokens as counted by the server), and whether it passed."""

    level: float
    passed: bool


@dataclass(frozen=True, slots=True)
class Boundary:
    """What is known about one arm on one axis; levels, not octaves.

    `below range`: the easiest level is passed less often than 70 %, so there is no threshold to report.
    `above range`: the threshold lies beyond the hardest level; `lower` is what is known then.
    """

    status: Status
    threshold: float | None
    lower: float
    upper: float
    calls: int
    passed: int


class Belief:
    """Posterior over (threshold, spread, lapse) after some trials. Immutable; `after` gives the next."""

    __slots__ = ("_drift", "_weights", "easy", "intervals", "scale", "trials")

    def __init__(self, scale: Scale, weights: Floats | None = None, easy: tuple[bool, ...] = ()) -> None:
        self.scale = scale
        self.easy = easy
        self.trials: tuple[Trial, ...] = ()
        self.intervals: tuple[Interval, ...] = ()
        """What `interval` was after each trial."""
        self._drift = 0.0
        self._weights = _prior(scale) if weights is None else weights

    def after(self, trial: Trial, asked: float | None = None) -> Belief:
        """The posterior with one more trial; `asked` is the level that was meant, where it differs."""
        chance = _chance(self.scale, np.array([math.log2(trial.level)]))[0]
        weights = self._weights * (chance if trial.passed else 1.0 - chance)
        easiest = (trial.level if asked is None else asked) <= self.scale.levels[0]
        easy = (*self.easy, trial.passed) if easiest else self.easy
        belief = Belief(self.scale, weights / weights.sum(), easy)
        belief.trials = (*self.trials, trial)
        belief.intervals = (*self.intervals, belief.interval())
        belief._drift = 0.0 if asked is None else math.log2(trial.level / asked)
        return belief

    @property
    def density(self) -> Floats:
        """Posterior mass per threshold of `thresholds(scale)`."""
        mass: Floats = self._weights.sum(axis=(1, 2))
        return mass

    def quantile(self, share: float) -> float:
        """Octaves below which `share` of the threshold's posterior lies."""
        return self._quantiles(share)[0]

    def interval(self, share: float = MASS) -> Interval:
        """Central interval of the threshold, octaves."""
        return Interval(*self._quantiles((1 - share) / 2, (1 + share) / 2))

    def _quantiles(self, *shares: float) -> list[float]:
        mass = self.density
        found: list[float] = np.interp(shares, np.cumsum(mass) - mass / 2, thresholds(self.scale)).tolist()
        return found

    def next_level(self) -> float:
        """The level to ask next: the easiest until it is settled, then the most informative."""
        if not self.easy_settled:
            return self.scale.levels[0]
        best = int(np.argmin(_expected_entropy(self.scale, self._weights)))
        # Where the server counts more than was asked for, ask for so much less.
        wanted = self.scale.octaves[best] - self._drift
        return min(self.scale.levels, key=lambda level: abs(math.log2(level) - wanted))

    @property
    def easy_settled(self) -> bool:
        """Enough is known at the easiest level: it is believed to be passed, or ten calls, or four failures."""
        if len(self.easy) >= _EASY_CALLS or self.too_hard:
            return True
        return bool(self.easy) and self.easiest_rate() >= _EASY_SURE

    @property
    def too_hard(self) -> bool:
        """The first ten calls at the easiest level cannot reach 70 % any more."""
        return self.easy[:_EASY_CALLS].count(False) >= _EASY_FAILURES

    def easiest_rate(self) -> float:
        """Posterior mean chance to pass at the easiest level."""
        return float((_table(self.scale)[0] * self._weights).sum())


@lru_cache(maxsize=64)
def thresholds(scale: Scale) -> Floats:
    """The grid of thresholds, octaves."""
    low, high = scale.octaves[0] - MARGIN, scale.octaves[-1] + MARGIN
    return np.arange(low, high + STEP / 2, STEP)


def _prior(scale: Scale) -> Floats:
    shape = np.ones((len(thresholds(scale)), 1, 1)) * SPREAD_PRIOR[None, :, None] * LAPSE_PRIOR
    weights: Floats = shape / shape.sum()
    return weights


def _chance(scale: Scale, octaves: Floats) -> Floats:
    """Chance to pass, one (threshold, spread, lapse) block per difficulty."""
    z = (thresholds(scale)[None, :, None] - octaves[:, None, None]) / SPREADS[None, None, :]
    rise = 1.0 / (1.0 + np.exp(-np.clip(z, -40, 40)))
    chance: Floats = scale.guess + (1.0 - scale.guess - LAPSES) * rise[..., None]
    return chance


@lru_cache(maxsize=64)
def _table(scale: Scale) -> Floats:
    return _chance(scale, np.array(scale.octaves))


def _expected_entropy(scale: Scale, weights: Floats) -> Floats:
    """Entropy about the threshold that is left on average after asking at each level, nats."""
    passing: Floats = np.einsum("jtsl,tsl->jt", _table(scale), weights)
    failing = np.maximum(weights.sum(axis=(1, 2)) - passing, 0.0)
    return _partial_entropy(passing) + _partial_entropy(failing)


def _partial_entropy(joint: Floats) -> Floats:
    total = joint.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(joint > 0, joint * np.log(joint), 0.0).sum(axis=1)
        own = np.where(total > 0, total * np.log(total), 0.0)
    entropy: Floats = own - terms
    return entropy


@dataclass(frozen=True, slots=True)
class Precision:
    """When an axis is known well enough."""

    octaves: float = 0.5
    """Width of the 90 % interval to reach; on integer axes the gap between two levels is enough."""
    calls: int = 28
    """At most so many calls per arm."""


def done(belief: Belief, wanted: Precision) -> bool:
    """Whether another call is worth nothing, or not allowed."""
    calls = len(belief.trials)
    if calls >= wanted.calls or belief.too_hard:
        return True
    if not belief.easy_settled:
        return False
    low, high = belief.interval()
    if low > belief.scale.octaves[-1] or high < belief.scale.octaves[0]:
        return True
    failures = sum(not trial.passed for trial in belief.trials)
    last = belief.intervals[-_NARROW_ANSWERS:]
    return failures >= _LEAST_FAILURES and all(_narrow(belief.scale, found, wanted.octaves) for found in last)


def _narrow(scale: Scale, found: Interval, octaves: float) -> bool:
    return found.upper - found.lower <= max(octaves, _gap(scale, (found.lower + found.upper) / 2))


def _gap(scale: Scale, middle: float) -> float:
    """Octaves between the two levels around `middle`: an integer axis has nothing in between."""
    if not scale.integer:
        return 0.0
    octaves = scale.octaves
    above = min(max(int(np.searchsorted(octaves, middle)), 1), len(octaves) - 1)
    return octaves[above] - octaves[above - 1] + STEP


def boundary(belief: Belief, wanted: Precision) -> Boundary:
    """What to say about an arm once no more is asked."""
    low, high = belief.interval()
    middle = belief.quantile(0.5)
    found = Boundary(
        "in range", 2**middle, 2**low, 2**high, len(belief.trials), sum(t.passed for t in belief.trials)
    )
    if belief.too_hard or (belief.easy_settled and belief.easiest_rate() < EASY_RATE):
        return replace(found, status="below range", threshold=None)
    if low > belief.scale.octaves[-1] or (middle > belief.scale.octaves[-1] and done(belief, wanted)):
        return replace(found, status="above range", threshold=None)
    if not _narrow(belief.scale, Interval(low, high), 2 * wanted.octaves):
        return replace(found, status="unclear")
    return found


def shift_p_value(baseline: Belief, candidate: Belief, allowed: float) -> float:
    """Posterior probability that the candidate's threshold is not more than `allowed` octaves lower.

    Both beliefs are on the same scale; the arms were asked independently. Used as a one-sided p-value:
    where nothing changed it is not small (tests/statistics/test_probe_worlds.py holds the rate).
    """
    octaves, shift = _shift(baseline, candidate)
    return float(min(1.0, shift[octaves >= -allowed - STEP / 2].sum()))


def shift_interval(baseline: Belief, candidate: Belief, share: float = MASS) -> tuple[float, float, float]:
    """Median and central interval of candidate minus baseline, octaves; the hardest level stands for all beyond."""
    octaves, shift = _shift(baseline, candidate)
    at = np.interp([(1 - share) / 2, 0.5, (1 + share) / 2], np.cumsum(shift) - shift / 2, octaves)
    return float(at[1]), float(at[0]), float(at[2])


def _shift(baseline: Belief, candidate: Belief) -> tuple[Floats, Floats]:
    """Octaves and posterior mass of candidate minus baseline."""
    own, before = _reached(candidate), _reached(baseline)
    mass: Floats = np.convolve(own, before[::-1])
    octaves: Floats = np.arange(mass.size, dtype=np.float64) - (before.size - 1)
    return octaves * STEP, mass


def _reached(belief: Belief) -> Floats:
    """`density` with everything beyond the hardest level at that level.

    How far beyond, no answer tells: where an arm is above its range, the prior and `MARGIN` alone would.
    """
    last = int(np.searchsorted(thresholds(belief.scale), belief.scale.octaves[-1] - STEP / 2))
    density = belief.density
    return np.append(density[:last], density[last:].sum())
