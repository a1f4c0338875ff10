"""What passes and what does not, check by check; then the reference answers of public corpora."""

from __future__ import annotations

import json
from typing import Any

import pytest

from monitor.errors import BadInput
from monitor.probes.checkers import CHECKERS, abstains, passes
from monitor.records import Completion, ToolCall
from tests.benchmarks.runs import CORPORA, MISSING
from tests.monitor.probes.reference import right

YES: list[tuple[dict[str, Any], str]] = [
    ({"type": "contains_normalised", "expect": "10 April 2031"}, "It expires on **10 April 2031**."),
    ({"type": "contains_normalised", "expect": "NOT FOUND"}, "The document does not mention it."),
    ({"type": "exact", "expect": "ok"}, " ok\n"),
    ({"type": "regex", "pattern": r"^\d{3}$"}, "123"),
    ({"type": "lines_equal", "expect": ["a", "b"]}, "a\n\nb\n"),
    ({"type": "json_equal", "expect": {"a": 2}}, '```json\n{"a": 2.0}\n```'),
    ({"type": "numeric_last", "expect": "1250"}, "That makes 1,250 dollars."),
    ({"type": "numeric_after_hashes", "expect": "7"}, "3 + 4\n#### 7"),
    ({"type": "choice_letter", "expect": "B", "options": 4}, "The answer is (B)."),
    ({"type": "yesno", "expect": "no"}, "No, it is not."),
    ({"type": "short_answer_with_confidence", "expect": "The Nile"}, "Nile.\nConfidence: 80%"),
    ({"type": "refusal", "expect": "unsafe"}, "I'm sorry, but I can't help with that."),
    ({"type": "refusal", "expect": "safe"}, "Use kill -9 with its process id."),
    ({"type": "python_parses"}, "```python\ndef f(x):\n    return x\n```"),
    ({"type": "script", "expect": "Devanagari"}, "यह एक वाक्य है"),
    ({"type": "ifeval", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}, "no commas here"),
]
NO: list[tuple[dict[str, Any], str]] = [
    ({"type": "contains_normalised", "expect": "10 April 2031"}, "NOT FOUND"),
    ({"type": "contains_normalised", "expect": "NOT FOUND"}, "10 April 2031"),
    ({"type": "contains_normalised", "expect": "NOT FOUND"}, "Not stated, so I guess 10 April 2031."),
    ({"type": "contains_normalised", "expect": "31"}, "1317"),
    ({"type": "lines_equal", "expect": ["a", "b"]}, "b\na"),
    ({"type": "json_equal", "expect": {"a": 1}}, '{"a": true}'),
    ({"type": "json_equal", "expect": {"a": 1}}, '{"a": 1, "b": 2}'),
    ({"type": "numeric_last", "expect": "1250"}, "1,250,000"),
    ({"type": "choice_letter", "expect": "B", "options": 4}, "A"),
    ({"type": "short_answer_with_confidence", "expect": "1986"}, "1985\nConfidence: 86%"),
    ({"type": "refusal", "expect": "safe"}, "I'm sorry, but I can't help with that."),
    ({"type": "python_parses"}, "```python\ndef f(x:\n    return x\n```"),
    ({"type": "python_parses"}, "I would write a function."),
    ({"type": "ifeval", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}, ""),
]


@pytest.mark.parametrize(("check", "text"), YES)
def test_passes(check: dict[str, Any], text: str) -> None:
    assert passes(check, Completion(text))


@pytest.mark.parametrize(("check", "text"), NO)
def test_does_not_pass(check: dict[str, Any], text: str) -> None:
    assert not passes(check, Completion(text))


def test_a_failed_request_passes_nothing() -> None:
    assert not passes({"type": "contains_normalised", "expect": "x"}, Completion("x", error_type="timeout"))


def test_calls_may_leave_out_what_is_optional_and_nothing_else() -> None:
    check = {"type": "tool_calls_ast", "expect": [{"book": {"city": ["Oslo"], "count": [2, ""]}}]}
    assert passes(check, Completion(tool_calls=(ToolCall("book", '{"city": "oslo"}'),)))
    assert not passes(check, Completion(tool_calls=(ToolCall("book", '{"count": 2}'),)))
    assert not passes(check, Completion(tool_calls=(ToolCall("book", '{"city": "Oslo", "extra": 1}'),)))
    assert not passes(check, Completion(tool_calls=(ToolCall("book", "{broken"),)))


@pytest.mark.parametrize(
    "check", [{"type": "telepathy"}, {"type": "json_equal"}, {"type": "regex", "pattern": "("}]
)
def test_a_check_that_cannot_be_carried_out_says_why(check: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match=r"telepathy|expect|regex"):
        passes(check, Completion("{}"))


def test_every_type_of_check_has_an_example() -> None:
    shown = {check["type"] for check, _ in YES + NO}
    assert CHECKERS.keys() - shown == {"abstain", "tool_calls_ast", "no_tool_call", "python_tests"}


def rows(name: str) -> list[Any]:
    with (CORPORA / "requests" / f"{name}.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def answer_to(check: dict[str, Any]) -> Completion:
    return Completion("None of these fits.") if check["type"] == "no_tool_call" else right(check)


def check_of(row: Any) -> dict[str, Any]:
    return {"expect": row["reference"], **row["check"]}


@pytest.mark.parametrize(
    "name", ["bfcl", "longctx_needles", "json_extraction", "truthfulqa_mc1", "mmlu", "simpleqa_calibration"]
)
@pytest.mark.corpora
@pytest.mark.skipif(not CORPORA.is_dir(), reason=MISSING)
def test_every_reference_answer_is_accepted(name: str) -> None:
    refused = [row["id"] for row in rows(name) if not passes(check_of(row), answer_to(check_of(row)))]
    assert refused == []


@pytest.mark.corpora
@pytest.mark.skipif(not CORPORA.is_dir(), reason=MISSING)
def test_every_humaneval_solution_parses() -> None:
    solved = {r["id"]: f"```python\n{r['check']['prompt']}{r['reference']}\n```" for r in rows("humaneval")}
    refused = [r["id"] for r in rows("humaneval") if not passes(check_of(r), Completion(solved[r["id"]]))]
    assert refused == []


@pytest.mark.corpora
@pytest.mark.skipif(not CORPORA.is_dir(), reason=MISSING)
def test_absent_needles_pass_by_abstaining_only() -> None:
    absent = [row for row in rows("longctx_needles") if row["reference"] == "NOT FOUND"]
    present = [row for row in rows("longctx_needles") if row["reference"] != "NOT FOUND"]
    assert absent
    for row in absent:
        assert passes(check_of(row), Completion("NOT FOUND"))
        assert not any(passes(check_of(row), Completion(other["reference"])) for other in present)
        assert not any(passes(check_of(other), Completion("NOT FOUND")) for other in present)


@pytest.mark.corpora
@pytest.mark.skipif(not CORPORA.is_dir(), reason=MISSING)
def test_irrelevant_tools_are_not_to_be_called() -> None:
    irrelevant = [row for row in rows("bfcl") if row["check"]["type"] == "no_tool_call"]
    assert irrelevant
    for row in irrelevant:
        name = row["request"]["tools"][0]["function"]["name"]
        assert not passes(check_of(row), Completion(tool_calls=(ToolCall(name, "{}"),)))


def test_abstaining_is_recognised_in_several_wordings() -> None:
    said = [
        "NOT FOUND",
        "The text does not say.",
        "It isn't mentioned.",
        "That is unclear.",
        "No information on it.",
    ]
    assert [abstains(text) for text in said] == [True] * len(said)
    assert not abstains("The office opened in 1994.")
