"""Delayed labels as a signed gap around one half."""

from __future__ import annotations

import pytest

from monitor.records import Completion, Exchange, Label, Message, Pair, Request
from monitor.scorers.label import label


def _pair(*, baseline: bool | None, candidate: bool | None) -> Pair:
    request = Request("chat", {}, (Message("user", "hi"),))
    exchange = Exchange("p", 0.0, request, Completion("a"))
    return Pair(exchange, Completion("b"), label=Label(baseline, candidate))


@pytest.mark.parametrize(
    ("baseline", "candidate", "expected"),
    [(True, False, 1.0), (True, True, 0.5), (False, False, 0.5), (False, True, 0.0)],
)
def test_the_gap_is_signed(baseline: bool, candidate: bool, expected: float) -> None:
    score = label(_pair(baseline=baseline, candidate=candidate))
    assert score is not None
    assert score.value == expected


def test_half_a_label_says_nothing() -> None:
    assert label(_pair(baseline=None, candidate=True)) is None
