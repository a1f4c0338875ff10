"""Worlds in which nothing is wrong: alarms stay below the budget that was paid, however it is asked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from monitor.detector import CAP, Bank, Crossing

WORLDS, LENGTH = 10_000, 400
unit = st.floats(0, 1, allow_subnormal=False)


def alarms(crossings: list[Crossing]) -> int:
    return sum(c.alarm for c in crossings)


def watch(x: np.ndarray, x0: np.ndarray | None, null: float, paid_each: float) -> tuple[int, float]:
    """Alarms and budget paid over worlds (n, length), one look per exchange."""
    worlds, length = x.shape
    bank = Bank(two_stream=x0 is not None)
    bank.add(np.full(worlds, null), 0.0, paid_each)
    rows, times = np.tile(np.arange(worlds), length), np.repeat(np.arange(1.0, length + 1), worlds)
    reference = None if x0 is None else x0.T.ravel()
    found = bank.feed(rows, times, x.T.ravel(), reference, times.astype(np.int64))
    return alarms(found), bank.paid


@settings(deadline=None)
@given(arrays.arrays(np.float64, st.integers(1, 200), elements=unit), st.floats(0.005, 0.9), st.booleans())
def test_wealth_is_never_negative_nor_above_the_cap(x: np.ndarray, null: float, two_stream: bool) -> None:
    bank = Bank(two_stream=two_stream)
    bank.add(np.array([null if not two_stream else 0.05]), 0.0, 1e-3)
    bank.feed(np.zeros(len(x), np.int64), np.arange(1.0, len(x) + 1), x, x[::-1].copy(), np.arange(len(x)))

    assert (bank.cells.wealth >= 0).all()
    assert np.isfinite(bank.cells.wealth).all()
    assert 0 <= bank.cells.evidence[0] <= CAP


@pytest.mark.parametrize("null", [0.02, 0.1, 0.5])
def test_ten_thousand_worlds_at_the_exact_null_stay_within_what_was_paid(null: float) -> None:
    x = (np.random.default_rng(1).random((WORLDS, LENGTH)) < null).astype(float)
    found, paid = watch(x, None, null, 20 / WORLDS / LENGTH * 10)
    # Poisson noise on a bound of 200: 3.3 standard deviations are 47.
    assert found <= paid + 47
    assert found > 0.2 * paid


def paired(correlation: float, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """0/1 scores of candidate and replay, mean 0.3 each, with a correlation within the exchange."""
    rng = np.random.default_rng(seed)
    p = 0.3
    both = min(max(p * p + correlation * p * (1 - p), 0.0), p)
    u = rng.random((1_000, 800))
    x = (u < p).astype(float)
    x0 = ((u < both) | ((u >= p) & (u < p + (p - both)))).astype(float)
    return x, np.where(rng.random(x.shape) < share, x0, np.nan)


@pytest.mark.parametrize("share", [1.0, 0.2])
@pytest.mark.parametrize("correlation", [0.0, 0.4])
def test_two_streams_stay_within_the_budget_at_any_correlation_that_is_not_negative(
    correlation: float, share: float
) -> None:
    x, x0 = paired(correlation, share, seed=2)
    found, paid = watch(x, x0, 0.0, 2.5e-4)
    assert paid == pytest.approx(200)
    assert found <= paid + 47


def test_what_a_negative_correlation_does_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    x, x0 = paired(-0.4, 0.2, seed=3)
    found, paid = watch(x, x0, 0.0, 2.5e-4)
    provable, _ = watch(np.where(np.isnan(x0), x, np.nan), x0, 0.0, 2.5e-4)
    with capsys.disabled():
        print(f"\ncorrelation -0.4: {found} alarms for {paid:.0f} paid; in the provable form {provable}")
    replayed = ~np.isnan(x0)
    assert np.corrcoef(x[replayed], x0[replayed])[0, 1] == pytest.approx(-0.4, abs=0.02)
    assert provable <= paid + 47
