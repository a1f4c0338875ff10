"""The yardstick itself: what nobody exports is found."""

from __future__ import annotations

import pytest

from tests.deploy.exported import exported
from tests.deploy.promql import problems


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("tailgate_pears_total", ["no metric tailgate_pears_total"]),
        ('tailgate_pairs_total{signal="answer"}', ["tailgate_pairs_total has no label signal"]),
        (
            "sum by (role) (tailgate_pairs_total)",
            ["role is a label of nothing in: tailgate_pairs_total"],
        ),
    ],
)
def test_what_nobody_exports_is_named(expression: str, expected: list[str]) -> None:
    assert expected == problems(expression, exported())


def test_both_sides_of_a_match_must_have_the_label() -> None:
    found = problems("tailgate_pairs_total and on (signal) tailgate_segment_evidence", exported())
    assert len(found) == 1


def test_a_broken_expression_is_an_error() -> None:
    with pytest.raises(ValueError, match="parenthesis"):
        problems("sum by (", exported())
