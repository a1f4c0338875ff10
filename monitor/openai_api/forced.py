"""Teacher forcing over /v1/completions: one prefill scores an answer that another model wrote.

The prompt is the other arm's own token ids, so nothing is tokenized twice. vLLM answers with one
entry per prompt token, keyed by token id, and `prompt_logprobs: 0` asks for the actual token only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from monitor.errors import BadInput
from monitor.openai_api.assembly import in_engine
from monitor.openai_api.response import JSON_ERRORS
from monitor.openai_api.wire import Metrics
from monitor.records import Completion


@dataclass(frozen=True, slots=True)
class TokenScore:
    """Log probability (natural) of one token of the answer, and its rank (1 = the model's choice)."""

    logprob: float
    rank: int


class _Entry(msgspec.Struct):
    logprob: float
    rank: int


class _Choice(msgspec.Struct):
    prompt_logprobs: list[dict[str, _Entry] | None]


class _Scored(msgspec.Struct):
    choices: list[_Choice]


_SCORED = msgspec.json.Decoder(_Scored)


class _Timed(msgspec.Struct):
    metrics: Metrics | None = None


_TIMED = msgspec.json.Decoder(_Timed)


def forced_request(answer: Completion, model: str | None, priority: int | None = None) -> dict[str, Any]:
    """Body for /v1/completions that scores `answer`; BadInput `no_token_ids` where it has none.

    One token is generated because vLLM refuses `max_tokens: 0` together with `prompt_logprobs`.
    """
    if not answer.prompt_token_ids or not answer.token_ids:
        raise BadInput("no_token_ids", "the answer carries no token ids (vLLM return_token_ids)")
    body: dict[str, Any] = {
        "model": model,
        "prompt": [*answer.prompt_token_ids, *answer.token_ids],
        "max_tokens": 1,
        "temperature": 0,
        "prompt_logprobs": 0,
    }
    return body if priority is None else {**body, "priority": priority}


def decode_forced(body: bytes, token_ids: Sequence[int]) -> tuple[TokenScore, ...]:
    """Scores of the last `len(token_ids)` prompt tokens, which must be these.

    BadInput `no_prompt_logprobs` where the server did not score, or scored something else.
    """
    try:
        entries = _SCORED.decode(body).choices[0].prompt_logprobs[-len(token_ids) :]
        found = [(entry or {})[str(number)] for entry, number in zip(entries, token_ids, strict=True)]
    except (*JSON_ERRORS, LookupError, ValueError) as error:
        raise BadInput("no_prompt_logprobs", f"teacher forcing: {type(error).__name__}: {error}") from error
    return tuple(TokenScore(entry.logprob, entry.rank) for entry in found)


def engine_seconds(body: bytes) -> float | None:
    """Seconds in the server's engine as it reports them, its queue left out; None where it does not."""
    try:
        metrics = _TIMED.decode(body).metrics
    except JSON_ERRORS:
        return None
    return None if metrics is None else in_engine(metrics)
