"""`tool_call`: calls against the tools that the request offers."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.records import Completion, Score, ToolCall
from monitor.scorers.tool_call import tool_call, violation
from tests.monitor.made import pair

PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "maximum": 7}},
    "required": ["city"],
}
TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}}]
GOOD = Completion(tool_calls=(ToolCall("weather", '{"city": "Kyiv", "days": 3}'),))


def judged(candidate: Completion | str, baseline: Completion = GOOD) -> Score:
    score = tool_call(pair("Weather in Kyiv?", baseline, candidate, tools=TOOLS))
    assert score is not None
    return score


@pytest.mark.parametrize(
    ("candidate", "label"),
    [
        ("It is sunny.", "missing"),
        ('{"name": "weather", "parameters": {"city": "Kyiv"}}', "call_as_text"),
        (Completion(tool_calls=(ToolCall("wether", "{}"),)), "unknown_tool"),
        (Completion(tool_calls=(ToolCall("weather", '{"city": '),)), "arguments_not_json"),
        (Completion(tool_calls=(ToolCall("weather", '{"days": 3}'),)), "schema"),
        (Completion(tool_calls=(ToolCall("weather", '{"city": "Kyiv", "days": "3"}'),)), "schema"),
    ],
)
def test_what_is_wrong_with_a_call_is_named(candidate: Completion | str, label: str) -> None:
    score = judged(candidate)
    assert (1.0, label) == (score.value, score.label)


def test_another_valid_call_is_no_fault() -> None:
    assert judged(Completion(tool_calls=(ToolCall("weather", '{"city": "Lviv"}'),))).value == 0.0


def test_a_baseline_at_fault_is_not_charged() -> None:
    broken = Completion(tool_calls=(ToolCall("weather", "{}"),))
    score = judged("It is sunny.", broken)
    assert (score.value, score.baseline, score.candidate) == (0.0, 1.0, 1.0)


def test_it_applies_only_where_the_baseline_called() -> None:
    assert tool_call(pair("Hi", "Hello.", GOOD, tools=TOOLS)) is None
    assert tool_call(pair("Hi", GOOD, GOOD)) is None


@pytest.mark.parametrize(
    "schema",
    ['{"type": "nonsense"}', '{"$ref": "http://127.0.0.1:1/never-fetched"}', '{"$ref": "#/$defs/absent"}'],
)
def test_a_schema_that_cannot_be_used_judges_nothing(schema: str) -> None:
    assert violation({"a": 1}, schema) is None


def test_patterns_of_traffic_are_never_run() -> None:
    assert violation("a" * 40 + "!", '{"type": "string", "pattern": "^(a+)+$"}') is None
    assert violation({"pattern": 1}, '{"properties": {"pattern": {"type": "string"}}}') is not None
