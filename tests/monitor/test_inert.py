"""Foreign text keeps its letters and loses what hides or reorders them."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from monitor.inert import inert, shortened


@given(st.text(st.characters(exclude_categories=[])))
def test_nothing_invisible_remains(text: str) -> None:
    left = {c for c in inert(text) if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}
    assert left <= set("\n\t\u200c\u200d")


@given(st.text(st.characters(categories=["L", "M", "N", "P", "S", "Zs"])))
def test_what_can_be_seen_stays(text: str) -> None:
    assert inert(text) == text


def test_marks_are_spelled_out() -> None:
    assert inert("a\u202eb\x1b") == "a[U+202E]b[U+001B]"


def test_persian_and_emoji_keep_their_joiners() -> None:
    assert inert("می\u200cخواهم 👩\u200d🔬") == "می\u200cخواهم 👩\u200d🔬"


def test_a_cut_says_how_much() -> None:
    assert shortened("x" * 1010, 10) == "xxxxxxxxxx … (1,000 more characters)"
