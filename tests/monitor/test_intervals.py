from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from monitor.binomial import tail
from monitor.intervals import (
    binomial_p_value,
    binomial_pairs_needed,
    clopper_pearson,
    e_bh,
    excess_p_value,
    fisher_p_value,
    holm,
    mcnemar_p_value,
    mcnemar_two_sided,
    newcombe,
    newcombe_paired,
    rate_at_least,
    rate_at_most,
    wilson,
)

COUNTS = st.integers(1, 3_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(COUNTS, st.floats(0.001, 0.999))
def test_binomial_p_value_equals_scipy(counts: tuple[int, int], rate: float) -> None:
    expected = stats.binomtest(*counts, rate, alternative="greater").pvalue
    assert expected == pytest.approx(binomial_p_value(*counts, rate), rel=1e-9, abs=1e-250)


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_equals_the_binomial_test_of_one_half(worse: int, better: int) -> None:
    expected = stats.binomtest(worse, max(worse + better, 1), 0.5).pvalue if worse + better else 1.0
    assert expected == pytest.approx(mcnemar_two_sided(worse, better), rel=1e-9)


def test_mcnemar_one_sided_looks_at_the_candidates_losses_only() -> None:
    assert mcnemar_p_value(9, 1) == pytest.approx(11 / 1024)
    assert mcnemar_p_value(1, 9) > 0.99


@given(COUNTS, st.sampled_from([0.2, 0.05, 0.001]))
def test_clopper_pearson_equals_scipy(counts: tuple[int, int], alpha: float) -> None:
    expected = stats.binomtest(*counts).proportion_ci(1 - alpha, method="exact")
    # scipy finds its limits by a root search with a tolerance of its own
    assert (expected.low, expected.high) == pytest.approx(clopper_pearson(*counts, alpha), abs=1e-9)


def test_one_sided_bounds_are_the_ends_of_the_wider_interval() -> None:
    assert clopper_pearson(7, 80, 0.1) == (rate_at_least(7, 80, 0.05), rate_at_most(7, 80, 0.05))


def test_an_empty_sample_says_nothing() -> None:
    assert clopper_pearson(0, 0) == wilson(0, 0) == (0.0, 1.0)
    assert newcombe(0, 0, 1, 5) == newcombe_paired(0, 0, 0, 0) == (-1.0, 1.0)
    assert excess_p_value(0, 0, 1, 9) == excess_p_value(3, 9, 0, 0) == 1.0


@given(COUNTS)
def test_wilson_equals_scipy(counts: tuple[int, int]) -> None:
    expected = stats.binomtest(*counts).proportion_ci(0.95, method="wilson")
    assert (expected.low, expected.high) == pytest.approx(wilson(*counts), abs=1e-9)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        # Newcombe (1998a), table II, method 10
        ((56, 70, 48, 80), (0.0524, 0.3339)),
        ((9, 10, 3, 10), (0.1705, 0.8090)),
        ((5, 56, 0, 29), (-0.0381, 0.1926)),
        ((0, 10, 0, 20), (-0.1611, 0.2775)),
        ((10, 10, 0, 20), (0.6791, 1.0)),
    ],
)
def test_newcombe_reproduces_published_examples(
    counts: tuple[int, int, int, int], expected: tuple[float, float]
) -> None:
    assert expected == pytest.approx(newcombe(*counts), abs=6e-5)


def test_paired_newcombe_reproduces_the_published_example() -> None:
    # Newcombe (1998b), table II, method 10
    assert newcombe_paired(36, 12, 2, 0) == pytest.approx((0.0569, 0.3404), abs=6e-5)


def test_paired_newcombe_without_correlation_is_the_unpaired_interval() -> None:
    assert newcombe_paired(6, 6, 6, 6) == pytest.approx(newcombe(12, 24, 12, 24))


@given(*[st.integers(0, 60)] * 4)
def test_paired_newcombe_is_mirrored_when_the_arms_swap(a: int, b: int, c: int, d: int) -> None:
    lower, upper = newcombe_paired(a, b, c, d)
    assert newcombe_paired(a, c, b, d) == pytest.approx((-upper, -lower), abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 40), st.integers(2, 40), st.floats(0, 0.3), st.integers(0, 190).map(lambda i: i / 200))
def test_the_excess_test_keeps_its_level_at_any_reference_rate(
    n: int, n0: int, allowed: float, reference: float
) -> None:
    rate = min(reference + allowed, 1.0)
    mass = stats.binom.pmf(np.arange(n + 1), n, rate)
    mass0 = stats.binom.pmf(np.arange(n0 + 1), n0, reference)
    p = np.array([[excess_p_value(k, n, k0, n0, allowed) for k0 in range(n0 + 1)] for k in range(n + 1)])
    for alpha in (0.001, 0.05, 0.3):
        assert (mass @ (p <= alpha)) @ mass0 <= alpha


def test_the_excess_test_is_hardly_weaker_than_barnards() -> None:
    table = [[30, 10], [270, 190]]
    barnard = stats.barnard_exact(table, alternative="greater", pooled=False, n=64).pvalue
    assert excess_p_value(30, 300, 10, 200) <= 1.1 * barnard


def test_the_excess_test_approaches_the_binomial_test_of_a_known_rate() -> None:
    assert excess_p_value(20, 100, 200_000, 2_000_000, 0.02) == pytest.approx(tail(20, 100, 0.12), rel=0.05)


@given(COUNTS, COUNTS)
def test_fisher_equals_scipy(counts: tuple[int, int], counts0: tuple[int, int]) -> None:
    (k, n), (k0, n0) = counts, counts0
    expected = stats.hypergeom.sf(k - 1, n + n0, k + k0, n)
    assert expected == pytest.approx(fisher_p_value(k, n, k0, n0), rel=1e-8, abs=1e-250)


def test_an_excess_within_the_allowance_is_no_evidence() -> None:
    assert excess_p_value(15, 100, 10, 100, 0.05) == 1.0


def test_holm_steps_down() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]).size == 0


def test_e_bh_lists_the_largest_that_support_each_other() -> None:
    assert e_bh([1.0, 45.0, 50.0, 0.2], 0.05).tolist() == [False, True, True, False]
    assert e_bh([1.0, 45.0, 30.0, 0.2], 0.05).tolist() == [False, False, False, False]
    assert e_bh([], 0.05).size == 0


@pytest.mark.parametrize(("null", "rate"), [(0.05, 0.2), (0.02, 0.17), (0.005, 0.05), (0.5, 0.6)])
def test_pairs_needed_is_the_smallest_sufficient_sample(null: float, rate: float) -> None:
    needed = binomial_pairs_needed(null, rate, 0.01, 0.9)
    assert needed is not None

    def power(n: int) -> float:
        critical = next(k for k in range(n + 2) if tail(k, n, null) <= 0.01)
        return tail(critical, n, rate)

    assert power(needed) >= 0.9
    assert max(power(n) for n in range(1, needed)) < 0.9


def test_no_sample_suffices_without_an_effect() -> None:
    assert binomial_pairs_needed(0.05, 0.05) is None
    assert binomial_pairs_needed(0.05, 0.0501, largest=1000) is None
