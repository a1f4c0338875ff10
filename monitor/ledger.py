"""What is kept of a scored pair: rows for the store, with keyed hashes instead of identities. Pure.

Nothing of a request, an answer or an explanation passes here unredacted unless `store.text` is
`full`; with `none`, the default, no text passes at all.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from monitor.pairing import Paired
from monitor.records import Completion, Exchange, Forced, Request
from monitor.redaction import Token, keyed, redact
from monitor.scoring import Scored

Row = tuple[Any, ...]
Text = Literal["none", "redacted", "full"]
MAX_STORED = 64 << 10
"""Characters kept per text; a longer one is cut with a mark."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Keyed hashes of what must be recognised again but never read."""

    secret: bytes

    def digest(self, kind: str, value: str) -> str:
        """16 hex digits of HMAC-SHA256."""
        message = f"{kind}\0{value}".encode("utf-8", "surrogatepass")
        return hmac.new(self.secret, message, hashlib.sha256).hexdigest()[:16]

    def optional(self, kind: str, value: str | None) -> str | None:
        """The same, None for None."""
        return None if value is None else self.digest(kind, value)

    def prompt(self, request: Request) -> str:
        """Equal for requests that ask the same with the same history."""
        parts = [[m.role, m.text, [c.arguments for c in m.tool_calls]] for m in request.messages]
        return self.digest("prompt", json.dumps([request.operation, parts]))


@dataclass(frozen=True, slots=True)
class Entry:
    """One scored pair in log order. `time` is event time, made monotone."""

    seq: int
    time: float
    paired: Paired
    scored: Scored
    dims: Mapping[str, str]
    prompt_key: str
    session_key: str | None
    subject_key: str | None
    flags: tuple[str, ...]
    legs: tuple[float | None, ...] = ()

    @property
    def exchange(self) -> Exchange:
        return self.paired.exchange


def leg(completion: Completion | None) -> dict[str, Any] | None:
    """One arm as the store's STRUCT."""
    if completion is None:
        return None
    return {
        "duration": completion.server_duration_seconds or completion.duration_seconds,
        "ttft": completion.server_time_to_first_token_seconds or completion.time_to_first_token_seconds,
        "input_tokens": completion.input_tokens,
        "output_tokens": completion.output_tokens,
        "finish_reason": completion.finish_reason,
        "model": completion.model,
        "error": completion.error_type,
        "confidence": confidence(completion),
        "in_flight": completion.in_flight,
    }


def forced(view: Forced | None) -> dict[str, Any] | None:
    """The candidate's view of another arm's answer as the store's STRUCT."""
    if view is None:
        return None
    values = asdict(view)
    return {"arm": values.pop("of"), **values}


def confidence(completion: Completion) -> float | None:
    """Sequence confidence, the geometric mean of the token probabilities; None without logprobs."""
    if not completion.logprobs:
        return None
    return math.exp(sum(completion.logprobs) / len(completion.logprobs))


def pair_row(entry: Entry, block: int, scored_at: float, texts: dict[str, str | None] | None) -> Row:
    """A row of `pairs`, in column order."""
    exchange, pair = entry.exchange, entry.paired.pair
    return (
        entry.seq,
        block,
        exchange.id,
        entry.time,
        scored_at,
        {"all": "all", **entry.dims},
        exchange.request.operation,
        exchange.collector,
        exchange.inclusion_probability,
        entry.prompt_key,
        entry.session_key,
        entry.subject_key,
        list(entry.paired.rewrites),
        list(entry.flags),
        list(entry.legs),
        leg(exchange.baseline),
        leg(pair.candidate if pair and pair.generated else None),
        leg(pair.replay if pair else None),
        texts,
        forced(pair.forced_replay or pair.forced) if pair else None,
    )


def score_rows(entry: Entry, text: Text, token: Token) -> list[Row]:
    """Rows of `scores`, in column order."""
    return [
        (
            entry.seq,
            name,
            score.value,
            entry.scored.references.get(name),
            score.label,
            _kept(score.explanation, text, token) or "",
            score.baseline,
            score.candidate,
        )
        for name, score in entry.scored.scores.items()
    ]


def texts_of(entry: Entry, text: Text, token: Token) -> dict[str, str | None] | None:
    """The texts that the mode allows, redacted under one token map for all arms of the pair."""
    if text == "none" or entry.paired.pair is None:
        return None
    pair = entry.paired.pair
    request = "\n\n".join(f"[{m.role}] {m.text}" for m in pair.request.messages)
    arms = (
        ("request", request),
        ("baseline", answer_text(pair.baseline)),
        ("candidate", answer_text(pair.candidate) if pair.generated else None),
        ("replay", answer_text(pair.replay) if pair.replay else None),
    )
    return {name: _kept(value, text, token) for name, value in arms}


def answer_text(completion: Completion) -> str:
    """Text, tool calls and error of one answer, for people."""
    calls = "".join(f"\n[tool call] {call.name}({call.arguments})" for call in completion.tool_calls)
    failed = f"\n[{completion.error_type}]" if completion.error_type else ""
    return f"{completion.text}{calls}{failed}".strip()


def _kept(value: str | None, text: Text, token: Token) -> str | None:
    if value is None or text == "none":
        return None
    clean = value.encode("utf-8", "replace").decode()
    clean = redact(clean, token) if text == "redacted" else clean
    return clean if len(clean) <= MAX_STORED else f"{clean[:MAX_STORED]} [cut, {len(clean)} characters]"


def token_maker(secret: bytes) -> Token:
    """The redaction tokens of this store."""
    return keyed(hmac.new(secret, b"redaction", hashlib.sha256).digest())
