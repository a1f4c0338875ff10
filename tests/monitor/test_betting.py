from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from ville import EmpiricalBernsteinCS

from monitor.betting import (
    BETS,
    FRESH,
    betting_p_value,
    betting_pairs_needed,
    e_values,
    excess_betting_p_value,
    log_e_value,
    log_excess_e_value,
    log_wealths,
    mean_bounds,
    mean_interval,
    observe,
    smallest_visible_rise,
)

SCORES = arrays(np.float64, st.integers(1, 300), elements=st.floats(0, 1))


@given(SCORES, st.floats(0.2, 0.9))
def test_the_e_value_is_the_mean_wealth_of_the_bets(x: np.ndarray, mean: float) -> None:
    wealth = np.mean([np.prod(1 + c / mean * (x - mean)) for c in BETS])
    assert np.log(wealth) == pytest.approx(log_e_value(x, mean), abs=1e-9)


def test_the_e_value_has_mean_one_at_the_boundary_of_the_null() -> None:
    ones, n, mean = np.arange(31), 30, 0.1
    ways = np.array([np.prod([(n - i) / (i + 1) for i in range(k)]) for k in ones])
    mass = ways * mean**ones * (1 - mean) ** (n - ones)
    e = np.array([np.exp(log_e_value(np.repeat([1.0, 0.0], [k, n - k]), mean)) for k in ones])
    assert mass @ e == pytest.approx(1.0, abs=1e-9)


def test_wealths_of_disjoint_samples_add_up() -> None:
    x = np.random.default_rng(1).random(50)
    parts = log_wealths(x[:20], 0.3) + log_wealths(x[20:], 0.3)
    assert e_values(parts) == pytest.approx(np.exp(log_e_value(x, 0.3)))


def test_a_sample_without_scores_is_worth_one() -> None:
    assert log_e_value([], 0.05) == 0.0
    assert betting_p_value([], 0.05) == excess_betting_p_value([], [], 0.05) == 1.0


def test_huge_evidence_does_not_overflow() -> None:
    assert betting_p_value(np.ones(10_000), 0.005) == 0.0
    assert np.isfinite(e_values(log_wealths(np.ones(10_000), 0.005)))


def test_graded_evidence_grows_with_the_excess() -> None:
    rng = np.random.default_rng(2)
    x0, x = rng.beta(1, 9, 300), rng.beta(3, 7, 300)
    assert excess_betting_p_value(x, x0, 0.05) < 1e-6
    assert excess_betting_p_value(x0, x0, 0.05) == 1.0


def test_the_excess_e_value_is_valid_for_independent_samples() -> None:
    rng, hits = np.random.default_rng(3), 0
    for _ in range(2_000):
        x0, x = rng.random(40) < 0.1, rng.random(80) < 0.12
        hits += log_excess_e_value(x, x0, 0.02) >= np.log(20)
    assert hits <= 2_000 * 0.05


@pytest.mark.parametrize("capital", [1.0 / 20, 1e-6])
def test_pairs_needed_reach_the_alarm_as_often_as_promised(capital: float) -> None:
    needed = betting_pairs_needed(0.05, 0.2, capital)
    assert needed is not None
    ones = np.random.default_rng(4).binomial(needed, 0.2, 4_000)
    wealth = [log_e_value(np.repeat([1.0, 0.0], [k, needed - k]), 0.05) for k in ones]
    assert np.mean(np.array(wealth) >= -np.log(capital)) == pytest.approx(0.9, abs=0.03)


def test_no_sample_suffices_without_an_effect() -> None:
    assert betting_pairs_needed(0.05, 0.05, 1e-6) is None
    assert betting_pairs_needed(0.05, 0.051, 1e-6, largest=100) is None


def test_the_visible_rise_is_the_inverse_of_the_pairs_needed() -> None:
    needed = betting_pairs_needed(0.05, 0.2, 1e-6)
    assert needed is not None
    rise = smallest_visible_rise(0.05, needed, 1e-6)
    assert rise == pytest.approx(0.15, abs=0.002)
    assert smallest_visible_rise(0.05, 1, 1e-6) is None


@given(SCORES, st.sampled_from([0.05, 0.001]))
def test_the_confidence_sequence_equals_villes(x: np.ndarray, alpha: float) -> None:
    oracle = EmpiricalBernsteinCS(alpha=alpha, intersect=False)
    oracle.update(x)
    assert oracle.interval() == pytest.approx(mean_interval(x, alpha), abs=1e-9)


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0, 1)), min_size=1, max_size=200), st.integers(0, 200))
def test_sequences_share_a_batch_without_touching_each_other(rows: list[tuple[int, float]], cut: int) -> None:
    group, x = np.array([g for g, _ in rows]), np.array([v for _, v in rows])
    states = np.tile(FRESH, (4, 1))
    for part in (slice(0, cut), slice(cut, None)):
        states = observe(states, group[part], x[part])
    lower, upper = mean_bounds(states)
    for g in range(4):
        expected = mean_interval(x[group == g]) if np.any(group == g) else (0.0, 1.0)
        assert expected == pytest.approx((lower[g], upper[g]), abs=1e-9)


def test_the_sequence_covers_the_mean_at_every_look() -> None:
    rng, alpha, worlds = np.random.default_rng(5), 0.05, 400
    states, missed = np.tile(FRESH, (worlds, 1)), np.zeros(worlds, dtype=bool)
    for _ in range(300):
        states = observe(states, np.arange(worlds), (rng.random(worlds) < 0.1).astype(float), alpha)
        lower, upper = mean_bounds(states, alpha)
        missed |= (lower > 0.1) | (upper < 0.1)
    assert missed.mean() <= alpha
