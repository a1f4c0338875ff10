"""Is the candidate as sure as it should be? Confidence against what turned out, per label source.

`confidence` is a probability of being right (for keyed answers the product of the answer tokens'
probabilities); `correct` says what turned out. Two sources of truth are never mixed: `agreement`
(pseudo-label: the candidate's answer equals the baseline's) and `label` (delayed, from outside).
A candidate may agree less and still be right.

The statistic to alert on is the signed gap: unbiased at any size, unlike ECE, which is biased upwards
on small samples and is therefore only given beside its null. Pure numpy; random numbers come in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor.intervals import Interval, clopper_pearson, wilson

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
LabelSource = Literal["agreement", "label"]

_DRAWS = 400
_LARGEST_SLOPE = 64.0


class Outcome(NamedTuple):
    """One answer: how sure its model was, whether it turned out right, and who says so."""

    confidence: float
    correct: bool
    label_source: LabelSource


@dataclass(frozen=True, slots=True)
class Bin:
    """One row of the reliability table; `interval` is Wilson's 95 % for `accuracy`."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class ExpectedError:
    """Expected calibration error with what perfectly calibrated answers would show by chance."""

    value: float
    null_mean: float
    null_p95: float

    @property
    def beyond_chance(self) -> bool:
        return self.value > self.null_p95


