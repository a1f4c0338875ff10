"""The constraint miner on IFEval's and M-IFEval's registered instructions and strict results (issue 3)."""

from __future__ import annotations

import pytest

from tests.benchmarks.constraint_truth import flips, mining
from tests.benchmarks.runs import MISSING, RUNS

pytestmark = [pytest.mark.corpora, pytest.mark.skipif(not RUNS.is_dir(), reason=MISSING)]


def test_it_finds_the_registered_instructions_and_little_else() -> None:
    mined = mining()
    assert mined.found.total() >= 400
    assert mined.recall >= 0.85, mined.missed.most_common(9)
    assert mined.precision >= 0.95, mined.invented.most_common(9)


def test_kept_to_broken_agrees_with_the_strict_results() -> None:
    found = flips()
    assert found.both >= 200
    assert found.precision >= 0.9
    assert found.recall >= 0.9
