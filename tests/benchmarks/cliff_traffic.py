"""What the cliff benchmark asks: requests of eight groups, some of them chosen by the baseline's answers.

Seven groups of requests from the corpora and one of our own sums, the shortest of each, because a
prefill on a CPU costs as much as it does. A signal that says "worse" can only speak where the baseline
is good, and 135 million parameters often are not: four groups are offered more requests than they
keep, and keep the first whose *baseline* answer the group's signal can judge and finds no fault in.
No candidate's answer is looked at for that.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import zip_longest
from random import Random
from textwrap import wrap
from typing import Any

from monitor.openai_api.request import parse_request
from monitor.records import Completion, Exchange, Pair, Score
from monitor.scorers import SCORERS
from tests.benchmarks.runs import CORPORA

REQUESTS = CORPORA / "requests"
MAX_TOKENS = 32
AT_ONCE = 16
MODEL = "model"

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Prompt:
    """One request, the group that it is reported under, and the right answer where one is known.

    `judged` names the signal that must find no fault in the baseline's own answer.
    """

    id: str
    group: str
    body: Row
    right: str | None = None
    judged: str | None = None

    @property
    def key(self) -> str:
        """What the play-back server finds the answer by."""
        return key(self.body)


def key(body: Row) -> str:
    """Names a request by what it asks, however it reaches a server."""
    return json.dumps([body.get("messages"), body.get("max_tokens")], sort_keys=True)


SUMS = "arithmetic"
AS_JSON = ("json", "facts")
TRIED = 14
"""Rows on which the wording was tried against int4 before the first run; none of them is asked."""
OFFERED = 4
"""Requests offered for each one that a judged group has to keep; asking stops at the last that is needed."""


def pool(each: int) -> dict[str, list[Prompt]]:
    """Requests per group in the order in which they are taken."""
    plain = {
        "choice": _shortest("choice", "mmlu"),
        "chat": _shortest("chat", "xstest"),
        "code": [_code(row) for row in _rows("humaneval")],
        SUMS: _sums(each),
    }
    latin = [row for row in _rows("m_ifeval") if row["dims"]["lang"] != "ja"]
    judged = {
        "json": [_json("json", row, _order(row)) for row in _rows("json_extraction")[TRIED:]],
        "facts": [_json("facts", row, _said(row)) for row in _rows("simpleqa_calibration")[TRIED:]],
        "languages": [_corpus("languages", row, "language") for row in sorted(latin, key=_size)],
        "scripts": list(_scripts()),
    }
    return {
        **{group: offered[:each] for group, offered in plain.items()},
        **{group: offered[: OFFERED * each] for group, offered in judged.items()},
    }


def interleaved(groups: Mapping[str, Sequence[Prompt]]) -> list[Prompt]:
    """One of each group in turn, as traffic would be."""
    return [prompt for row in zip_longest(*groups.values()) for prompt in row if prompt is not None]


def good(prompt: Prompt, answer: Row) -> bool:
    """Whether the group's signal can judge the baseline's answer and finds no fault in it."""
    if prompt.judged is None:
        return True
    own = Completion(text=answer["choices"][0]["message"]["content"])
    exchange = Exchange(prompt.id, 0.0, parse_request("chat", prompt.body), own)
    score = SCORERS[prompt.judged](Pair(exchange, own))
    return isinstance(score, Score) and not score.baseline


def _rows(corpus: str) -> list[Row]:
    return [json.loads(line) for line in (REQUESTS / f"{corpus}.jsonl").read_text().splitlines()]


def _size(row: Row) -> tuple[int, str]:
    return len(json.dumps(row["request"]["messages"], ensure_ascii=False).encode()), row["id"]


def _shortest(group: str, corpus: str) -> list[Prompt]:
    return [_corpus(group, row) for row in sorted(_rows(corpus), key=_size)]


def _corpus(group: str, row: Row, judged: str | None = None) -> Prompt:
    """A request of the corpora as it stands there."""
    return Prompt(row["id"], group, _body(row["request"]["messages"]), judged=judged)


def _said(row: Row) -> str:
    text: str = row["request"]["messages"][-1]["content"]
    return text


def _asked(text: str) -> Row:
    return _body([{"role": "user", "content": text}])


def _body(messages: Any, most: int = MAX_TOKENS) -> Row:
    return {"model": MODEL, "messages": messages, "temperature": 0, "max_tokens": most}


def _order(row: Row) -> str:
    """Number and buyer of an order, and the question about one of them."""
    order, buyer = _said(row).split(". ")[:2]
    return f"{order}. {buyer.split(', at')[0]}. Who is the buyer?"


def _json(group: str, row: Row, question: str) -> Prompt:
    """A question of which the answer ends, envelope and all, within 32 tokens."""
    asked = f'{question} Reply with JSON only, like {{"answer": "..."}}'
    return Prompt(row["id"], group, _asked(asked), judged="format")


def _code(row: Row) -> Prompt:
    """The signature alone: with docstring and examples it is three times as long."""
    name, arguments = re.findall(r"def (\w+)\((.*?)\)", _said(row))[-1]
    asked = f"Write a Python function {name}({arguments}). Reply with one fenced code block."
    return Prompt(row["id"], "code", _asked(asked))


# Of others 32 tokens are too few letters for a script to be judged.
_ALPHABETS = frozenset({"Arabic", "Cyrillic", "Greek", "Hebrew"})


def _scripts() -> Iterator[Prompt]:
    """Pieces of paragraphs to be repeated: first pieces, then second ones."""
    rows = [row for row in _rows("udhr_lowresource") if row["dims"]["script"] in _ALPHABETS]
    pieces = [wrap(_said(row).split("\n\n", 1)[1], 70) for row in rows]
    for number, row_of_pieces in enumerate(zip_longest(*pieces)):
        for row, piece in zip(rows, row_of_pieces, strict=True):
            if piece is not None:
                asked = f"Repeat this sentence, in the same language and the same script: {piece}"
                yield Prompt(f"{row['id']}/{number}", "scripts", _asked(asked), judged="script")


def _sums(each: int) -> list[Prompt]:
    random, made = Random(5), []
    for number in range(each):
        a, b = random.randint(2, 60), random.randint(2, 60)
        messages = [{"role": "user", "content": f"What is {a} + {b}? Answer with the number only."}]
        made.append(Prompt(f"sum/{number}", SUMS, _body(messages, 8), str(a + b)))
    return made


def chosen(
    offered: Mapping[str, Sequence[Prompt]], each: int, ask: Callable[[Sequence[Prompt]], Sequence[Row]]
) -> tuple[list[Prompt], dict[str, int]]:
    """The first `each` requests per group whose answer is good, and how many were looked at for them.

    `ask` gives the baseline's answers to some requests; groups without a rule are not asked.
    """
    kept: dict[str, list[Prompt]] = {}
    looked_at = dict.fromkeys(offered, 0)
    for group, prompts in offered.items():
        found = kept.setdefault(group, [prompt for prompt in prompts if prompt.judged is None])
        looked_at[group] = len(found)
        while (batch := prompts[looked_at[group] :][:AT_ONCE]) and len(found) < each:
            looked_at[group] += len(batch)
            found += [
                prompt for prompt, answer in zip(batch, ask(batch), strict=True) if good(prompt, answer)
            ]
        del found[each:]
    return interleaved(kept), looked_at


def unjudged(offered: Mapping[str, Sequence[Prompt]], each: int) -> dict[str, list[Prompt]]:
    """The first `each` of every group, whatever the baseline answers."""
    return {group: [replace(p, judged=None) for p in prompts[:each]] for group, prompts in offered.items()}


def fingerprint(asked: Sequence[Prompt]) -> str:
    """Names the set of requests; recordings of another set are not mixed with it."""
    text = json.dumps([asdict(prompt) for prompt in asked], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]
