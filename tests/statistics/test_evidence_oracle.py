"""The detector against an independent implementation: a Shiryaev-Roberts wealth is the sum, over the
moments at which money came in, of betting e-processes that start there (`ville`)."""

from __future__ import annotations

import numpy as np
import pytest
from ville import BettingTest

from monitor.detector import BETS, Bank

# With so small an error rate ville's predictable bet exceeds its truncation c/m: it bets exactly c/m.
ALWAYS_TRUNCATED = 1e-300


def wealth_by_ville(x: np.ndarray, null: float, paid: float) -> float:
    total = 0.0
    for bet in BETS:
        for start in range(len(x)):
            test = BettingTest(null, alternative="greater", alpha=ALWAYS_TRUNCATED, c=float(bet))
            total += paid / len(BETS) * float(test.fit(x[start:]).e_values_[-1])
    return total


@pytest.mark.parametrize("null", [0.35, 0.5, 0.7])
@pytest.mark.parametrize("seed", range(3))
def test_evidence_equals_the_sum_of_villes_e_processes(null: float, seed: int) -> None:
    x = np.random.default_rng(seed).random(25)
    bank = Bank(two_stream=False)
    bank.add(np.array([null]), 0.0, 1e-9)
    bank.feed(np.zeros(25, np.int64), np.arange(1.0, 26.0), x, None, np.arange(25))

    assert bank.cells.wealth.sum() == pytest.approx(wealth_by_ville(x, null, 1e-9), rel=1e-9)
