"""Distance to the reference sample, in its own percentiles."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.errors import ConfigError
from monitor.scorers.ood import BANDS, OodIndex

TOPICS = ("invoice total due", "refund order number", "delivery address city", "password reset mail")
REFERENCE = [f"Please check the {TOPICS[i % 4]} of customer {i % 17} in month {i % 12}" for i in range(200)]
INDEX = OodIndex.build(REFERENCE)


def test_a_text_like_the_reference_is_near_and_a_foreign_one_far() -> None:
    assert INDEX.percentile(REFERENCE[3]) < 0.9
    assert INDEX.band("Quantum chromodynamics lattice gauge fermions") == ">p99"


def test_the_bands_hold_about_their_shares_of_the_reference() -> None:
    far = sum(INDEX.percentile(text) >= 0.9 for text in REFERENCE)
    assert far <= 0.2 * len(REFERENCE)


def test_scripts_without_spaces_are_compared_by_character_pairs() -> None:
    index = OodIndex.build([f"請求書の合計を確認してください{i}" for i in range(50)])
    assert index.percentile("請求書の合計を確認してください") < index.percentile("量子色力学の格子")


@pytest.mark.parametrize("texts", [[], ["one text"], ["", "!!!"]])
def test_a_reference_without_words_is_a_configuration_error(texts: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"ood\.reference"):
        OodIndex.build(texts)


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(codec=None), max_size=200))
def test_any_text_has_a_band(text: str) -> None:
    assert INDEX.band(text) in BANDS
