"""`first_option`: the shift towards the first of the enumerated options."""

from __future__ import annotations

import pytest

from monitor.scorers.position import first_option
from tests.monitor.made import pair

MENU = "Pick one option.\nA. Iron\nB. Mercury\nC. Gold"


@pytest.mark.parametrize(
    ("baseline", "candidate", "value"), [("B", "A", 1.0), ("A", "A", 0.0), ("A", "B", 0.0), ("B", "C", 0.0)]
)
def test_only_a_move_to_the_first_counts(baseline: str, candidate: str, value: float) -> None:
    score = first_option(pair(MENU, baseline, candidate))
    assert score is not None
    assert (value, float(baseline == "A"), float(candidate == "A")) == (
        score.value,
        score.baseline,
        score.candidate,
    )


def test_it_needs_options() -> None:
    assert first_option(pair("Say A or B.", "A", "B")) is None


def test_lettered_data_is_no_menu() -> None:
    prompt = "Summarise the following notes.\na) Rain fell.\nb) Wind blew.\nc) Sun shone."
    assert first_option(pair(prompt, "B. was rain", "A. was rain")) is None
