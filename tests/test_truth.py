"""The benchmark's own yardstick: truth per segment, and the rivals' similarity."""

from __future__ import annotations

import pytest

from tests.benchmarks.text_rivals import token_f1
from tests.benchmarks.truth import Truth, outcome


def test_a_loss_is_what_was_lost_less_what_was_won() -> None:
    assert Truth(pairs=100, lost=20, won=5).loss == pytest.approx(0.15)


@pytest.mark.parametrize(
    ("truth", "regression"),
    [
        (Truth(100, 20, 5), True),
        (Truth(100, 12, 11), False),
        (Truth(10, 2, 0), False),
        (Truth(0, 0, 0), False),
    ],
)
def test_a_regression_is_large_and_no_chance(truth: Truth, regression: bool) -> None:
    assert truth.is_regression is regression


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"correct": False}, False),
        ({"label": "1_full_compliance"}, True),
        ({"label": "3_partial_refusal"}, False),
        ({"answered": "1"}, True),
        ({"text": "open"}, None),
    ],
)
def test_an_outcome_is_known_or_it_is_not(row: dict[str, object], expected: bool | None) -> None:
    assert outcome(row) is expected


def test_token_f1_counts_words_or_characters() -> None:
    assert token_f1("a b c", "a b c") == 1.0
    assert token_f1("the cat sat", "the dog sat") == pytest.approx(2 / 3)
    assert 0 < token_f1("東京は日本の首都です", "京都は日本の古都です") < 1
    assert token_f1("", "") == 1.0