@dataclass(frozen=True, slots=True)
class Brier:
    """Mean squared error, `score = reliability - resolution + uncertainty + within` (Murphy 1973).

    `within` is what binning leaves over (Stephenson et al. 2008); `if_calibrated` is the score that
    these confidences would expect if they were true.
    """

    score: float
    reliability: float
    resolution: float
    uncertainty: float
    within: float
    if_calibrated: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Everything about one arm in one segment by one label source.

    `gap` is mean confidence minus accuracy (positive: over-confident) with its 95 % interval, exact
    given the confidences. `auroc` is None where all answers are right or all are wrong; `risk_80` is
    the error rate among the surest 80 %; `temperature` divides the log odds, None where no finite one
    fits better.
    """

    label_source: LabelSource
    n: int
    confidence: float
    accuracy: float
    gap: float
    gap_interval: Interval
    ece: ExpectedError
    ece_equal_mass: ExpectedError
    brier: Brier
    auroc: float | None
    risk_80: float
    temperature: float | None
    table: tuple[Bin, ...]

    @property
    def points(self) -> tuple[tuple[float, float, float, float, int], ...]:
        """The reliability curve to draw: (confidence, accuracy, lower, upper, answers) per bin."""
        return tuple((b.confidence, b.accuracy, b.interval.lower, b.interval.upper, b.n) for b in self.table)


def calibrations(
    outcomes: Iterable[Outcome], rng: np.random.Generator, bins: int = 10
) -> Mapping[LabelSource, Calibration]:
    """One `Calibration` per label source that occurs."""
    kept: dict[LabelSource, list[Outcome]] = {}
    for outcome in outcomes:
        kept.setdefault(outcome.label_source, []).append(outcome)
    return {
        source: calibrate(
            np.array([o.confidence for o in rows]), np.array([o.correct for o in rows]), source, rng, bins
        )
        for source, rows in kept.items()
    }


def calibrate(
    confidence: Floats, correct: Bools, label_source: LabelSource, rng: np.random.Generator, bins: int = 10
) -> Calibration:
    """Confidences in [0, 1] against outcomes, both of shape (n,), n >= 1."""
    wide, even = equal_width(confidence, bins), equal_mass(confidence, bins)
    right = int(np.sum(correct))
    mean, accuracy = float(np.mean(confidence)), right / correct.size
    shares = clopper_pearson(right, correct.size)
    return Calibration(
        label_source=label_source,
        n=correct.size,
        confidence=mean,
        accuracy=accuracy,
        gap=mean - accuracy,
        # Outcomes of unequal chance vary less than equal ones (Hoeffding 1956): still conservative.
        gap_interval=Interval(mean - shares.upper, mean - shares.lower),
        ece=expected_error(confidence, correct, wide, rng),
        ece_equal_mass=expected_error(confidence, correct, even, rng),
        brier=brier(confidence, correct, wide),
        auroc=auroc(confidence, correct),
        risk_80=risk_at(confidence, correct, 0.8),
        temperature=temperature(confidence, correct),
        table=reliability_table(confidence, correct, wide, bins),
    )


def equal_width(confidence: Floats, bins: int) -> NDArray[np.int64]:
    """Index of the equally wide bin of every confidence."""
    return np.minimum((confidence * bins).astype(np.int64), bins - 1)


def equal_mass(confidence: Floats, bins: int) -> NDArray[np.int64]:
    """Index of the bin that holds about as many answers as any other; ties stay together."""
    edges = np.unique(np.quantile(confidence, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.searchsorted(edges, confidence, side="left")


def _ece(gaps: Floats, index: NDArray[np.int64]) -> float:
    """Sum over bins of |sum of (confidence - outcome)| / n."""
    return float(np.sum(np.abs(np.bincount(index, weights=gaps))) / gaps.size)


def expected_error(
    confidence: Floats, correct: Bools, index: NDArray[np.int64], rng: np.random.Generator
) -> ExpectedError:
    """ECE over the bins `index`, and its mean and 95th percentile under calibration.

    Consistency resampling (Broecker and Smith 2007): outcomes drawn with the stated confidences.
    """
    draws = [_ece(confidence - (rng.random(confidence.size) < confidence), index) for _ in range(_DRAWS)]
    value = _ece(confidence - correct, index)
    return ExpectedError(value, float(np.mean(draws)), float(np.quantile(draws, 0.95)))


def brier(confidence: Floats, correct: Bools, index: NDArray[np.int64]) -> Brier:
    """Brier score and its Murphy decomposition over the bins `index`."""
    n = np.bincount(index)
    used = n > 0
    weight = n[used] / correct.size
    sure = np.bincount(index, weights=confidence)[used] / n[used]
    right = np.bincount(index, weights=correct)[used] / n[used]
    base, score = float(np.mean(correct)), float(np.mean((confidence - correct) ** 2))
    reliability = float(weight @ (sure - right) ** 2)
    resolution = float(weight @ (right - base) ** 2)
    uncertainty = base * (1 - base)
    within = score - (reliability - resolution + uncertainty)
    expected = float(np.mean(confidence * (1 - confidence)))
    return Brier(score, reliability, resolution, uncertainty, within, expected)


def reliability_table(
    confidence: Floats, correct: Bools, index: NDArray[np.int64], bins: int
) -> tuple[Bin, ...]:
    """The non-empty bins of equal width, lowest confidence first."""
    rows = []
    for i in np.unique(index).tolist():
        sure, right = confidence[index == i], correct[index == i]
        k, n = int(np.sum(right)), right.size
        rows.append(Bin(i / bins, (i + 1) / bins, n, float(np.mean(sure)), k / n, wilson(k, n)))
    return tuple(rows)


def auroc(confidence: Floats, correct: Bools) -> float | None:
    """P(a right answer is surer than a wrong one), ties count half; None with one kind only."""
    right = int(np.sum(correct))
    wrong = correct.size - right
    if not right or not wrong:
        return None
    _, place, times = np.unique(confidence, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(times) - (times - 1) / 2)[place]
    return float((np.sum(ranks[correct]) - right * (right + 1) / 2) / (right * wrong))


def risk_coverage(confidence: Floats, correct: Bools) -> tuple[Floats, Floats]:
    """Share answered and error rate there, for every threshold on confidence, strictest first."""
    levels, place, times = np.unique(-confidence, return_inverse=True, return_counts=True)
    wrong = np.bincount(place, weights=~correct, minlength=levels.size)
    answered = np.cumsum(times)
    return answered / correct.size, np.cumsum(wrong) / answered


def risk_at(confidence: Floats, correct: Bools, coverage: float) -> float:
    """Error rate when just enough of the surest answers are kept to cover `coverage`."""
    share, risk = risk_coverage(confidence, correct)
    return float(risk[np.searchsorted(share, coverage - 1e-12)])


def temperature(confidence: Floats, correct: Bools) -> float | None:
    """The T that makes sigmoid(log odds / T) likeliest (Guo et al. 2017), to 1e-9 relative.

    A suggestion, fitted on the answers it is shown with. None where the likelihood has no inner
    maximum: confidences without order, or an order that is perfect.
    """
    odds = np.clip(confidence, 1e-6, 1 - 1e-6)
    z = np.log(odds) - np.log1p(-odds)

    def pull(slope: float) -> float:
        return float(np.sum((correct - (1 + np.tanh(slope * z / 2)) / 2) * z))

    low, high = 0.0, _LARGEST_SLOPE
    if pull(low) <= 0 or pull(high) >= 0:
        return None
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if pull(middle) > 0 else (low, middle)
    return 2 / (low + high)
