from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from monitor.noise_floor import (
    CELLS,
    EDGES,
    FLOORS,
    IDLE,
    KAPPAS,
    KNOTS,
    POOLED,
    Floats,
    floor_evidence,
    knot_counts,
)

unit = st.floats(0, 1, allow_subnormal=False)
scores = arrays.arrays(np.float64, st.integers(1, 80), elements=unit)


def direct(x0: Floats) -> Floats:
    """The mixture of bets on the scores themselves, nothing interpolated."""
    factors = 1 + KAPPAS[:, None, None] * (FLOORS[:, None] - x0) / (1 - FLOORS[:, None])
    mixed: Floats = IDLE + (1 - IDLE) * factors.prod(axis=2).mean(axis=0)
    return mixed


def evidence(x0: Floats) -> Floats:
    found: Floats = floor_evidence(knot_counts(x0).sum(axis=0)[None])[0]
    return found


def test_the_cells_cover_every_rate() -> None:
    assert (CELLS, EDGES[0], EDGES[-1]) == (25, 0.0, 1.0)
    assert (np.diff(EDGES) > 0).all()


@given(scores)
def test_interpolation_never_claims_more_than_the_bets_themselves(x0: np.ndarray) -> None:
    assert (evidence(x0) <= direct(x0) * (1 + 1e-9)).all()


@given(arrays.arrays(np.float64, st.integers(1, 80), elements=st.sampled_from([float(k) for k in KNOTS])))
def test_scores_on_a_knot_lose_nothing(x0: np.ndarray) -> None:
    np.testing.assert_allclose(evidence(x0), direct(x0), rtol=1e-9)


@given(scores)
def test_counts_keep_number_and_mean(x0: np.ndarray) -> None:
    counts = knot_counts(x0)
    np.testing.assert_allclose(counts.sum(axis=1), 1.0)
    np.testing.assert_allclose(counts @ KNOTS, x0, atol=1e-12)


def test_replays_below_a_floor_speak_against_it_and_never_for_ever_against_a_lower_one() -> None:
    found = evidence(np.tile([0.0] * 19 + [1.0], 500))
    assert found[FLOORS >= 0.14].min() > 1e6
    assert found[0] >= IDLE


def test_the_mean_of_the_evidence_against_a_true_floor_is_at_most_one() -> None:
    rng = np.random.default_rng(1)
    x0 = (rng.random((20_000, 50)) < FLOORS[10]).astype(float)
    counts = np.zeros((len(x0), len(KNOTS)))
    counts[:, -1], counts[:, 0] = x0.sum(axis=1), 50 - x0.sum(axis=1)
    assert floor_evidence(counts)[:, 10].mean() == pytest.approx(1.0, abs=0.1)


def test_a_parents_replays_count_against_a_floor_twice_as_high() -> None:
    counts = knot_counts(np.zeros(200)).sum(axis=0)[None]
    own, lent = floor_evidence(counts)[0], floor_evidence(counts, POOLED)[0]
    assert (lent <= own).all()
    assert lent[2] == pytest.approx(1.0)
    assert lent[-1] > 1e6
