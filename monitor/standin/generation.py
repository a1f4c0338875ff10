"""From a request to the tokens of its answers. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from random import Random
from typing import Any

from monitor.records import Completion, Exchange, Message, Request
from monitor.segments import segments_of
from monitor.standin import tokens
from monitor.standin.answers import Answer, answer
from monitor.standin.faults import TRANSPORT, Fault, apply_fault
from monitor.standin.probed import spoiled, worked
from monitor.standin.settings import Settings

_TURN = re.compile(r"<\|(\w+)\|>(.*?)(?:<\|end\|>|\Z)", re.DOTALL)
_DAMAGE = 1.4
"""Largest drop per token of a damaged segment; its mean is half, as measured for int4 (0.72 nats)."""
_LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer with its tokens and their logprobs (same length)."""

    answer: Answer
    tokens: tuple[str, ...]
    logprobs: tuple[float, ...]

    @property
    def ids(self) -> list[int]:
        return [tokens.token_id(token) for token in self.tokens]


@dataclass(frozen=True, slots=True)
class Generation:
    """Everything that the server will say about one request."""

    request: Request
    choices: tuple[Choice, ...]
    prompt_ids: tuple[int, ...]
    transport: str | None = None
    prompt_logprobs: tuple[dict[str, Any] | None, ...] | None = None

    @property
    def output_tokens(self) -> int:
        return sum(len(choice.tokens) for choice in self.choices)


def prompt_ids(request: Request) -> list[int]:
    """Token ids of the rendered prompt, or the ids that the request itself brings."""
    prompt = request.body.get("prompt")
    if request.operation == "text_completion":
        return prompt if isinstance(prompt, list) else tokens.ids(request.prompt)
    return tokens.ids(rendered(request.messages))


def rendered(messages: Sequence[Message]) -> str:
    """The chat template of the stand-in."""
    turns = "".join(f"<|{message.role}|>{message.text}<|end|>" for message in messages)
    return f"{turns}<|assistant|>"


def spelled_out(request: Request) -> Request:
    """A request by token ids as the chat that its ids spell; other requests as they are."""
    ids = request.body.get("prompt")
    if request.operation != "text_completion" or not isinstance(ids, list):
        return request
    text = tokens.text_of(ids)
    turns = [Message(role, said) for role, said in _TURN.findall(text) if said or role != "assistant"]
    return replace(request, messages=tuple(turns) or (Message("user", text),))


@dataclass(frozen=True, slots=True)
class _Case:
    """One request as the stand-in sees it; `last` is the id of the prompt's last token."""

    request: Request
    settings: Settings
    fault: Fault | None
    serial: int
    last: int
    input_tokens: int

    @property
    def damage(self) -> float:
        return _DAMAGE if self.fault and self.fault.kind not in TRANSPORT else 0.0


def generate(request: Request, settings: Settings, serial: int) -> Generation:
    """Answers to a request; `serial` counts requests and only matters where sampling is on."""
    ids = prompt_ids(request)
    plain = spelled_out(request)
    fault = _fault(plain, settings, len(ids))
    case = _Case(plain, settings, fault, serial, ids[-1] if ids else 0, len(ids))
    return Generation(
        request,
        tuple(_choice(case, index) for index in range(request.body.get("n") or 1)),
        tuple(ids),
        transport=fault.kind if fault and fault.kind in TRANSPORT else None,
        prompt_logprobs=_prompt_logprobs(ids, case) if _scores_prompt(request) else None,
    )


def _scores_prompt(request: Request) -> bool:
    return request.body.get("prompt_logprobs") is not None


def _fault(request: Request, settings: Settings, input_tokens: int) -> Fault | None:
    if not settings.faults:
        return None
    probe = Exchange("", 0.0, request, Completion(input_tokens=input_tokens))
    dims = segments_of(probe)
    hits = (fault for fault in settings.faults if fault.matches(dims))
    return next((fault for fault in hits if fault.chosen(request.prompt, settings.seed)), None)


