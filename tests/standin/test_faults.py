"""Every fault is found by the signal that is meant to find it, and health is not mistaken for one."""

from dataclasses import replace
from itertools import islice

import pytest

from monitor.errors import UsageError
from monitor.openai_api import parse_request
from monitor.records import Completion, Exchange, Pair, Request
from monitor.scorers import SCORERS
from monitor.signals import SIGNALS
from monitor.standin.faults import CONTENT, KINDS, TRANSPORT, Fault, parse_fault
from monitor.standin.generation import Generation, generate
from monitor.standin.settings import Settings
from monitor.standin.traffic import traffic

# kind: (recipes that it applies to, signals of which one must say so)
MEANT = {
    "other_script": (("chat-en", "chat-th", "chat-am"), ("script",)),
    "other_language": (("chat-sw", "chat-de", "chat-en"), ("language", "script")),
    "loop": (("chat-en", "chat-de", "chat-hi", "chat-th", "chat-ja", "chat-am"), ("degenerate",)),
    "repeat": (("chat-en", "chat-ru"), ("degenerate",)),
    "broken_json": (("json-en",), ("format",)),
    "lost_envelope": (("json-en",), ("format",)),
    "wrapped": (("json-en",), ("format",)),
    "wrong_number": (("math-en", "sum-en", "math-zh", "math-de"), ("number_scale",)),
    "wrong_choice": (("choice-en",), ("answer",)),
    "refusal": (("chat-en", "chat-de", "chat-fr", "math-en"), ("refusal",)),
    "broken_code": (("code-en",), ("code",)),
    "tool_missing": (("tools-en",), ("tool_call",)),
    "tool_wrong": (("tools-en",), ("tool_call",)),
    "overconfident": (("choice-en", "math-en"), ("answer",)),
    "empty": (("chat-en", "json-en", "math-de"), ("empty",)),
    "truncated": (("chat-en", "code-en"), ("truncated",)),
}
CLIFF = {
    "chat-sw": "script",
    "chat-am": "script",
    "document-2k": "script",
    "json-en": "format",
    "math-es": "answer",
    "code-en": "code",
    "choice-en": "answer",
    "tools-en": "tool_call",
}


def requests(recipe: str, count: int = 12) -> list[Request]:
    plans = (plan for plan in traffic(5, segment_share=None) if plan.recipe == recipe)
    return [parse_request("chat", plan.body) for plan in islice(plans, count)]


def completion(generation: Generation) -> Completion:
    choice = generation.choices[0]
    calls = tuple(replace(call, arguments="".join(choice.tokens)) for call in choice.answer.tool_calls)
    return Completion(
        text=choice.answer.text,
        tool_calls=calls,
        finish_reason=choice.answer.finish_reason,
        logprobs=choice.logprobs,
        tokens=choice.tokens,
        output_tokens=len(choice.tokens),
    )


def pair(request: Request, kind: str | None) -> Pair:
    faults = (Fault("all", kind),) if kind else ()
    baseline = generate(request, Settings(), 1)
    candidate = generate(request, Settings(role="candidate", faults=faults), 1)
    return Pair(Exchange("x", 0.0, request, completion(baseline)), completion(candidate))


def share_found(kind: str | None, recipe: str, signals: tuple[str, ...]) -> float:
    pairs = [pair(request, kind) for request in requests(recipe)]
    scores = [[SCORERS[signal](each) for signal in signals] for each in pairs]
    return sum(any(score is not None and score.value >= 0.5 for score in row) for row in scores) / len(pairs)


@pytest.mark.parametrize(("kind", "recipe"), [(kind, recipe) for kind in MEANT for recipe in MEANT[kind][0]])
def test_a_fault_is_found_by_its_signal(kind: str, recipe: str) -> None:
    assert share_found(kind, recipe, MEANT[kind][1]) >= 0.9


@pytest.mark.parametrize("recipe", CLIFF)
def test_the_cliff_is_found_in_every_task(recipe: str) -> None:
    assert share_found("cliff", recipe, (CLIFF[recipe],)) >= 0.9


@pytest.mark.parametrize(
    "recipe",
    [
        "chat-en",
        "chat-am",
        "chat-zh",
        "json-en",
        "math-en",
        "sum-en",
        "code-en",
        "choice-en",
        "tools-en",
        "turns-5",
        "document-2k",
    ],
)
def test_a_healthy_candidate_is_found_by_no_paging_signal(recipe: str) -> None:
    paging = tuple(name for name in SCORERS if SIGNALS[name].level == "page")
    assert share_found(None, recipe, paging) == 0.0


def test_hedging_is_seen() -> None:
    scores = [SCORERS["hedging"](pair(request, "hedging")) for request in requests("chat-en")]
    assert sum(score is not None and score.value > 0 for score in scores) >= 10


def test_always_the_first_option_is_wrong_most_of_the_time() -> None:
    assert 0.4 < share_found("first_option", "choice-en", ("answer",)) <= 1.0


def test_overconfidence_shows_in_the_logprobs() -> None:
    wrong = pair(requests("choice-en")[0], "overconfident").candidate
    assert min(wrong.logprobs) > -0.01


@pytest.mark.parametrize("kind", sorted(CONTENT))
def test_a_fault_that_does_not_apply_changes_nothing(kind: str) -> None:
    applies_to_chat = {
        "cliff",
        "other_script",
        "other_language",
        "loop",
        "repeat",
        "refusal",
        "hedging",
        "empty",
        "truncated",
    }
    changed = [
        pair(request, kind).candidate.text != pair(request, None).candidate.text
        for request in requests("chat-de")
    ]
    assert all(changed) if kind in applies_to_chat else not any(changed)


def test_a_rate_hits_that_share_of_prompts_and_always_the_same() -> None:
    fault = Fault("all", "loop", 0.3)
    hit = [fault.chosen(f"prompt {number}", 0) for number in range(2000)]
    assert 0.27 < sum(hit) / 2000 < 0.33
    assert hit == [fault.chosen(f"prompt {number}", 0) for number in range(2000)]


def test_faults_stay_in_their_segment() -> None:
    fault = Fault("language=th,context=8k-32k", "loop")
    assert fault.matches({"language": "th", "context": "8k-32k"})
    assert not fault.matches({"language": "th", "context": "<1k"})
    assert Fault("all", "loop").matches({})


def test_fault_flags_are_read() -> None:
    assert parse_fault("language=sw:loop:0.9") == Fault("language=sw", "loop", 0.9)
    assert parse_fault("all:hang") == Fault("all", "hang")


@pytest.mark.parametrize(
    "text", ["language=sw", "language=sw:nonsense", "swahili:loop", "all:loop:2", "all:loop:x"]
)
def test_bad_fault_flags_say_what_is_wrong(text: str) -> None:
    with pytest.raises(UsageError, match="--fault"):
        parse_fault(text)


def test_every_kind_is_tested() -> None:
    assert {*MEANT, "cliff", "hedging", "first_option"} | TRANSPORT == KINDS
