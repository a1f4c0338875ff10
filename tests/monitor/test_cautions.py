"""Warnings: the earliest sign first, the segment that matters named, nothing said twice."""

from __future__ import annotations

from monitor.cautions import Observed, cautions, unknown_keys, unreadable
from monitor.records import ALL, Segment

HI, EN = Segment("language=hi"), Segment("language=en")


def _facts(n: int, *segments: Segment, ratio: float | None = 1.0, fault: str | None = None) -> list[Observed]:
    return [Observed(f"{segments}{ratio}{fault}{i}", (ALL, *segments), ratio, fault) for i in range(n)]


def _said(rows: list[Observed], *, has_floor: bool = True) -> list[str]:
    return list(cautions(rows, has_floor=has_floor))


def test_a_healthy_file_has_no_warning() -> None:
    assert _said(_facts(50, EN)) == []


def test_much_longer_answers_are_the_first_warning() -> None:
    rows = _facts(30, HI, ratio=3.6, fault="degenerate")
    assert _said(rows)[0].startswith("length: the candidate's answers are 3.6 times as long (median)")


def test_much_shorter_answers_are_a_warning_too() -> None:
    assert "0.01 times as long" in _said(_facts(30, EN, ratio=0.01))[0]


def test_a_length_change_in_one_segment_names_it() -> None:
    assert "in language=hi" in _said(_facts(200, EN) + _facts(20, HI, ratio=4.0))[0]


def test_a_degenerate_baseline_is_named_with_its_segment() -> None:
    rows = _facts(69, HI) + _facts(31, HI, fault="degenerate") + _facts(300, EN)
    assert _said(rows) == ["baseline itself is degenerate in language=hi (31 %)"]


def test_a_fault_is_told_in_words_of_its_language() -> None:
    rows = _facts(40, Segment("group=x"), HI, fault="degenerate") + _facts(40, EN)
    assert _said(rows) == ["baseline itself is degenerate in language=hi (100 %)"]


def test_a_fault_everywhere_is_told_once() -> None:
    rows = _facts(50, HI, fault="degenerate") + _facts(50, EN, fault="degenerate")
    assert len(_said(rows)) <= 2


def test_a_missing_noise_floor_is_said() -> None:
    assert "no control arm" in _said(_facts(5), has_floor=False)[0]


def test_repeated_ids_are_said() -> None:
    assert _said([Observed("a", (ALL,), 1.0, None)] * 3) == [
        "2 pairs carry an id that an earlier pair has; each is counted"
    ]


def test_bad_lines_are_summed_up_and_named() -> None:
    assert list(
        unreadable("f.jsonl", {"not_json": 1, "no_answer": 1}, ["line 7: not_json: x", "line 9: …"])
    ) == [
        "f.jsonl: 2 unusable lines (no_answer 1, not_json 1)",
        "f.jsonl: line 7: not_json: x",
        "f.jsonl: line 9: …",
    ]


def test_unknown_keys_are_shortened() -> None:
    (said,) = unknown_keys("f", {str(i): 1 for i in range(7)})
    assert said.endswith("and 2 more")


def test_nothing_bad_nothing_said() -> None:
    assert [*unreadable("f", {}, ()), *unknown_keys("f", {})] == []
