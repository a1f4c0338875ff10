"""Divergence, similarity and length: shown, never tested."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.scorers.similarity import divergence, first_divergence, length, similarity, words
from tests.monitor.made import pair


def test_divergence_is_one_event_over_the_words_exposed() -> None:
    score = divergence(pair("Hi", "one two three four", "one two drei vier"))
    assert score is not None
    assert score.value == pytest.approx(1 / 3)
    same = divergence(pair("Hi", "one two", "one two"))
    assert same is not None
    assert same.value == 0.0


def test_similarity_is_the_share_of_words_out_of_order() -> None:
    score = similarity(pair("Hi", "a b c d", "a x c d"))
    assert score is not None
    assert score.value == pytest.approx(0.25)


@pytest.mark.parametrize(("size", "value"), [(20, 0.0), (9, 1.0), (41, 1.0), (40, 0.0)])
def test_length_shows_less_than_half_or_more_than_twice(size: int, value: float) -> None:
    score = length(pair("Hi", "x" * 20, "x" * size))
    assert score is not None
    assert value == score.value


def test_scripts_without_spaces_are_read_by_character() -> None:
    assert words("漢字 abc def") == ("漢", "字", "abc", "def")


@given(st.lists(st.text("ab", min_size=1), max_size=8), st.lists(st.text("ab", min_size=1), max_size=8))
def test_texts_agree_up_to_the_divergence(a: list[str], b: list[str]) -> None:
    at = first_divergence(tuple(a), tuple(b))
    if at is None:
        assert a == b
    else:
        assert a[:at] == b[:at]
        assert a[: at + 1] != b[: at + 1]
