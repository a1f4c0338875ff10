"""Manners that are shown: hedging, preambles and closing offers, markdown."""

from __future__ import annotations

import pytest

from monitor.scorers import elicitation
from tests.monitor.made import pair

PLAIN = "Water boils at 100 degrees at sea level. The boiling point falls by one degree every 300 metres of height."
HEDGED = "Water probably boils at roughly 100 degrees, though it may vary, and perhaps the height might possibly matter."
CHATTY = "Sure! I'm sorry for the wait. As an AI, I have no taste. Water boils at 100. Let me know if you need more!"


def test_more_hedges_than_the_baseline_score() -> None:
    worse, better = (
        elicitation.hedging(pair("?", PLAIN, HEDGED)),
        elicitation.hedging(pair("?", HEDGED, PLAIN)),
    )
    assert worse is not None
    assert better is not None
    assert (worse.value, better.value) == (1.0, 0.0)


@pytest.mark.parametrize(
    "text",
    ["Yes.", "Ukulele tamaa ngumu sana kwa watoto wadogo wa shule za msingi nchini kote leo hii asubuhi"],
)
def test_hedging_is_unknown_for_short_texts_and_languages_without_a_list(text: str) -> None:
    assert elicitation.hedging(pair("?", text, text)) is None


def test_each_added_manner_is_a_quarter() -> None:
    score = elicitation.verbosity(pair("?", PLAIN, CHATTY))
    assert score is not None
    assert (score.value, score.label) == (1.0, "apology_closing_disclaimer_preamble")


@pytest.mark.parametrize("text", [
    "もちろん。お気軽にお尋ねください。",
    "Natürlich! Wenn Sie weitere Fragen haben, lassen Sie es mich wissen.",
    "Bien sûr. N'hésitez pas à me recontacter.",
    "¡Claro! Avísame si te falta algo.",
    "当然。如果您有其他问题,请告诉我。",
])  # fmt: skip
def test_preambles_and_closings_are_known_in_other_languages(text: str) -> None:
    assert {"preamble", "closing"} == elicitation.manners(text)


def test_each_added_construct_is_a_fifth() -> None:
    marked = "# Water\n- **100** degrees\n\n| a | b |\n|---|---|\n\n```\nx\n```"
    score = elicitation.markdown(pair("?", PLAIN, marked))
    assert score is not None
    assert (score.value, score.baseline, score.candidate) == (1.0, 0.0, 1.0)
    assert frozenset() == elicitation.markup("a * b * c, 2 ** 3, and a-b; #1 of 3")
