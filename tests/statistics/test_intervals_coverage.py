"""Intervals and corrections do what they promise, computed exactly where it can be."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from monitor.betting import FRESH, e_values, log_wealths, mean_bounds, observe
from monitor.intervals import binomial_p_value, clopper_pearson, e_bh, holm, newcombe, wilson

RATES = np.linspace(0.005, 0.995, 67)


def coverage(n: int, rate: float, *, exact: bool) -> float:
    intervals = [(clopper_pearson if exact else wilson)(k, n) for k in range(n + 1)]
    inside = np.array([i.lower <= rate <= i.upper for i in intervals])
    return float(stats.binom.pmf(np.arange(n + 1), n, rate) @ inside)


@pytest.mark.parametrize("n", [5, 40, 150])
def test_clopper_pearson_never_covers_less_than_it_says(n: int) -> None:
    assert min(coverage(n, rate, exact=True) for rate in RATES) >= 0.95


def test_wilson_covers_about_as_often_as_it_says() -> None:
    covered = [coverage(100, rate, exact=False) for rate in RATES]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.01)


@pytest.mark.parametrize(("rate", "rate0"), [(0.1, 0.1), (0.25, 0.1), (0.02, 0.01), (0.6, 0.4)])
def test_newcombe_covers_the_difference(rate: float, rate0: float) -> None:
    n, n0 = 60, 40
    mass = np.outer(*(stats.binom.pmf(np.arange(m + 1), m, p) for m, p in ((n, rate), (n0, rate0))))
    inside = [[_holds(newcombe(k, n, k0, n0), rate - rate0) for k0 in range(n0 + 1)] for k in range(n + 1)]
    assert float(np.sum(mass * np.array(inside))) >= 0.935


def _holds(interval: tuple[float, float], value: float) -> bool:
    return interval[0] <= value <= interval[1]


def test_holm_is_wrong_about_any_one_in_at_most_five_percent() -> None:
    rng, wrong = np.random.default_rng(1), 0
    for _ in range(1_000):
        healthy = rng.binomial(80, 0.05, 40)
        p = [binomial_p_value(int(k), 80, 0.05) for k in healthy] + [1e-9] * 5
        wrong += bool(np.any(holm(p)[:40] <= 0.05))
    assert wrong <= 50


def test_the_weekly_list_keeps_its_share_of_wrong_lines() -> None:
    rng, shares, found = np.random.default_rng(2), [], []
    for _ in range(60):
        rates = np.where(np.arange(300) < 15, 0.25, 0.12)
        logs = np.stack([log_wealths(rng.random(400) < rate, 0.12) for rate in rates])
        listed = e_bh(e_values(logs))
        shares.append(listed[15:].sum() / max(listed.sum(), 1))
        found.append(listed[:15].mean())
    assert np.mean(shares) <= 0.05
    assert np.mean(found) >= 0.8


def test_the_displayed_interval_holds_over_a_day_of_looks_and_is_useful_at_its_end() -> None:
    rng, worlds = np.random.default_rng(3), 500
    states, wrong = np.tile(FRESH, (worlds, 1)), np.zeros(worlds, dtype=bool)
    for _ in range(576):
        states = observe(states, np.arange(worlds), (rng.random(worlds) < 0.1).astype(float))
        lower, upper = mean_bounds(states)
        wrong |= (lower > 0.1) | (upper < 0.1)
    assert wrong.mean() <= 0.05
    assert np.mean(upper - lower) <= 0.10
