"""`number_scale`: orders of magnitude."""

from __future__ import annotations

import pytest

from monitor.scorers.numbers import number_scale
from tests.monitor.made import pair

PROMPT = "The house has 5 rooms at 250 each. How much is it?"


@pytest.mark.parametrize(
    ("baseline", "candidate", "value"),
    [
        ("It is 1,250 dollars.", "It is 1,250,000 dollars.", 1.0),
        ("It is 1,250 dollars.", "It is 1,260 dollars.", 0.0),
        ("It is 12%.", "It is 0.12.", 0.0),
        ("It is 5.", "It is -5.", 1.0),
        ("It is 5.", "It is 0.", 1.0),
        ("It is 9.9.", "It is 99.", 1.0),
    ],
)
def test_a_factor_of_ten_is_a_change_of_scale(baseline: str, candidate: str, value: float) -> None:
    score = number_scale(pair(PROMPT, baseline, candidate))
    assert score is not None
    assert value == score.value


def test_it_needs_two_numbers() -> None:
    assert number_scale(pair(PROMPT, "It is 5.", "I do not know.")) is None
    assert number_scale(pair("Tell me a story.", "5", "500")) is None