def _choice(case: _Case, index: int) -> Choice:
    settings, request = case.settings, case.request
    draw = _draw(request, settings, case.serial) + index
    given = _probed(case) or answer(request, seed=settings.seed, role=settings.role, draw=draw)
    if draw and settings.noise:
        given = _slipped(given, draw, settings.seed)
    if case.fault:
        rng = Random(f"{settings.seed} {case.fault} {request.prompt}")  # noqa: S311  not a secret
        given = apply_fault(case.fault.kind, given, request, rng)
    words = tokens.pieces(given.tool_calls[0].arguments if given.tool_calls else given.text)
    given, words = _limited(request, given, words)
    return Choice(given, tuple(words), tuple(_logprobs(words, given, case)))


def _probed(case: _Case) -> Answer | None:
    """The answer to a generated probe: right up to the planted boundary of its axis."""
    known = worked(case.request)
    if known is None:
        return None
    level = known.level or len(case.request.body.get("tools") or ()) or case.input_tokens
    limits = (limit for limit in case.settings.boundaries if limit.axis == known.axis)
    if not all(limit.keeps(level, case.request.prompt, case.settings.seed) for limit in limits):
        known = spoiled(known)
    return Answer(known.text, known.calls, "tool_calls" if known.calls else "stop")


def _draw(request: Request, settings: Settings, serial: int) -> int:
    """0 for the greedy answer, else which sample: given by the request's seed or by the call."""
    if request.body.get("temperature"):
        seed = request.body.get("seed")
        return serial if seed is None else 1 + int(tokens.unit("seed", seed) * 1_000_000)
    return serial if tokens.unit("noise", settings.seed, settings.role, serial) < settings.noise else 0


def _slipped(given: Answer, draw: int, seed: int) -> Answer:
    """Every fourth redrawn answer is also wrong, as a model that sits on the fence would be."""
    if not given.key or not given.key.isdigit() or tokens.unit("slip", draw, seed) >= 0.25:
        return given
    wrong = str(int(given.key) + 1)
    return replace(given, text=re.sub(rf"\b{given.key}\b", wrong, given.text), key=wrong)


def _limited(request: Request, given: Answer, words: list[str]) -> tuple[Answer, list[str]]:
    limit = next((v for key in _LIMITS if isinstance(v := request.body.get(key), int)), None)
    if limit is None or len(words) <= limit:
        return given, words
    text = given.text if given.tool_calls else "".join(words[:limit])
    return replace(given, text=text, finish_reason="length"), words[:limit]


def _logprobs(words: Sequence[str], given: Answer, case: _Case) -> Iterator[float]:
    last = case.last
    for word in words:
        current = tokens.token_id(word)
        sure = given.confidence
        role = case.settings.role
        yield tokens.logprob(last, current, role, case.damage) if sure is None else math.log(sure)
        last = current


def _prompt_logprobs(ids: Sequence[int], case: _Case) -> tuple[dict[str, Any] | None, ...]:
    """vLLM's shape: nothing for the first token, then the actual token's logprob and rank by id."""
    scored: list[dict[str, Any] | None] = [None]
    for previous, current in pairwise(ids):
        value = tokens.logprob(previous, current, case.settings.role, case.damage)
        rank = 1 if value > -1.0 else 2 + int(-value)
        entry = {"logprob": value, "rank": rank, "decoded_token": tokens.token_text(current)}
        scored.append({str(current): entry})
    return tuple(scored)


def usage(generation: Generation, cached: int) -> Mapping[str, Any]:
    """Token counts as vLLM reports them with --enable-prompt-tokens-details."""
    given, made = len(generation.prompt_ids), generation.output_tokens
    details = {"cached_tokens": cached, "created_cache_tokens": None, "multimodal_tokens": None}
    return {
        "prompt_tokens": given,
        "total_tokens": given + made,
        "completion_tokens": made,
        "prompt_tokens_details": details,
        "completion_tokens_details": None,
    }
