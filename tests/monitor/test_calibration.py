from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from monitor.calibration import (
    Calibration,
    Outcome,
    auroc,
    brier,
    calibrate,
    calibrations,
    equal_mass,
    equal_width,
    expected_error,
    risk_at,
    risk_coverage,
    temperature,
)

ANSWERS = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=200)


def drawn(seed: int, n: int, *, sharpen: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Confidences whose log odds are `sharpen` times too large, and outcomes."""
    rng = np.random.default_rng(seed)
    z = rng.normal(1, 1.5, n)
    return 1 / (1 + np.exp(-sharpen * z)), rng.random(n) < 1 / (1 + np.exp(-z))


def judged(confidence: np.ndarray, correct: np.ndarray) -> Calibration:
    return calibrate(confidence, correct, "label", np.random.default_rng(0))


def test_the_gap_of_an_overconfident_model_is_positive_and_certain() -> None:
    result = judged(np.full(200, 0.93), np.arange(200) < 120)
    assert result.gap == pytest.approx(0.33)
    assert 0.25 < result.gap_interval.lower < 0.33 < result.gap_interval.upper < 0.41


def test_the_gap_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng, covered = np.random.default_rng(1), 0
    for _ in range(400):
        p = rng.beta(4, 2, 60)
        result = judged(np.clip(p + 0.1, 0, 1), rng.random(60) < p)
        true_gap = float(np.mean(np.clip(p + 0.1, 0, 1) - p))
        covered += result.gap_interval.lower <= true_gap <= result.gap_interval.upper
    assert covered >= 400 * 0.95


def test_ece_of_calibrated_answers_stays_within_its_null() -> None:
    beyond = sum(judged(*drawn(seed, 100)).ece.beyond_chance for seed in range(100))
    assert beyond <= 12


def test_small_samples_show_an_ece_by_chance_alone() -> None:
    # uniform confidences, 10 bins: .102 at n = 30, .034 at n = 300
    few = np.linspace(0.01, 0.99, 30)
    many = np.linspace(0.01, 0.99, 300)
    rng = np.random.default_rng(2)
    null = {x.size: expected_error(x, x > 0.5, equal_width(x, 10), rng).null_mean for x in (few, many)}
    assert null[30] > 2.5 * null[300]


def test_ece_of_overconfident_answers_is_beyond_chance() -> None:
    result = judged(*drawn(3, 500, sharpen=3.0))
    assert result.ece.beyond_chance
    assert result.ece_equal_mass.beyond_chance


@given(ANSWERS)
def test_the_murphy_terms_add_up(answers: list[tuple[float, bool]]) -> None:
    confidence, correct = (np.array(column) for column in zip(*answers, strict=True))
    split = brier(confidence, correct, equal_width(confidence, 10))
    assert split.score == pytest.approx(
        split.reliability - split.resolution + split.uncertainty + split.within
    )
    assert min(split.reliability, split.resolution, split.uncertainty) >= 0


def test_nothing_is_left_within_bins_of_equal_confidences() -> None:
    confidence, correct = np.repeat([0.25, 0.75], 50), np.random.default_rng(4).random(100) < 0.5
    assert brier(confidence, correct, equal_width(confidence, 10)).within == pytest.approx(0, abs=1e-12)


@given(ANSWERS.filter(lambda rows: len({right for _, right in rows}) == 2))
def test_auroc_equals_the_mann_whitney_statistic(answers: list[tuple[float, bool]]) -> None:
    confidence, correct = (np.array(column) for column in zip(*answers, strict=True))
    u = stats.mannwhitneyu(confidence[correct], confidence[~correct], method="asymptotic").statistic
    assert u / (correct.sum() * (~correct).sum()) == pytest.approx(auroc(confidence, correct))


def test_auroc_needs_both_kinds() -> None:
    assert auroc(np.array([0.1, 0.9]), np.array([True, True])) is None


def test_risk_falls_with_coverage_where_confidence_is_informative() -> None:
    confidence, correct = drawn(5, 2_000)
    assert risk_at(confidence, correct, 0.5) < risk_at(confidence, correct, 1.0)
    assert risk_at(confidence, correct, 1.0) == pytest.approx(1 - correct.mean())


def test_equal_confidences_are_kept_or_dropped_together() -> None:
    share, risk = risk_coverage(np.array([0.9, 0.5, 0.5]), np.array([True, True, False]))
    assert share == pytest.approx([1 / 3, 1])
    assert risk == pytest.approx([0, 1 / 3])


@pytest.mark.parametrize("sharpen", [0.5, 1.0, 2.5])
def test_the_suggested_temperature_undoes_the_sharpening(sharpen: float) -> None:
    assert temperature(*drawn(6, 20_000, sharpen=sharpen)) == pytest.approx(sharpen, rel=0.05)


def test_no_temperature_for_useless_or_perfect_confidence() -> None:
    assert temperature(np.full(10, 0.5), np.arange(10) < 5) is None
    assert temperature(np.array([0.1, 0.9]), np.array([False, True])) is None


@given(ANSWERS)
def test_bins_of_equal_mass_keep_ties_together(answers: list[tuple[float, bool]]) -> None:
    confidence = np.array([c for c, _ in answers])
    index = equal_mass(confidence, 5)
    assert all(len(set(index[confidence == c].tolist())) == 1 for c in confidence)
    assert np.all(np.diff(index[np.argsort(confidence)]) >= 0)


def test_the_table_counts_every_answer_once() -> None:
    result = judged(*drawn(7, 300))
    assert sum(row.n for row in result.table) == 300
    assert all(row.interval.lower <= row.accuracy <= row.interval.upper for row in result.table)


def test_agreement_and_delayed_labels_stay_apart() -> None:
    outcomes = [Outcome(0.9, True, "agreement")] * 3 + [Outcome(0.9, False, "label")] * 2
    result = calibrations(outcomes, np.random.default_rng(0))
    assert {k: (v.n, v.accuracy) for k, v in result.items()} == {"agreement": (3, 1.0), "label": (2, 0.0)}
