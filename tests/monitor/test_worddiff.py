"""The diff shows what changed, on both sides, and little else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitor.worddiff import Side, side_by_side


def _changed(side: Side) -> list[str]:
    return [span.text for span in side if span.changed and span.text]


def _text(side: Side) -> str:
    return "".join(span.text for span in side)


def test_the_changed_word_is_marked_on_both_sides() -> None:
    left, right = side_by_side("the answer is 42 apples", "the answer is 24 apples")
    assert (_changed(left), _changed(right)) == (["42"], ["24"])


def test_equal_texts_have_nothing_marked() -> None:
    left, right = side_by_side("same", "same")
    assert (_text(left), _changed(left), _changed(right)) == ("same", [], [])


def test_long_equal_stretches_are_left_out() -> None:
    same = "word " * 500
    left, _ = side_by_side(same + "a " + same, same + "b " + same)
    assert len(_text(left)) < 200
    assert _text(left).count("…") == 2


def test_scripts_without_spaces_differ_by_character() -> None:
    left, right = side_by_side("東京は日本の首都です", "京都は日本の首都です")
    assert len("".join(_changed(left))) <= 2
    assert "都" in "".join(_changed(right))


def test_a_loop_is_cut_short() -> None:
    _, right = side_by_side("fine answer", "! " * 2048)
    assert len(_text(right)) < 600


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_two_texts_can_be_shown(left: str, right: str) -> None:
    a, b = side_by_side(left, right)
    assert (left == right) == (not _changed(a) and not _changed(b))
