"""What must not matter: the order of options, a system prompt, a disclaimer, wording, blanks. Pure.

Metamorphic probes (CheckList's invariance tests, arXiv 2005.04118): the candidate's answer to a changed
request is compared with its own answer to the request, and how often it changes with how often it changes
when nothing does (its repeat floor). `key(b) != key(b')` is the flip of arXiv 2407.09141. Works on generated
questions and on recorded exchanges alike; no baseline is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

from monitor.intervals import Interval, binomial_p_value, clopper_pearson, excess_p_value, holm, newcombe
from monitor.openai_api import parse_request
from monitor.probes.draws import Draws
from monitor.probes.items import Item, asked
from monitor.records import Completion, Exchange, Pair, Request
from monitor.scorers.answer import answer
from monitor.scorers.keys import key_of
from monitor.scorers.questions import question_of

Body = Mapping[str, Any]
Verdict = Literal["ok", "worse"]
Change = Callable[[Body], Body | None]
"""The changed request; None where the change does not apply."""

ALLOWED_FLIPS = 0.05
"""Share of answers that may change beyond the repeat floor before it is a finding."""
LEVEL = 0.05
OPTIONS = 4
_LETTERS = "ABCD"


def _with_last(body: Body, change: Callable[[str], str]) -> Body | None:
    """The request with the text of its last user message changed; None where that is no plain text."""
    messages = list(body["messages"])
    places = [i for i, message in enumerate(messages) if message.get("role") == "user"]
    if not places or not isinstance(messages[places[-1]].get("content"), str):
        return None
    before = messages[places[-1]]["content"]
    after = change(before)
    if after == before:
        return None
    messages[places[-1]] = {**messages[places[-1]], "content": after}
    return {**body, "messages": messages}


def system_prompt(body: Body) -> Body | None:
    """The empty courtesy added where there is no system prompt, taken away where it is all there is."""
    first, *rest = body["messages"]
    courtesy = {"role": "system", "content": "You are a helpful assistant."}
    if first.get("role") not in {"system", "developer"}:
        return {**body, "messages": [courtesy, first, *rest]}
    return {**body, "messages": rest} if first.get("content") == courtesy["content"] and rest else None


_DISCLAIMER = "Note: this conversation may be recorded for compliance and quality purposes."


def disclaimer(body: Body) -> Body | None:
    """A sentence that legal departments add."""
    return _with_last(body, lambda text: f"{_DISCLAIMER}\n\n{text}")


_REWORDED = (
    (r"\bWhat is\b", "What's"),
    (r"\bHow many\b", "What number of"),
    (r"\bWhich of\b", "Out of"),
    (r"\bReply with\b", "Respond with"),
    (r"\bAnswer with\b", "Respond with"),
    (r"\bPlease\b", "Kindly"),
    (r"\bWrite\b", "Produce"),
    (r"\bdo not\b", "don't"),
    (r"\bonly\b(?=\.\s*$)", "and nothing else"),
)


def paraphrase(body: Body) -> Body | None:
    """The same request in other words, by rules that keep its meaning."""

    def reworded(text: str) -> str:
        for pattern, words in _REWORDED:
            text = re.sub(pattern, words, text)
        return text

    return _with_last(body, reworded)


def whitespace(body: Body) -> Body | None:
    """Two blanks after a full stop, a blank line more, a blank at the end."""
    return _with_last(
        body, lambda text: re.sub(r"([.?!]) (?=\S)", r"\1  ", text).replace("\n", "\n\n", 1) + " "
    )


def formatting(body: Body) -> Body | None:
    """Options as `(A)` instead of `A.`; elsewhere the request between Markdown rules."""
    return _with_last(
        body,
        lambda text: (
            re.sub(r"^([A-J])\. ", r"(\1) ", text, flags=re.MULTILINE)
            if re.search(r"^A\. ", text, re.MULTILINE)
            else f"---\n{text}\n---"
        ),
    )


CHANGES: Mapping[str, Change] = MappingProxyType(
    {
        "system prompt": system_prompt,
        "disclaimer": disclaimer,
        "paraphrase": paraphrase,
        "whitespace": whitespace,
        "formatting": formatting,
    }
)

REPEAT = "repeat"
"""Nothing changed: the floor."""

_DEALS = (
    ("A contract of {a} months is extended by {b} months.", "months"),
    ("A fine of {a} dollars is raised by {b} dollars.", "dollars"),
    ("An account of {a} euros receives {b} euros.", "euros"),
    ("A lease of {a} weeks is prolonged by {b} weeks.", "weeks"),
)
_PLAIN = (
    ("A shelf with {a} books receives {b} books.", "books"),
    ("A train with {a} passengers takes up {b} passengers.", "passengers"),
    ("A garden with {a} trees gets {b} trees.", "trees"),
)
SEGMENTS = MappingProxyType({"legal_finance": _DEALS, "everyday": _PLAIN})


@dataclass(frozen=True, slots=True)
class Choice:
    """One question with its options; `turned(k)` moves every option k places on."""

    story: str
    unit: str
    sum: tuple[int, int]
    segment: str

    def turned(self, places: int) -> Item:
        """The item whose right option stands `places` behind the first."""
        one, other = self.sum
        values = [one + other, one + other + 10, one + other - 1, abs(one - other) + 1]
        shown = values[-places:] + values[:-places] if places else values
        lines = [f"{letter}. {value}" for letter, value in zip(_LETTERS, shown, strict=True)]
        question = f"How many {self.unit} is that: {one} + {other}? Answer with one letter only."
        prompt = "\n".join([f"{self.story} {question}", "", *lines])
        check = {"type": "choice_letter", "options": OPTIONS, "expect": _LETTERS[places]}
        return replace(asked(prompt, check, max_tokens=8), group=self.segment)


def choices(count: int, seed: int) -> list[Choice]:
    """`count` questions, every other one about money or contracts."""
    made = []
    for number in range(count):
        segment = tuple(SEGMENTS)[number % len(SEGMENTS)]
        draws = Draws("choices", seed, number)
        story, unit = draws.choice(SEGMENTS[segment])
        one, other = draws.between(21, 89), draws.between(2, 19)
        made.append(Choice(story.format(a=one, b=other), unit, (one, other), segment))
    return made


def flipped(body: Body, before: Completion, after: Completion) -> bool | None:
    """Whether the checkable answer changed; None where there is none to compare. Failures are flips."""
    request: Request = parse_request("chat", dict(body))
    score = answer(Pair(Exchange("", 0.0, request, before), after))
    if score is not None:
        return score.value >= 0.5
    if before.error_type is None and after.error_type is not None:
        return True
    return None


def letter(item: Item, given: Completion) -> int | None:
    """Place of the chosen option; None where none was chosen."""
    key = key_of(question_of(parse_request("chat", dict(item.body))), given.text)
    return _LETTERS.index(key.value) if key is not None and key.value in _LETTERS else None


@dataclass(frozen=True, slots=True)
class FlipRow:
    """One change in one segment: answers that changed, and those that changed when nothing did."""

    change: str
    segment: str
    compared: int
    flips: int
    repeats: int
    floor: int
    excess: float
    interval: Interval
    p_value: float
    adjusted: float | None = None
    verdict: Verdict = "ok"


def flip_row(change: str, segment: str, flips: Sequence[bool], floor: Sequence[bool]) -> FlipRow:
    """The excess over the floor with its 95 % interval (Newcombe) and exact p-value."""
    k, n, k0, n0 = sum(flips), len(flips), sum(floor), len(floor)
    excess = k / n - k0 / n0 if n and n0 else 0.0
    p = excess_p_value(k, n, k0, n0, ALLOWED_FLIPS)
    return FlipRow(change, segment, n, k, n0, k0, excess, newcombe(k, n, k0, n0), p)


def flip_rows(segments: Sequence[str], rows: Sequence[Mapping[str, bool | None]]) -> Iterator[FlipRow]:
    """One row per segment and change, from what `flipped` said of every request."""
    for segment in dict.fromkeys(segments):
        own = [row for named, row in zip(segments, rows, strict=True) if named == segment]
        floor = [flip for row in own if (flip := row.get(REPEAT)) is not None]
        for change in CHANGES:
            flips = [flip for row in own if (flip := row.get(change)) is not None]
            if flips:
                yield flip_row(change, segment, flips, floor)


@dataclass(frozen=True, slots=True)
class PositionRow:
    """Choices among options that were turned so that each place is right equally often.

    `bias` is the share of answers that went to the first option whatever it said: (share - 1/4) / (3/4).
    `consistency` is the mean share of a question's turns that chose its most chosen content.
    """

    answers: int
    first: int
    bias: float
    interval: Interval
    consistency: float
    p_value: float
    adjusted: float | None = None
    verdict: Verdict = "ok"


def position_row(chosen: Sequence[Sequence[int | None]]) -> PositionRow:
    """From the place chosen at every turn of every question, `chosen[question][turn]`."""
    flat = [place for turns in chosen for place in turns if place is not None]
    first, n = sum(place == 0 for place in flat), len(flat)
    own = 1 / OPTIONS
    low, high = clopper_pearson(first, n) if n else Interval(0.0, 1.0)
    contents = [
        [(place - turn) % OPTIONS for turn, place in enumerate(turns) if place is not None]
        for turns in chosen
    ]
    agreed = [max(map(kept.count, set(kept))) / OPTIONS for kept in contents if kept]
    p = binomial_p_value(first, n, own + ALLOWED_FLIPS * (1 - own)) if n else 1.0
    return PositionRow(
        n, first, ((first / n if n else own) - own) / (1 - own),
        Interval((low - own) / (1 - own), (high - own) / (1 - own)),
        sum(agreed) / len(agreed) if agreed else 0.0, p,
    )  # fmt: skip


def corrected(flips: Sequence[FlipRow], position: PositionRow) -> tuple[tuple[FlipRow, ...], PositionRow]:
    """The same rows with Holm's correction over all of them at 5 %."""
    *adjusted, last = holm([*(row.p_value for row in flips), position.p_value]).tolist()
    judged = tuple(
        replace(row, adjusted=p, verdict="worse" if p <= LEVEL else "ok")
        for row, p in zip(flips, adjusted, strict=True)
    )
    return judged, replace(position, adjusted=last, verdict="worse" if last <= LEVEL else "ok")
