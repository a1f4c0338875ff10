"""`answer`: the checkable answer, whatever stands around it."""

from __future__ import annotations

import pytest

from monitor.records import Completion, ToolCall
from monitor.scorers.answer import answer
from tests.monitor.made import pair

MENU = "Which metal is liquid?\nA. Iron\nB. Mercury\nC. Gold\nAnswer with one letter only."
COUNT = "Ann has 3 bags with 14 apples each. How many apples does she have?"
FIELDS = 'Present your answer as json:\n```json\n{"reasoning": "___", "answer": "___"}\n```'


def value(prompt: str, baseline: str, candidate: str) -> float | None:
    score = answer(pair(prompt, baseline, candidate))
    return None if score is None else score.value


@pytest.mark.parametrize(
    ("prompt", "baseline", "candidate"),
    [
        (COUNT, "3 * 14 = 42, so she has 42 apples.", "#### 42"),
        (COUNT, r"\boxed{42}", "**Answer:** 42.00"),
        (COUNT, "The answer is 42. I used 2 steps.", "42"),
        (COUNT, "She has 42.\nConfidence: 90%", "She has 42.\nConfidence: 75%"),
        (MENU, "B", "The correct answer is B. Mercury, because A is solid."),
        (MENU, "(B)", "**B. Mercury**"),
        (MENU, "Mercury", "B."),
        (FIELDS, '{"reasoning": "a", "answer": "42"}', '```json\n{"reasoning": "b", "answer": 42}\n```'),
        (FIELDS, '{"reasoning": "a", "answer": "[1, 2]"}', r"So the final answer is $\boxed{[1,2]}$"),
        (FIELDS, '{"reasoning": "a", "answer": "7"}', '{"reasoning": "a "quoted" word", "answer": "7"}'),
        (FIELDS, '{"reasoning": "a", "answer": ""}', '{"reasoning": "b", "answer": ""}'),
        ("Is 7 prime? Answer [Yes] or [No].", "Step by step … so it is.\n[Yes]", "[Yes]"),
        ("Ist 7 prim? Antworte mit ja oder nein.", "Ja.", "ja, denn 7 hat nur zwei Teiler"),
        ("Classify the review as positive, negative or neutral.", "Negative.", "Label: negative"),
        ("Answer with the city only. Capital of France?", "Paris", "The city of Paris."),
    ],
)
def test_the_same_answer_in_another_wrapping_agrees(prompt: str, baseline: str, candidate: str) -> None:
    assert value(prompt, baseline, candidate) == 0.0


@pytest.mark.parametrize(
    ("prompt", "baseline", "candidate", "explanation"),
    [
        (COUNT, "#### 42", "#### 420", "42 → 420"),
        (MENU, "B", "C", "B → C"),
        (FIELDS, '{"reasoning": "a", "answer": "yes "}', '{"reasoning": "a", "answer": "no"}', "yes → no"),
        ("Is 7 prime? Answer [Yes] or [No].", "[Yes]", "[No]", "Yes → No"),
        (COUNT, "42", "I would need to know more about Ann.", "42 → no answer"),
    ],
)
def test_another_answer_is_named(prompt: str, baseline: str, candidate: str, explanation: str) -> None:
    score = answer(pair(prompt, baseline, candidate))
    assert score is not None
    assert score.value == 1.0
    assert explanation == score.explanation


def test_quoted_literals_differ_by_case_and_spaces() -> None:
    assert value(FIELDS, '{"answer": "\'Ab \'"}', '{"answer": "\'ab\'"}') == 1.0


@pytest.mark.parametrize("prompt", ["Tell me about Rome.", "Write a poem about 3 cats and 4 dogs. How many?"])
def test_open_text_has_no_checkable_answer(prompt: str) -> None:
    assert value(prompt, "Rome has 7 hills. The best option is a walk.", "Rome is old. 9 gates.") is None


def test_a_heading_of_level_four_is_no_answer() -> None:
    assert value("Tell me about Rome.", "#### History\nOld.", "#### Geography\nHills.") is None


def test_a_baseline_without_an_answer_has_nothing_to_agree_with() -> None:
    assert value(COUNT, "Which apples?", "42") is None


def test_json_leaves_count_by_share_and_prose_is_left_out() -> None:
    one = '{"id": 7, "qty": 2, "city": "Kyiv", "explanation": "because"}'
    other = '{"id": 7.0, "qty": 3, "city": "KYIV", "explanation": "since"}'
    score = answer(pair("Return only JSON with id, qty, city, explanation.", one, other))
    assert score is not None
    assert score.value == pytest.approx(1 / 3)
    assert score.explanation == "qty: 2 → 3"


def test_leaves_are_looked_for_where_the_envelope_is_lost() -> None:
    prompt = "Return only JSON with id and city."
    assert value(prompt, '{"id": 7, "city": "Kyiv"}', "The id is 7 and the city is Kyiv.") == 0.0
    assert value(prompt, '{"id": 7, "city": "Kyiv"}', "The city is Kyiv.") == 0.5


def test_tool_calls_compare_by_name_and_arguments_in_any_order() -> None:
    a, b = ToolCall("add", '{"x": 1, "y": 2}'), ToolCall("sub", '{"x": 1}')
    reordered = ToolCall("add", '{"y": 2.0, "x": 1}')
    same = answer(pair("Do it.", Completion(tool_calls=(a, b)), Completion(tool_calls=(b, reordered))))
    assert same is not None
    assert same.value == 0.0
    changed = answer(
        pair(
            "Do it.",
            Completion(tool_calls=(a,)),
            Completion(tool_calls=(ToolCall("add", '{"x": 1, "y": 3}'),)),
        )
    )
    assert changed is not None
    assert changed.value == 0.5
    assert changed.explanation == "add.y: 2 → 3"
    silent = answer(pair("Do it.", Completion(tool_calls=(a,)), "I added it."))
    assert silent is not None
    assert silent.explanation == "add() → no call"


def test_programs_agree_by_the_definitions_that_the_task_names() -> None:
    prompt = "Write a Python function solve(x) that doubles x."
    body = "def solve(x):\n    return {}\n"
    assert value(prompt, body.format("x * 2"), f"```python\n{body.format('x + x')}```") == 0.0
    assert value(prompt, body.format("x * 2"), "def solve(x, y):\n    return y\n") == 1.0
