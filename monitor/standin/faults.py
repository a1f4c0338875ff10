"""Damage on purpose, one kind per failure family that a scorer must find.

Content kinds change an answer (`apply_fault`, pure); transport kinds (`TRANSPORT`) change how it is
sent and are carried out by the server. A kind that does not apply (broken JSON in a chat answer)
leaves the answer as it is. `cliff` picks what a quantization cliff does to the task at hand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random
from types import MappingProxyType

from monitor.errors import UsageError
from monitor.records import Request
from monitor.scripts import script
from monitor.standin import tasks
from monitor.standin.answers import Answer
from monitor.standin.phrases import PHRASES
from monitor.standin.tokens import unit

TRANSPORT = frozenset({"hang", "dribble", "slow", "error", "shed", "crash", "cut"})
"""hang: never answers; dribble: one token a second; slow: 4x; error: 500; shed: 503 as vLLM's
admission control; crash: the connection breaks mid-answer; cut: the stream ends without its end."""


@dataclass(frozen=True, slots=True)
class Fault:
    """`kind` happens to a share `rate` of the requests in `segment`."""

    segment: str
    kind: str
    rate: float = 1.0

    def chosen(self, prompt: str, seed: int) -> bool:
        """Whether this request is hit: fixed per prompt, so repeats agree."""
        return unit("fault", self.segment, self.kind, seed, prompt) < self.rate

    def matches(self, dims: Mapping[str, str]) -> bool:
        """Whether a request with these dimensions is in the segment (a cross means all of it)."""
        if self.segment == "all":
            return True
        pairs = (part.partition("=") for part in self.segment.split(","))
        return all(dims.get(dimension) == value for dimension, _, value in pairs)


def parse_fault(text: str) -> Fault:
    """`SEGMENT:KIND[:RATE]`, e.g. `language=sw:loop:0.9`; UsageError names what is wrong."""
    segment, _, rest = text.partition(":")
    kind, _, rate = rest.partition(":")
    if kind not in KINDS:
        raise UsageError(f"--fault {text!r}: no fault {kind!r}; known: {', '.join(sorted(KINDS))}")
    if segment != "all" and not all("=" in part for part in segment.split(",")):
        raise UsageError(f"--fault {text!r}: the segment must be `all` or look like language=sw")
    try:
        share = float(rate or 1.0)
    except ValueError:
        share = -1.0
    if not 0.0 <= share <= 1.0:
        raise UsageError(f"--fault {text!r}: the rate must be a number from 0 to 1")
    return Fault(segment, kind, share)


def apply_fault(kind: str, answer: Answer, request: Request, rng: Random) -> Answer:
    """The damaged answer; the answer itself for kinds that do not apply to it."""
    if kind in TRANSPORT:
        return answer
    return CONTENT[kind](answer, request, rng)


def _other_script(answer: Answer, request: Request, rng: Random) -> Answer:
    foreign = "hi" if script(request.prompt) != "devanagari" else "th"
    return replace(answer, text=" ".join(rng.sample(PHRASES[foreign].says, 3)), tool_calls=())


def _other_language(answer: Answer, request: Request, rng: Random) -> Answer:
    """Another language of the same script where the stand-in knows one, else English."""
    written = script(request.prompt)
    own = tasks.phrases(request.prompt)
    others = [p for p in PHRASES.values() if script(p.says[0]) == written and p is not own]
    chosen = rng.choice(others) if others else PHRASES["en"]
    return replace(answer, text=" ".join(rng.sample(chosen.says, 3)), tool_calls=())


def _loop(answer: Answer, request: Request, rng: Random) -> Answer:
    """A few words, then the last of them for ever."""
    del request, rng
    start = (answer.text or "and so on and on and")[:60]
    return replace(answer, text=start + start[-36:] * 40, tool_calls=(), finish_reason="length")


def _repeat(answer: Answer, request: Request, rng: Random) -> Answer:
    del request
    word = rng.choice((answer.text or "the").split())
    return replace(answer, text=" ".join([word] * 200), tool_calls=(), finish_reason="length")


def _broken_json(answer: Answer, request: Request, rng: Random) -> Answer:
    del request
    if not answer.text.startswith("{"):
        return answer
    cut = answer.text.rstrip("}")
    return replace(answer, text=rng.choice((cut, f"{cut},", answer.text.replace('":', "':", 1))))


def _lost_envelope(answer: Answer, request: Request, rng: Random) -> Answer:
    """The values are there, the JSON is not."""
    del request, rng
    try:
        values = json.loads(answer.text)
    except ValueError:
        return answer
    if not isinstance(values, dict):
        return answer
    return replace(answer, text=". ".join(f"The {key} is {value}" for key, value in values.items()) + ".")


def _wrapped(answer: Answer, request: Request, rng: Random) -> Answer:
    del request, rng
    if not answer.text.startswith("{"):
        return answer
    return replace(answer, text=f"Sure! Here is the JSON you asked for:\n\n```json\n{answer.text}\n```")


def _wrong_number(answer: Answer, request: Request, rng: Random) -> Answer:
    """The final number times 10, 100 or 1000."""
    del request
    found = [answer.key] if answer.key else re.findall(r"\d+", answer.text)[-1:]
    if not found or not found[0] or not found[0][0].isdigit():
        return answer
    wrong = tasks.shown(float(found[0]) * 10 ** rng.randint(1, 3))
    text = re.sub(rf"(?<![\d.]){re.escape(found[0])}(?![\d])", wrong, answer.text)
    return replace(answer, text=text, key=wrong)


def _pick(answer: Answer, letter: str) -> Answer:
    return replace(answer, text=re.sub(rf"\b{answer.key}\b", letter, answer.text), key=letter)


def _wrong_choice(answer: Answer, request: Request, rng: Random) -> Answer:
    others = sorted(set(tasks.options(request.prompt)) - {answer.key})
    return _pick(answer, rng.choice(others)) if others and answer.key else answer


def _first_option(answer: Answer, request: Request, rng: Random) -> Answer:
    del rng
    letters = sorted(tasks.options(request.prompt))
    return _pick(answer, letters[0]) if letters and answer.key else answer


def _refusal(answer: Answer, request: Request, rng: Random) -> Answer:
    del rng
    words = tasks.phrases(request.prompt) or PHRASES["en"]
    return replace(answer, text=words.refusal, tool_calls=(), finish_reason="stop", key=None)


def _hedging(answer: Answer, request: Request, rng: Random) -> Answer:
    del rng
    words = tasks.phrases(request.prompt) or PHRASES["en"]
    return replace(answer, text=f"{words.hedge} {answer.text}")


def _broken_code(answer: Answer, request: Request, rng: Random) -> Answer:
    del request
    if "def " not in answer.text:
        return answer
    broken = (answer.text.replace("):", ")", 1), answer.text.replace("return", "return (", 1))
    return replace(answer, text=rng.choice(broken))


def _tool_missing(answer: Answer, request: Request, rng: Random) -> Answer:
    del request, rng
    if not answer.tool_calls:
        return answer
    return Answer(f"I would call {answer.tool_calls[0].name} now.")


def _tool_wrong(answer: Answer, request: Request, rng: Random) -> Answer:
    """An unknown function, arguments that are no JSON, or arguments of the wrong type."""
    del request
    if not answer.tool_calls:
        return answer
    call = answer.tool_calls[0]
    wrong = (
        replace(call, name=f"{call.name}_v2"),
        replace(call, arguments=call.arguments.rstrip("}")),
        replace(call, arguments='{"value": [null]}'),
    )
    return replace(answer, tool_calls=(rng.choice(wrong),))


def _overconfident(answer: Answer, request: Request, rng: Random) -> Answer:
    """Wrong, and sure of it."""
    wrong = _wrong_choice(answer, request, rng)
    wrong = wrong if wrong is not answer else _wrong_number(answer, request, rng)
    return replace(wrong, confidence=0.995)


def _empty(answer: Answer, request: Request, rng: Random) -> Answer:
    del request, rng
    return replace(answer, text="", tool_calls=(), key=None)


def _truncated(answer: Answer, request: Request, rng: Random) -> Answer:
    del request, rng
    return replace(answer, text=answer.text[: len(answer.text) // 2], finish_reason="length")


def _cliff(answer: Answer, request: Request, rng: Random) -> Answer:
    """What low precision does to this task (SmolLM2-135M at int4: JSON lost first, then numbers)."""
    for kind in ("tool_wrong", "lost_envelope", "broken_code", "wrong_choice"):
        damaged = apply_fault(kind, answer, request, rng)
        if damaged is not answer:
            return damaged
    return _wrong_number(answer, request, rng) if answer.key else _other_script(answer, request, rng)


CONTENT: Mapping[str, Callable[[Answer, Request, Random], Answer]] = MappingProxyType(
    {
        "cliff": _cliff,
        "other_script": _other_script,
        "other_language": _other_language,
        "loop": _loop,
        "repeat": _repeat,
        "broken_json": _broken_json,
        "lost_envelope": _lost_envelope,
        "wrapped": _wrapped,
        "wrong_number": _wrong_number,
        "wrong_choice": _wrong_choice,
        "first_option": _first_option,
        "refusal": _refusal,
        "hedging": _hedging,
        "broken_code": _broken_code,
        "tool_missing": _tool_missing,
        "tool_wrong": _tool_wrong,
        "overconfident": _overconfident,
        "empty": _empty,
        "truncated": _truncated,
    }
)
KINDS = frozenset(CONTENT) | TRANSPORT
