"""Failures, silence, limits and loops of the candidate, counted where the baseline had none."""

from __future__ import annotations

import pytest

from monitor.records import Completion, ToolCall
from monitor.scorers import integrity
from tests.monitor.made import pair

FAILED = Completion("par", error_type="timeout")
CALL = Completion("", (ToolCall("weather", "{}"),), "tool_calls")
CUT = Completion("half an answ", finish_reason="length")
LOOP = "and the sum is even, so we return to the first case " * 30


def test_a_failed_candidate_is_an_error_with_its_type() -> None:
    score = integrity.error(pair("Hi", "Hello.", FAILED))
    assert score is not None
    assert (score.value, score.label) == (1.0, "timeout")


def test_without_a_baseline_answer_there_is_nothing_to_lose() -> None:
    assert integrity.error(pair("Hi", FAILED, FAILED)) is None
    assert integrity.empty(pair("Hi", "", "")) is None


@pytest.mark.parametrize(
    ("candidate", "value"), [(Completion(" \n"), 1.0), (CALL, 0.0), (Completion("Hello."), 0.0)]
)
def test_only_silence_is_empty(candidate: Completion, value: float) -> None:
    score = integrity.empty(pair("Hi", "Hello.", candidate))
    assert score is not None
    assert value == score.value


def test_one_fault_is_counted_by_one_signal() -> None:
    broken = pair("Hi", "Hello.", FAILED)
    assert [f(broken) for f in (integrity.empty, integrity.truncated, integrity.degenerate)] == [
        None,
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("baseline", "candidate", "value"), [("whole.", CUT, 1.0), (CUT, CUT, 0.0), (CUT, "whole.", 0.0)]
)
def test_truncation_counts_where_the_baseline_stopped(
    baseline: str | Completion, candidate: str | Completion, value: float
) -> None:
    score = integrity.truncated(pair("Hi", baseline, candidate))
    assert score is not None
    assert value == score.value


def test_truncation_needs_finish_reasons() -> None:
    assert integrity.truncated(pair("Hi", "whole.", Completion("half"))) is None


def test_a_looping_candidate_is_degenerate_unless_the_baseline_loops_too() -> None:
    worse, both = (
        integrity.degenerate(pair("Prove it.", "It is even.", LOOP)),
        integrity.degenerate(pair("Prove it.", LOOP, LOOP + LOOP)),
    )
    assert worse is not None
    assert both is not None
    assert (worse.value, both.value, both.candidate) == (1.0, 0.0, 1.0)


def test_repetition_that_was_asked_for_is_no_loop() -> None:
    assert integrity.degenerate(pair("Write the word yes 500 times.", "No.", "yes " * 500)) is None
