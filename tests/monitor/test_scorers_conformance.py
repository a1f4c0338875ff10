"""What every scorer of the table promises, whatever the text (DESIGN 5, Signals)."""

from __future__ import annotations

import math
import random
import time
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.records import Completion, Pair, Score, Scorer, ToolCall
from monitor.scorers import SCORERS
from monitor.signals import SIGNALS
from tests.monitor.made import pair

NAMES = list(SCORERS)
# Signals whose 0 is not "the same": they compare confidence with agreement, not answers.
GRADED_AGAINST_CONFIDENCE = {"calibration_gap"}
FAILED = Completion("", error_type="timeout")

PROMPTS = (
    "Hello?",
    "Which metal is liquid?\nA. Iron\nB. Mercury\nC. Gold\nAnswer with one letter only.",
    "How many bags? Last line: #### <number>",
    "Return only JSON with keys a and b.",
    "Write a Python function. Reply with one fenced code block.",
    "Answer in exactly three sentences, without commas, and mention the word tower twice.",
    "Is 91 a prime number? Answer [Yes] or [No].",
)
ANSWERS = (
    "B",
    "The answer is 1,250.\n#### 1250",
    '```json\n{"a": 1, "b": [1, 2, {"c": null}]}\n```',
    "```python\ndef f(x):\n    return x + 1\n```",
    "I'm sorry, but I cannot help with that. It is illegal and harmful.",
    "พ่อค้าขายข้าวสาลีสี่สิบกระสอบ เพราะแต่ละกระสอบทำกำไรให้เขาแปดดอลลาร์",
    "and so on " * 60,
    "[No]",
    "",
)
any_text = st.text(st.characters(codec=None), max_size=200)
texts = st.one_of(
    any_text, st.sampled_from(ANSWERS), st.tuples(st.sampled_from(ANSWERS), any_text).map("".join)
)
calls = st.lists(st.builds(ToolCall, st.sampled_from(["f", "g", ""]), texts), max_size=2).map(tuple)
completions = st.builds(
    Completion,
    text=texts,
    tool_calls=calls,
    finish_reason=st.sampled_from([None, "stop", "length", "tool_calls", "content_filter"]),
    logprobs=st.lists(st.floats(-30, 0), max_size=5).map(tuple),
    error_type=st.sampled_from([None, None, None, "timeout", "http_500"]),
)
TOOLS = [
    {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"a": {}}}}}
]
bodies = st.sampled_from(
    [{}, {"tools": TOOLS}, {"response_format": {"type": "json_object"}}, {"temperature": 0}]
)
prompts = st.one_of(st.sampled_from(PROMPTS), any_text)
pairs = st.builds(
    lambda prompt, one, other, body: pair(prompt, one, other, **body),
    prompts,
    completions,
    completions,
    bodies,
)

HOSTILE = {
    "one letter": "a" * 1_000_000,
    "open brackets": "[" * 500_000 + "{" * 500_000,
    "spaces": " " * 1_000_000,
    "line breaks": "\n" * 1_000_000,
    "bullets": "- " * 500_000,
    "quotes": '"\\' * 500_000,
    "fences": "```" * 333_000,
    "stars": "*" * 500_000 + "_" * 500_000,
    "not": "it is not " * 100_000,
    "numbers": "1,234.5e6 " * 100_000,
    "combining marks": "a" + "\u0301" * 999_999,
    "surrogates": "\ud800" * 500_000,
    "NUL": "\x00 " * 500_000,
    "ideographs": "漢字仮名" * 250_000,
    "mixed": "".join(random.Random(7).choices("abc 漢नΩ0.,\n{}[]\"'*#-", k=1_000_000)),
}


def scored(name: str, judged: Pair) -> Score | None:
    scorer: Scorer = SCORERS[name]
    return scorer(judged)


def test_every_scorer_is_a_signal_and_names_itself() -> None:
    assert set(SCORERS) <= set(SIGNALS)
    answered = pair("Hello?", "Hello. I can help you with that.", "Hello. I can help you with that too.")
    scores = {name: scored(name, answered) for name in NAMES}
    assert {name: name for name, s in scores.items() if s} == {
        name: s.signal for name, s in scores.items() if s
    }


@pytest.mark.parametrize("name", NAMES)
def test_it_has_a_doc_line(name: str) -> None:
    assert (SCORERS[name].__doc__ or "").strip()


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=150, deadline=None)
@given(judged=pairs)
def test_values_are_bounded_and_the_same_twice(name: str, judged: Pair) -> None:
    score = scored(name, judged)
    assert score == scored(name, judged)
    if score is not None:
        assert 0.0 <= score.value <= 1.0
        assert all(x is None or math.isfinite(x) for x in (score.baseline, score.candidate))
        assert len(score.label) <= 80


@pytest.mark.parametrize("name", [n for n in NAMES if n not in GRADED_AGAINST_CONFIDENCE])
@settings(max_examples=150, deadline=None)
@given(answer=completions, prompt=prompts, body=bodies)
def test_the_same_answer_scores_zero_or_nothing(
    name: str, answer: Completion, prompt: str, body: dict[str, object]
) -> None:
    score = scored(name, pair(prompt, answer, answer, **body))
    assert score is None or score.value == 0.0


@pytest.mark.parametrize("name", [n for n in NAMES if n != "error"])
def test_a_failed_arm_is_judged_by_error_alone(name: str) -> None:
    assert scored(name, pair(PROMPTS[1], "B", FAILED)) is None
    assert scored(name, pair(PROMPTS[1], FAILED, "B")) is None


@pytest.mark.parametrize("name", NAMES)
def test_it_sees_only_the_pair_so_a_replay_can_take_the_candidate_s_place(name: str) -> None:
    judged = pair(PROMPTS[2], ANSWERS[1], ANSWERS[5])
    assert scored(name, judged) == scored(name, replace(judged, replay=Completion("something else")))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_megabyte_takes_bounded_time(name: str, text: str) -> None:
    began = time.process_time()
    scored(name, pair(PROMPTS[3], "A short answer. 12", text, tools=TOOLS))
    scored(name, pair(text, ANSWERS[2], text[:-1]))
    assert time.process_time() - began < 3.0
