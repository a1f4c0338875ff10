from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from monitor.binomial import below, log_pmf, rate_with_tail, tail

COUNTS = st.integers(1, 20_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
RATES = st.floats(1e-6, 1 - 1e-6)


@given(COUNTS, RATES)
def test_tail_equals_scipy(counts: tuple[int, int], p: float) -> None:
    k, n = counts
    assert stats.binom.sf(k - 1, n, p) == pytest.approx(tail(k, n, p), rel=1e-9, abs=1e-250)


@given(COUNTS, RATES)
def test_both_tails_share_one_outcome(counts: tuple[int, int], p: float) -> None:
    k, n = counts
    assert 1 + np.exp(log_pmf(k, n, p)) == pytest.approx(tail(k, n, p) + below(k, n, p), abs=1e-12)


@given(COUNTS.filter(lambda c: c[0] > 0), st.floats(1e-9, 0.5))
def test_rate_with_tail_equals_the_beta_quantile(counts: tuple[int, int], level: float) -> None:
    k, n = counts
    assert stats.beta.ppf(level, k, n - k + 1) == pytest.approx(rate_with_tail(k, n, level), rel=1e-9)


@pytest.mark.parametrize(
    ("k", "n", "p", "expected"),
    [(0, 0, 0.3, 1.0), (0, 5, 0.0, 1.0), (1, 5, 0.0, 0.0), (5, 5, 1.0, 1.0), (6, 5, 0.5, 0.0)],
)
def test_edges_of_the_tail(k: int, n: int, p: float, expected: float) -> None:
    assert expected == tail(k, n, p)
