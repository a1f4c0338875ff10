"""Percentiles per level, knee and late requests, from given durations."""

from __future__ import annotations

import pytest

from monitor.probes.draws import Draws
from monitor.probes.load import Shot, arrivals, compared, load_row, with_knee


def shots(count: int, slow: int = 0, failed: int = 0) -> list[Shot]:
    return [Shot(1.0)] * (count - slow - failed) + [Shot(5.0)] * slow + [Shot(None)] * failed


def test_arrivals_have_the_offered_rate() -> None:
    due = arrivals(2000, 8.0, Draws("a"))
    assert due == sorted(due)
    assert due[-1] == pytest.approx(250, rel=0.1)


def test_a_trace_gives_its_shape_and_not_its_rate() -> None:
    due = arrivals(4, 2.0, Draws("a"), [0.0, 3.0, 4.0, 7.0, 8.0])
    assert due == pytest.approx([0.75, 1.0, 1.75, 2.0])


def test_percentiles_and_tail_ratio() -> None:
    row = load_row("candidate", 8, 4.0, shots(100, slow=5, failed=2))
    assert row.duration is not None
    assert (row.sent, row.failed, row.duration.p50, row.tail_ratio) == (100, 2, 1.0, 5.0)


def test_the_knee_is_the_first_level_whose_tail_doubled() -> None:
    rows = [
        load_row("candidate", level, 1.0, shots(100, slow=late))
        for level, late in ((1, 0), (8, 0), (16, 5), (32, 9))
    ]
    assert [row.concurrency for row in with_knee(rows) if row.knee] == [16]


def test_without_answers_there_is_no_knee() -> None:
    (row,) = with_knee([load_row("candidate", 1, 1.0, shots(20, failed=20))])
    assert (row.duration, row.knee) == (None, False)


def test_late_and_failed_requests_count_against_the_candidate() -> None:
    before = [shots(200), shots(200)]
    own = [shots(200), shots(200, slow=15, failed=5)]
    rows = [
        load_row("candidate", level, 1.0, level_shots)
        for level, level_shots in zip((1, 16), own, strict=True)
    ]
    judged = compared(rows, own, before)
    assert [(row.verdict, row.late) for row in judged] == [("ok", 0), ("worse", 20)]
