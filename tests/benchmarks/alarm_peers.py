"""What others do, on the same streams: each rule as published, vectorised over streams.

A rule maps `Sample` to onsets (streams, exchanges): True where an alarm starts. Rules that look every
50 exchanges hold their state in between. None of them knows about the other segments.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.alarm_streams import HEALTHY, SEGMENTS, Bools, Floats

Rule = Callable[["Sample"], Bools]
EVERY, WINDOW = 50, 200


class Sample(NamedTuple):
    """Candidate scores `x` and baseline scores `y` (streams, exchanges); `reference`: 1,000 past scores."""

    x: Floats
    y: Floats
    reference: Floats


def edges(on: Bools) -> Bools:
    """Where a condition becomes true."""
    before = np.pad(on, ((0, 0), (1, 0)))[:, :-1]
    return on & ~before


def once(on: Bools) -> Bools:
    """Where a condition is true for the first time."""
    return edges(np.maximum.accumulate(on, axis=1))


def _z(p: float) -> float:
    return NormalDist().inv_cdf(1 - p)


def _held(looks: Bools, at: NDArray[np.int64], length: int) -> Bools:
    """A condition known at exchanges `at`, held until the next look."""
    on = np.zeros((looks.shape[0], length), dtype=bool)
    on[:, at] = edges(looks)
    return on


def _rolling(values: Floats, window: int) -> Floats:
    """Mean of the last `window` exchanges, of all there are before that."""
    sums = np.cumsum(values, axis=1)
    sums[:, window:] = sums[:, window:] - sums[:, :-window].copy()
    return sums / np.minimum(np.arange(1, values.shape[1] + 1), window)


def rolling_threshold(window: int) -> Rule:
    """Mean of the last exchanges more than five points above the base."""

    def rule(sample: Sample) -> Bools:
        on = _rolling(sample.x, window) > HEALTHY + 0.05
        on[:, :29] = False
        return edges(on)

    return rule


def _welch(mean: Floats, square: Floats, n: Floats | int, reference: Floats) -> Floats:
    variance = np.maximum(square - mean**2, 1e-9)
    z: Floats = (mean - reference.mean()) / np.sqrt(variance / n + reference.var() / reference.size)
    return z


def welch_since_start(p: float) -> Rule:
    """Welch's z after every exchange, everything since the start against the reference."""

    def rule(sample: Sample) -> Bools:
        n = np.arange(1, sample.x.shape[1] + 1)
        mean, square = np.cumsum(sample.x, axis=1) / n, np.cumsum(sample.x**2, axis=1) / n
        return edges((_welch(mean, square, n.astype(float), sample.reference) > _z(p)) & (n >= 30))

    return rule


