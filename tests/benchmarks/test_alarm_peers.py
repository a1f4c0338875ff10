"""The peers are re-implemented in numpy; where a library has the statistic, it must agree."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tests.benchmarks import alarm_peers as peers
from tests.benchmarks.alarm_engine import delay
from tests.benchmarks.alarm_streams import (
    HEALTHY,
    LAWS,
    Law,
    burst_starts,
    dropped,
    healthy,
    paired,
    repeated,
    scores,
    slowed,
    tail_factor,
)


def sample(law: Law = "mix", seed: int = 1, mean: float = HEALTHY) -> peers.Sample:
    rng = np.random.default_rng(seed)
    x = scores(rng, mean, (3, 600), law)
    return peers.Sample(x, scores(rng, HEALTHY, (3, 600), law), scores(rng, HEALTHY, (1, 1_000), law)[0])


def held(onsets: np.ndarray) -> np.ndarray:
    """Looks of stream 0 at which a rule newly fired."""
    return np.flatnonzero(onsets[0])


@pytest.mark.parametrize("law", ["mix", "bern"])
def test_ks_decides_as_scipy_does(law: Law) -> None:
    given = sample(law, mean=0.16)
    p = [stats.ks_2samp(given.x[0, t - 200 : t], given.reference).pvalue for t in range(200, 601, 50)]
    expected = [199 + 50 * i for i, now in enumerate(p) if now < 0.05 and (i == 0 or p[i - 1] >= 0.05)]
    assert expected == held(peers.evidently_ks(given)).tolist()


def test_wasserstein_decides_as_scipy_does() -> None:
    given = sample(mean=0.12)
    far = [
        stats.wasserstein_distance(given.x[0, t - 200 : t], given.reference) / given.reference.std() >= 0.1
        for t in range(200, 601, 50)
    ]
    expected = [199 + 50 * i for i, now in enumerate(far) if now and (i == 0 or not far[i - 1])]
    assert expected == held(peers.evidently_wasserstein(given)).tolist()


def test_welch_decides_as_scipy_does() -> None:
    given = sample(mean=0.14)
    p = [
        stats.ttest_ind(
            given.x[0, t - 200 : t], given.reference, equal_var=False, alternative="greater"
        ).pvalue
        for t in range(200, 601, 50)
    ]
    expected = [199 + 50 * i for i, now in enumerate(p) if now < 0.05 and (i == 0 or p[i - 1] >= 0.05)]
    assert expected == held(peers.welch_window(0.05)(given)).tolist()


def test_kayenta_is_blind_to_zero_one_scores() -> None:
    assert not peers.kayenta(sample("bern", mean=0.4)).any()


def test_diffy_needs_half_as_many_differences_again() -> None:
    def flags(raw: int, noise: int) -> bool:
        x, y = np.zeros((1, 1_000)), np.zeros((1, 1_000))
        x[0, -raw:], y[0, :noise] = 1, 1
        return bool(peers.diffy(peers.Sample(x, y, x[0])).any())

    assert not flags(150, 100)
    assert flags(151, 100)


def test_every_rule_fires_once_on_a_lasting_breakdown() -> None:
    x = dropped(3, "mix", 0.5, 20, before=600, after=600)
    rng = np.random.default_rng(4)
    given = peers.Sample(x, scores(rng, HEALTHY, (20, 1_200)), scores(rng, HEALTHY, (1, 1_000))[0])
    missed = {name for name, rule in peers.PEERS.items() if delay(rule(given), 600).power < 0.5}
    assert missed <= {"KS as Evidently, window 200", "Wasserstein as Evidently, window 200"}


@pytest.mark.parametrize("law", LAWS)
def test_healthy_streams_have_the_stated_mean(law: Law) -> None:
    assert healthy(np.random.default_rng(5), law, (300, 2_000)).mean() == pytest.approx(HEALTHY, abs=0.004)


def test_bursts_repeat_a_score() -> None:
    rng = np.random.default_rng(6)
    starts = burst_starts(rng, (50, 1_000))
    x = repeated(rng.random((50, 1_000)), starts)
    assert np.array_equal(np.diff(x, axis=1) != 0, starts[:, 1:])
    assert 1 / starts.mean() == pytest.approx(8, abs=0.5)


def test_paired_arms_differ_together() -> None:
    streams = paired(np.random.default_rng(7), (200, 1_000))
    assert np.corrcoef(streams.replay.ravel(), streams.candidate.ravel())[0, 1] == pytest.approx(
        0.36, abs=0.05
    )
    assert streams.candidate.mean() - streams.replay.mean() == pytest.approx(0.02, abs=0.003)


def test_a_slow_tail_moves_p99_and_not_the_median() -> None:
    slow = slowed(np.random.default_rng(8), "lognormal", (300_000,), "tail", 4.0)
    normal = slowed(np.random.default_rng(8), "lognormal", (300_000,), "scale", 1.0)
    assert np.quantile(slow, 0.99) / np.quantile(normal, 0.99) == pytest.approx(4, rel=0.1)
    assert np.median(slow) / np.median(normal) < 1.1
    assert tail_factor("lognormal", 4.0) > 4
