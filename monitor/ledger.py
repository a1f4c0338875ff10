"""What is kept of a scored pair: rows for the store, with keyed hashes instead of identities. Pure.

Nothing of a request, an answer or an explanation passes here unredacted unless `store.text` is
`full`; with `none`, the default, no text passes at all.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from monitor.records import Arm, Completion, Forced, Pair, Request, Score, spoken
from monitor.redaction import Token, keyed
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

    def subject(self, value: str) -> str:
        """Under what a data subject's pairs are found, however the name came here."""
        return self.digest("subject", spoken(value))

    def optional(self, kind: str, value: str | None) -> str | None:
        """The same, None for None."""
        return None if value is None else self.digest(kind, value)

    def prompt(self, request: Request) -> str:
        """Equal for requests that ask the same with the same history."""
        parts = [[m.role, m.text, [c.arguments for c in m.tool_calls]] for m in request.messages]
        return self.digest("prompt", json.dumps([request.operation, parts]))


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a scored pair, whichever process scored it.

    Numbers, names and keyed hashes; of its texts only what `store.text` allows. `baseline`,
    `candidate` and `replay` have lost their text and tokens (`bare`), `confidences` says what
    their logprobs said. Small enough to travel: the scores topic carries it.
    """

    dims: Mapping[str, str]
    operation: str
    collector: str
    inclusion: float
    prompt_key: str
    session_key: str | None
    subject_key: str | None
    rewrites: tuple[str, ...]
    flags: tuple[str, ...]
    legs: tuple[float | None, ...]
    baseline: Completion
    candidate: Completion | None
    replay: Completion | None
    confidences: tuple[float | None, ...]
    scored: Scored
    texts: Mapping[str, str | None] | None = None
    forced: Mapping[str, Any] | None = None
    prefilled: int = 0
    """Tokens that the candidate computed to score other arms' answers."""
    forced_seconds: float | None = None
    """Seconds that its engine reports for that."""
    redactions: Mapping[str, int] | None = field(default_factory=dict)
    """Secrets replaced per kind; None where redaction failed, and then no text is kept."""

    @property
    def arms(self) -> dict[Arm, Completion]:
        """The answers that exist."""
        arms: dict[Arm, Completion | None] = {
            "baseline": self.baseline,
            "candidate": self.candidate,
            "replay": self.replay,
        }
        return {arm: answer for arm, answer in arms.items() if answer is not None}


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where one exchange ended: scored (`kept`), or `skipped` for a reason."""

    id: str
    received_at: float
    kept: Kept | None = None
    skipped: str | None = None
    sent: bool = False
    failed: bool = False
    """Whether the candidate failed, which is a score and no skip."""
    replay_skipped: str | None = None
    forced_skipped: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One scored pair in log order. `time` is event time, made monotone."""

    seq: int
    time: float
    id: str
    kept: Kept


def bare(completion: Completion) -> Completion:
    """An answer without its text, tokens and messages."""
    return replace(
        completion,
        text="",
        tool_calls=(),
        logprobs=(),
        tokens=(),
        token_ids=(),
        prompt_token_ids=(),
        error_message="",
    )


def leg(completion: Completion | None, confidence: float | None) -> dict[str, Any] | None:
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
        "confidence": confidence,
        "in_flight": completion.in_flight,
    }


def forced(view: Forced | None) -> dict[str, Any] | None:
    """The candidate's view of another arm's answer as the store's STRUCT."""
    if view is None:
        return None
    values = asdict(view)
    del values["engine_seconds"]  # counted, not stored
    return {"arm": values.pop("of"), **values}


def confidence(completion: Completion) -> float | None:
    """Sequence confidence, the geometric mean of the token probabilities; None without logprobs."""
    if not completion.logprobs:
        return None
    return math.exp(sum(completion.logprobs) / len(completion.logprobs))


def pair_row(entry: Entry, block: int, scored_at: float) -> Row:
    """A row of `pairs`, in column order."""
    kept = entry.kept
    arms = zip((kept.baseline, kept.candidate, kept.replay), kept.confidences, strict=True)
    return (
        entry.seq,
        block,
        entry.id,
        entry.time,
        scored_at,
        {"all": "all", **kept.dims},
        kept.operation,
        kept.collector,
        kept.inclusion,
        kept.prompt_key,
        kept.session_key,
        kept.subject_key,
        list(kept.rewrites),
        list(kept.flags),
        list(kept.legs),
        *(leg(completion, confidence) for completion, confidence in arms),
        kept.texts,
        kept.forced,
    )


def score_row(seq: int, signal: str, score: Score, reference: float | None) -> Row:
    """A row of `scores`, in column order; `reference` is the replay's x."""
    words = (score.label, score.explanation)
    return (seq, signal, score.value, reference, *words, score.baseline, score.candidate)


def score_rows(entry: Entry) -> list[Row]:
    """The rows of one pair."""
    scored = entry.kept.scored
    return [
        score_row(entry.seq, name, score, scored.references.get(name))
        for name, score in scored.scores.items()
    ]


@dataclass(frozen=True, slots=True)
class Keeping:
    """How a pair's texts are kept: not at all, cleaned of what `clean` recognises, or in full; then sealed."""

    mode: Text
    clean: Callable[[str], str]
    seal: Callable[..., str] | None = None
    """`Vault.seal`; None keeps readable text."""

    def kept(self, value: str | None, *place: str) -> str | None:
        """What the mode leaves of a text that stands at `place` (the pair's id, then the field)."""
        if value is None or self.mode == "none":
            return None
        text = value.encode("utf-8", "replace").decode()
        text = self.clean(text) if self.mode == "redacted" else text
        text = text if len(text) <= MAX_STORED else f"{text[:MAX_STORED]} [cut, {len(text)} characters]"
        return self.seal(text, *place) if self.seal else text


def scored_for_store(scored: Scored, keeping: Keeping) -> Scored:
    """The same scores with explanations as far as the mode allows."""
    kept = {
        name: keeping.kept(score.explanation, scored.id, name) or "" for name, score in scored.scores.items()
    }
    scores = {
        name: score if kept[name] == score.explanation else replace(score, explanation=kept[name])
        for name, score in scored.scores.items()
    }
    return replace(scored, scores=scores)


def texts_of(pair: Pair, keeping: Keeping) -> dict[str, str | None] | None:
    """The texts that the mode allows."""
    if keeping.mode == "none":
        return None
    request = "\n\n".join(f"[{m.role}] {m.text}" for m in pair.request.messages)
    arms = (
        ("request", request),
        ("baseline", answer_text(pair.baseline)),
        ("candidate", answer_text(pair.candidate) if pair.generated else None),
        ("replay", answer_text(pair.replay) if pair.replay else None),
    )
    return {name: keeping.kept(value, pair.id, name) for name, value in arms}


def answer_text(completion: Completion) -> str:
    """Text, tool calls and error of one answer, for people."""
    calls = "".join(f"\n[tool call] {call.name}({call.arguments})" for call in completion.tool_calls)
    failed = f"\n[{completion.error_type}]" if completion.error_type else ""
    return f"{completion.text}{calls}{failed}".strip()


def token_maker(secret: bytes) -> Token:
    """The redaction tokens of this store."""
    return keyed(hmac.new(secret, b"redaction", hashlib.sha256).digest())