def _looks(sample: Sample, window: int) -> NDArray[np.int64]:
    length = sample.x.shape[1]
    first = -(-window // EVERY) * EVERY
    return np.arange(first, length + 1, EVERY) - 1


def welch_window(p: float) -> Rule:
    """Welch's z on the last 200 exchanges, every 50."""

    def rule(sample: Sample) -> Bools:
        at = _looks(sample, WINDOW)
        mean, square = _rolling(sample.x, WINDOW)[:, at], _rolling(sample.x**2, WINDOW)[:, at]
        return _held(_welch(mean, square, WINDOW, sample.reference) > _z(p), at, sample.x.shape[1])

    return rule


def _windows(values: Floats, at: NDArray[np.int64], window: int) -> Floats:
    """(streams, looks, window)"""
    return np.lib.stride_tricks.sliding_window_view(values, window, axis=1)[:, at + 1 - window]


def kayenta(sample: Sample) -> Bools:
    """Mann-Whitney as in NetflixACAJudge: 98 % interval of the shift beyond 0.25 x its estimate.

    60 against 60, every 50; without its removal of outliers.
    """
    size = 60
    at = _looks(sample, size)
    rank = int(size * size / 2 - 2.326 * np.sqrt(size * size * (2 * size + 1) / 12))
    half = size * size // 2
    looks = np.zeros((sample.x.shape[0], at.size), dtype=bool)
    for i, t in enumerate(at):
        x, y = sample.x[:, t + 1 - size : t + 1], sample.y[:, t + 1 - size : t + 1]
        shifts = (x[:, :, None] - y[:, None, :]).reshape(len(x), -1)
        shifts = np.partition(shifts, [rank, half - 1, half], axis=1)
        estimate = (shifts[:, half - 1] + shifts[:, half]) / 2
        looks[:, i] = (shifts[:, rank] > 0.25 * np.abs(estimate)) & (shifts[:, rank] > 0)
    return _held(looks, at, sample.x.shape[1])


def evidently_ks(sample: Sample) -> Bools:
    """Evidently up to 1,000 reference rows: Kolmogorov-Smirnov p < 0.05, last 200, every 50."""
    at = _looks(sample, WINDOW)
    a = np.sort(_windows(sample.x, at, WINDOW), axis=2)
    ref = np.sort(sample.reference)
    last = np.pad(np.diff(a, axis=2) > 0, ((0, 0), (0, 0), (0, 1)), constant_values=True)
    first = np.pad(np.diff(a, axis=2) > 0, ((0, 0), (0, 0), (1, 0)), constant_values=True)
    ranks = np.arange(1, WINDOW + 1) / WINDOW
    above = np.abs(ranks - np.searchsorted(ref, a, side="right") / ref.size) * last
    under = np.abs(ranks - 1 / WINDOW - np.searchsorted(ref, a, side="left") / ref.size) * first
    distance = np.maximum(above, under).max(axis=2)
    return _held(_kolmogorov_p(distance, WINDOW, ref.size) < 0.05, at, sample.x.shape[1])


def _kolmogorov_p(distance: Floats, n: int, m: int) -> Floats:
    size = np.sqrt(n * m / (n + m))
    scaled = (size + 0.12 + 0.11 / size) * np.maximum(distance, 1e-3)
    k = np.arange(1, 100)[:, None, None]
    p: Floats = np.clip(2 * np.sum((-1.0) ** (k - 1) * np.exp(-2 * (k * scaled) ** 2), axis=0), 0, 1)
    return p


def evidently_wasserstein(sample: Sample) -> Bools:
    """Evidently above 1,000 reference rows: Wasserstein distance of 0.1 standard deviations or more.

    1,000 reference scores are five for each of the 200: the distance is between sorted values.
    """
    at = _looks(sample, WINDOW)
    a = np.repeat(np.sort(_windows(sample.x, at, WINDOW), axis=2), sample.reference.size // WINDOW, axis=2)
    distance = np.mean(np.abs(a - np.sort(sample.reference)), axis=2) / sample.reference.std()
    return _held(distance >= 0.1, at, sample.x.shape[1])


def growthbook(alpha: float) -> Rule:
    """Asymptotic confidence sequence since start, tuning parameter 5,000 (GrowthBook's default)."""

    def rule(sample: Sample) -> Bools:
        n = np.arange(1, sample.x.shape[1] + 1)
        rho = (-2 * np.log(alpha) + np.log(-2 * np.log(alpha) + 1)) / 5000
        mean = np.cumsum(sample.x, axis=1) / n
        variance = np.maximum(np.cumsum(sample.x**2, axis=1) / n - mean**2, 1e-9)
        grown = n * rho + 1
        radius = np.sqrt(variance * 2 * grown / (n * n * rho) * np.log(np.sqrt(grown) / alpha))
        return once((mean - radius > HEALTHY) & (n >= 30))

    return rule


def diffy(sample: Sample) -> Bools:
    """Diffy's defaults: raw differences exceed noise by 20 % of their sum and 0.03 % of requests.

    A score of one half or more is a difference; counts since the start, judged after every request.
    """
    n = np.arange(1, sample.x.shape[1] + 1)
    raw, noise = np.cumsum(sample.x >= 0.5, axis=1), np.cumsum(sample.y >= 0.5, axis=1)
    excess: NDArray[np.int64] = raw - noise
    return edges((excess > 0.20 * (raw + noise)) & (excess > 0.0003 * n))


def tokenmiser(sample: Sample) -> Bools:
    """Win rate since the start below 0.45 after 30 decided pairs; ties are not decided."""
    wins, losses = np.cumsum(sample.x < sample.y, axis=1), np.cumsum(sample.x > sample.y, axis=1)
    decided = wins + losses
    return edges((wins < 0.45 * decided) & (decided >= 30))


def adwin(sample: Sample) -> Bools:
    """river's ADWIN with its defaults."""
    from river import drift  # a second to load, which every run of any test would pay

    return _river(sample.x, drift.ADWIN)


def page_hinkley(sample: Sample) -> Bools:
    """river's Page-Hinkley with its defaults, upwards."""
    from river import drift

    return _river(sample.x, lambda: drift.PageHinkley(mode="up"))


def _river(x: Floats, make: Callable[[], Any]) -> Bools:
    found = np.zeros(x.shape, dtype=bool)
    for i, stream in enumerate(x):
        detector = make()
        for t, value in enumerate(stream.tolist()):
            detector.update(value)
            if detector.drift_detected:
                found[i, t] = True
    return found


PEERS: dict[str, Rule] = {
    "rolling mean of 100 > base + 5 points": rolling_threshold(100),
    "rolling mean of 500 > base + 5 points": rolling_threshold(500),
    "Welch since start, p < .05 at each look": welch_since_start(0.05),
    "Welch since start, p < .05/300": welch_since_start(0.05 / SEGMENTS),
    "Welch window 200, p < .05": welch_window(0.05),
    "Welch window 200, p < .05/300": welch_window(0.05 / SEGMENTS),
    "Mann-Whitney as Kayenta, 60 v 60": kayenta,
    "KS as Evidently, window 200": evidently_ks,
    "Wasserstein as Evidently, window 200": evidently_wasserstein,
    "ADWIN (river)": adwin,
    "Page-Hinkley (river)": page_hinkley,
    "GrowthBook sequential, .05": growthbook(0.05),
    "GrowthBook sequential, .05/300": growthbook(0.05 / SEGMENTS),
    "Diffy's raw against noise": diffy,
    "tokenmiser's win rate < .45": tokenmiser,
}
