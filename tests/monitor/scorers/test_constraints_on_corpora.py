"""The constraint miner against IFEval's and M-IFEval's registered instructions and strict results (issue 3)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from monitor.records import Message, Request
from monitor.scorers.constraints import Constraint, check, constraints_of
from tests.benchmarks.runs import CORPORA, MISSING, RUNS, answers, listed, prompts

SET = "ifeval_multilingual"
# Need a tagger, a rewrite of the prompt or a reading of manners; the miner leaves them out.
UNSUPPORTED = {
    "detectable_content:informal_address",
    "detectable_format:nominal_ending",
    "punctuation:exclamation_marks",
    "punctuation:question_marks",
    "special_character:accents",
}
pytestmark = [pytest.mark.corpora, pytest.mark.skipif(not RUNS.is_dir(), reason=MISSING)]


def plain(instruction: str) -> str:
    """A registered id without its language prefix."""
    prefix, _, rest = instruction.partition(":")
    return rest if prefix in {"en", "es", "fr", "ja"} else instruction


def mined(messages: list[dict[str, str]]) -> tuple[Constraint, ...]:
    return constraints_of(Request("chat", {}, tuple(Message(m["role"], m["content"]) for m in messages)))


def registered() -> Iterator[tuple[list[dict[str, str]], list[str]]]:
    """(messages, instruction ids) of every distinct prompt of the three sets."""
    seen: set[str] = set()
    rows: list[Any] = [row for name in ("ifeval", "m_ifeval") for row in _requests(name)]
    for row in (*rows, *prompts(SET).values()):
        messages = row.get("request", row)["messages"]
        if messages[-1]["content"] not in seen:
            seen.add(messages[-1]["content"])
            yield messages, row["check"]["instruction_id_list"]


def _requests(name: str) -> list[Any]:
    with (CORPORA / "requests" / f"{name}.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def test_it_finds_the_registered_instructions_and_little_else() -> None:
    found: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    invented: Counter[str] = Counter()
    for messages, ids in registered():
        have, want = Counter(c.kind for c in mined(messages)), Counter(map(plain, ids))
        found.update(have & want)
        missed.update(want - have)
        invented.update(have - want)
    supported = sum(n for kind, n in missed.items() if kind not in UNSUPPORTED)
    assert found.total() >= 400
    assert found.total() / (found.total() + supported) >= 0.85, missed.most_common(9)
    assert found.total() / (found.total() + invented.total()) >= 0.95, invented.most_common(9)


@cache
def _matched() -> dict[str, list[Constraint | None]]:
    """Per prompt the mined constraint of each registered instruction, None where it was missed."""
    matched: dict[str, list[Constraint | None]] = {}
    for id_, row in prompts(SET).items():
        left = list(mined(list(row["messages"])))
        matched[id_] = []
        for instruction in row["check"]["instruction_id_list"]:
            hit = next((c for c in left if c.kind == plain(instruction)), None)
            if hit:
                left.remove(hit)
            matched[id_].append(hit)
    return matched


def test_kept_to_broken_agrees_with_the_strict_results() -> None:
    outcomes: Counter[tuple[bool, bool]] = Counter()
    for pair in (p for p in listed() if p.set == SET):
        one, other = answers(SET, pair.baseline), answers(SET, pair.candidate)
        for id_ in one.keys() & other.keys():
            strict = zip(
                _matched()[id_], one[id_]["per_instruction"], other[id_]["per_instruction"], strict=True
            )
            for found, kept, still in strict:
                if found:
                    ours = check(found, one[id_]["text"]) and not check(found, other[id_]["text"])
                    outcomes[ours, kept and not still] += 1
    hits = outcomes[True, True]
    assert hits >= 200
    assert hits / (hits + outcomes[True, False]) >= 0.9
    assert hits / (hits + outcomes[False, True]) >= 0.9
