"""The constraint miner beside IFEval's and M-IFEval's registered instructions and strict results."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from monitor.records import Message, Request
from monitor.scorers.constraints import Constraint, check, constraints_of
from tests.benchmarks.runs import CORPORA, answers, listed, prompts

SET = "ifeval_multilingual"
# Need a tagger, a rewrite of the prompt or a reading of manners; the miner leaves them out.
UNSUPPORTED = {
    "detectable_content:informal_address",
    "detectable_format:nominal_ending",
    "punctuation:exclamation_marks",
    "punctuation:question_marks",
    "special_character:accents",
}


class Mining(NamedTuple):
    """Instructions found, missed and invented, by kind."""

    found: Counter[str]
    missed: Counter[str]
    invented: Counter[str]

    @property
    def recall(self) -> float:
        """Of the registered instructions of supported kinds."""
        missed = sum(n for kind, n in self.missed.items() if kind not in UNSUPPORTED)
        return self.found.total() / (self.found.total() + missed)

    @property
    def precision(self) -> float:
        return self.found.total() / (self.found.total() + self.invented.total())


class Flips(NamedTuple):
    """Kept-to-broken of mined constraints (ours) and of the strict results (theirs), pair by pair."""

    both: int
    ours: int
    theirs: int

    @property
    def precision(self) -> float:
        return self.both / (self.both + self.ours)

    @property
    def recall(self) -> float:
        return self.both / (self.both + self.theirs)


def mining() -> Mining:
    """The miner on every distinct prompt of the three sets."""
    result = Mining(Counter(), Counter(), Counter())
    for messages, ids in _registered():
        have, want = Counter(c.kind for c in _mined(messages)), Counter(map(_plain, ids))
        result.found.update(have & want)
        result.missed.update(want - have)
        result.invented.update(have - want)
    return result


def flips() -> Flips:
    """Over every listed pair of models and every registered instruction that was mined."""
    outcomes: Counter[tuple[bool, bool]] = Counter()
    matched = {id_: _matched(row) for id_, row in prompts(SET).items()}
    for pair in (p for p in listed() if p.set == SET):
        one, other = answers(SET, pair.baseline), answers(SET, pair.candidate)
        for id_ in one.keys() & other.keys():
            strict = zip(
                matched[id_], one[id_]["per_instruction"], other[id_]["per_instruction"], strict=True
            )
            for found, kept, still in strict:
                if found:
                    ours = check(found, one[id_]["text"]) and not check(found, other[id_]["text"])
                    outcomes[ours, kept and not still] += 1
    return Flips(outcomes[True, True], outcomes[True, False], outcomes[False, True])


def _plain(instruction: str) -> str:
    """A registered id without its language prefix."""
    prefix, _, rest = instruction.partition(":")
    return rest if prefix in {"en", "es", "fr", "ja"} else instruction


def _mined(messages: list[dict[str, str]]) -> tuple[Constraint, ...]:
    return constraints_of(Request("chat", {}, tuple(Message(m["role"], m["content"]) for m in messages)))


def _registered() -> Iterator[tuple[list[dict[str, str]], list[str]]]:
    """(messages, instruction ids) of every distinct prompt."""
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


def _matched(row: Any) -> list[Constraint | None]:
    """The mined constraint of each registered instruction, None where it was missed."""
    left = list(_mined(list(row["messages"])))
    matched = []
    for instruction in row["check"]["instruction_id_list"]:
        hit = next((c for c in left if c.kind == _plain(instruction)), None)
        if hit:
            left.remove(hit)
        matched.append(hit)
    return matched
