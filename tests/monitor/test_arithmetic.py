"""Bare arithmetic is recognised in any language; dates, ranges and versions are not arithmetic."""

from __future__ import annotations

import pytest

from monitor.arithmetic import asks_arithmetic


@pytest.mark.parametrize(
    "text", ["What is 1 + 2?", "17*23 =", "7/8 - 3/8", "Wie viel ist 12 × 30?", "(3 - 1) / 4", "2^10?"]
)
def test_expressions_ask_for_their_result(text: str) -> None:
    assert asks_arithmetic(text)


@pytest.mark.parametrize(
    "text",
    [
        "The meeting is 2026-11-22 - 10:30 until 11:30",
        "Call 555-1234",
        "What happened on 9/11?",
        "C++11 and C++17",
        "pages 10-20",
        "1 + 2 " + "and a long story about other things " * 10,
    ],
)
def test_dates_ranges_versions_and_long_texts_do_not(text: str) -> None:
    assert not asks_arithmetic(text)
