"""Answers, wrapping, code and tools on published outputs: the bounds are those of issue 3."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

from monitor.records import Completion, Exchange, Message, Pair, Request, Score, ToolCall
from monitor.scorers.answer import answer
from monitor.scorers.code import broken_block, code
from monitor.scorers.format import format_
from monitor.scorers.languages import parses
from monitor.scorers.similarity import length
from monitor.scorers.tool_call import fault, offered_tools
from tests.benchmarks.runs import CORPORA, MISSING, RUNS, Listed, answers, find, listed, prompts

pytestmark = [pytest.mark.corpora, pytest.mark.skipif(not RUNS.is_dir(), reason=MISSING)]
CHECKABLE = (
    "zeroeval_gsm",
    "zeroeval_crux",
    "zeroeval_numersense",
    "gsm8k_example_solutions",
    "llmdrift_happynumber",
)


def read(row: Any) -> Request:
    messages = tuple(Message(m["role"], m["content"]) for m in row["messages"])
    return Request("chat", row, messages)


def pairs(wanted: Listed) -> Iterator[tuple[Pair, Any, Any]]:
    """(pair, baseline's row, candidate's row) of every prompt that both answered."""
    one, other = answers(wanted.set, wanted.baseline), answers(wanted.set, wanted.candidate)
    for id_, row in prompts(wanted.set).items():
        if id_ in one and id_ in other:
            exchange = Exchange(id_, 0.0, read({"messages": row["messages"]}), Completion(one[id_]["text"]))
            yield Pair(exchange, Completion(other[id_]["text"])), one[id_], other[id_]


@cache
def requests(name: str) -> list[Any]:
    with (CORPORA / "requests" / f"{name}.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def rate(scorer: Callable[[Pair], Score | None], wanted: Listed) -> float:
    """Mean x over the pairs that a scorer applies to."""
    values = [score.value for pair, _, _ in pairs(wanted) if (score := scorer(pair))]
    return sum(values) / len(values)


@pytest.mark.parametrize("set_", CHECKABLE)
def test_answer_reproduces_the_sets_own_correctness_flips(set_: str) -> None:
    judged = right = 0
    for wanted in (pair for pair in listed() if pair.set == set_):
        for pair, one, other in pairs(wanted):
            score = answer(pair)
            if score is None or not (one["correct"] or other["correct"]):
                continue
            judged += 1
            right += (score.value >= 0.5) == (one["correct"] != other["correct"])
    assert judged >= 100
    assert right / judged >= 0.98


def test_the_same_weights_elsewhere_and_their_fp8_copy_give_the_same_answers() -> None:
    assert rate(answer, find("zeroeval_gsm", "405B", "Turbo")) <= 0.06
    assert rate(answer, find("zeroeval_gsm", "405B", "sambanova")) <= 0.06


def test_a_smaller_model_answers_otherwise() -> None:
    assert rate(answer, find("zeroeval_gsm", "70B", "3.1-8B-Instruct")) > 0.15
    assert rate(answer, find("zeroeval_crux", "70B", "8B-Instruct")) > 0.4
    assert rate(answer, find("zeroeval_gsm", "2024-08-06", "gpt-4o-mini-2024-07-18")) <= 0.05
    assert rate(answer, find("zeroeval_crux", "2024-08-06", "gpt-4o-mini-2024-07-18")) > 0.15


@pytest.mark.parametrize("set_", ["llmdrift_prime", "llmdrift_happynumber"])
def test_the_june_model_answers_otherwise_and_much_shorter(set_: str) -> None:
    june = find(set_, "gpt-4-0314", "gpt-4-0613")
    assert rate(answer, june) > 0.5
    assert rate(length, june) > 0.95


def test_the_june_model_fences_its_code_which_parses_all_the_same() -> None:
    june = find("llmdrift_leetcode", "gpt-4-0314", "gpt-4-0613")
    assert rate(format_, june) > 0.5
    assert rate(code, june) == 0.0


def test_every_reference_program_parses() -> None:
    rows = requests("humaneval")
    programs = [row["check"]["prompt"] + row["reference"] for row in rows]
    assert all(parses(program, "python") for program in programs)
    assert {""} == {broken_block(f"```python\n{program}\n```") for program in programs}


def test_every_reference_call_is_accepted() -> None:
    faults = {
        row["id"]: found
        for row in requests("bfcl")
        if row["reference"]
        and (
            found := fault(
                Completion(tool_calls=_calls(row["reference"])), offered_tools(read(row["request"]))
            )
        )
    }
    assert faults == {}


def _calls(reference: list[dict[str, dict[str, list[Any]]]]) -> tuple[ToolCall, ...]:
    """The first accepted value of every argument; one that accepts "" may be left out."""
    named = [(name, arguments) for call in reference for name, arguments in call.items()]
    return tuple(ToolCall(name.replace(".", "_"), json.dumps(_first(arguments))) for name, arguments in named)


def _first(arguments: dict[str, Any]) -> dict[str, Any]:
    given = {name: accepted[0] for name, accepted in arguments.items() if "" not in accepted}
    return {name: _plain(value) for name, value in given.items()}


def _plain(value: Any) -> Any:
    """Nested dictionaries list accepted values too."""
    if isinstance(value, dict):
        return _first({k: v if isinstance(v, list) else [v] for k, v in value.items()})
    return (
        [_plain(item) if isinstance(item, dict) else item for item in value]
        if isinstance(value, list)
        else value
    )


def test_references_of_extraction_agree_with_themselves_through_a_fence_that_format_reports() -> None:
    for row in requests("json_extraction"):
        bare = json.dumps(row["reference"])
        exchange = Exchange(row["id"], 0.0, read(row["request"]), Completion(bare))
        pair = Pair(exchange, Completion(f"```json\n{json.dumps(row['reference'], indent=1)}\n```"))
        same, wrapped = answer(pair), format_(pair)
        assert same is not None
        assert wrapped is not None
        assert [same.value, wrapped.label] == [0.0, "added_fence"]
