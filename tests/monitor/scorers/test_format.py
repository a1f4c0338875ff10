"""`format`: the wrapping, apart from the answer inside."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.records import Score
from monitor.scorers.format import format_
from tests.monitor.made import pair

JSON = "Return only JSON with keys a and b."
CODE = "Solve it in Python. Generate the code only without any other text.\nclass Solution(object):"
FENCED = "Write a Python function f. Reply with one fenced code block."
BODY = "def f(x):\n    return x"


def judged(prompt: str, baseline: str, candidate: str, **body: Any) -> Score:
    score = format_(pair(prompt, baseline, candidate, **body))
    assert score is not None
    return score


@pytest.mark.parametrize(
    ("prompt", "baseline", "candidate", "label"),
    [
        (JSON, '{"a": 1}', '```json\n{"a": 1}\n```', "added_fence"),
        (JSON, '{"a": 1}', 'Here you are: {"a": 1}', "added_prose"),
        (JSON, '{"a": 1}', '{"a": 1', "lost_json"),
        (JSON, '{"a": 1}', "a is 1", "lost_json"),
        (CODE, BODY, f"```python\n{BODY}\n```", "added_fence"),
        (FENCED, f"```python\n{BODY}\n```", BODY, "lost_fence"),
        ("List them as a table.", "| a | b |\n|---|---|\n| 1 | 2 |", "a: 1, b: 2", "lost_table"),
    ],
)
def test_a_lost_or_added_wrapping_is_named(prompt: str, baseline: str, candidate: str, label: str) -> None:
    score = judged(prompt, baseline, candidate)
    assert (1.0, label, 0.0, 1.0) == (score.value, score.label, score.baseline, score.candidate)


@pytest.mark.parametrize(
    ("prompt", "baseline", "candidate"),
    [
        (JSON, '{"a": 1}', '{"a": 2}'),
        (JSON, '```json\n{"a": 1}\n```', '{"a": 1}'),
        ('Use json:\n```json\n{"a": "___"}\n```', '{"a": 1}', '```json\n{"a": 1}\n```'),
        (CODE, f"```python\n{BODY}\n```", f"```python\n{BODY}\n```"),
    ],
)
def test_no_wrapping_that_the_consumer_had_is_lost(prompt: str, baseline: str, candidate: str) -> None:
    assert judged(prompt, baseline, candidate).value == 0.0


def test_a_baseline_at_fault_is_measured_and_not_charged() -> None:
    score = judged(JSON, "a is 1", "a is 2")
    assert (score.value, score.baseline, score.candidate) == (0.0, 1.0, 1.0)


def test_a_field_of_the_template_must_stay() -> None:
    prompt = 'Answer as json:\n```json\n{\n  "reasoning": "___",\n  "answer": "___"\n}\n```'
    score = judged(prompt, '{"reasoning": "r", "answer": "4"}', '{"answer": "4"}')
    assert (score.label, score.explanation) == ("missing_keys", "lost a JSON field reasoning")


def test_the_schema_of_response_format_is_checked() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    asked = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    assert judged("Extract a.", '{"a": 1}', '{"a": "one"}', response_format=asked).label == "schema"
    assert judged("Extract a.", '{"a": 1}', '{"a": 2}', response_format=asked).value == 0.0


def test_it_does_not_apply_to_open_text() -> None:
    assert format_(pair("Tell me about Rome.", "Rome is old.", "```\nRome\n```")) is None
