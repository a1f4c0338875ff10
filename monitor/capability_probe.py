"""Finding out what a server can do: a handful of one-token requests over its leg.

Asked once at the start and after every change of what serves there. The baseline (replay leg) is
asked for logprobs and token ids only, never for `prompt_logprobs`.
"""

from __future__ import annotations

from dataclasses import replace

from monitor.candidate import Ask, Leg, Refused
from monitor.capabilities import Abilities, Capabilities
from monitor.errors import BadInput
from monitor.openai_api import parse_request, tokenize_prompt
from monitor.records import Completion, Operation, Request

DEADLINE_SECONDS = 60.0
"""The first request with logprobs compiles kernels: 6 to 54 s on vLLM."""
# Says nothing about what the server can do. Anything else is a no, a crash above all: it is not tried again.
_ASK_AGAIN = frozenset({"shed", "candidate_down"})
_ASKED = "Say yes."
_BODIES: dict[Operation, dict[str, object]] = {
    "chat": {"messages": [{"role": "user", "content": _ASKED}]},
    # A base model has no chat template and refuses chat.
    "text_completion": {"prompt": _ASKED},
}
_ATTEMPTS = (Ask(logprobs=True, token_ids=True), Ask(logprobs=True), Ask())


async def probe(candidate: Leg, replay: Leg | None, model: str | None) -> Capabilities | None:
    """What both servers can do; None where the candidate does not answer now (ask again later)."""
    found = await _probe(candidate, model)
    if found is None:
        return None
    tokenize, prompt_logprobs = await _forcing(candidate, model)
    abilities = replace(found, tokenize=tokenize, prompt_logprobs=prompt_logprobs)
    again = None if replay is None else await _probe(replay, await _served(replay))
    return Capabilities(abilities, again or Abilities())


async def _served(leg: Leg) -> str | None:
    identity = await leg.identity()
    return identity.model if identity else None


async def _probe(leg: Leg, model: str | None) -> Abilities | None:
    """What the server gives with the most demanding request that it takes."""
    for operation, ask in ((o, a) for o in _BODIES for a in _ATTEMPTS):
        try:
            answer, _ = await leg.send(
                _request(operation), "capabilities", DEADLINE_SECONDS, replace(ask, model=model)
            )
        except Refused as refused:
            if refused.reason.endswith("_misconfigured"):  # this path may be missing
                continue
            return None
        if answer.error_type is None:
            return _abilities(answer)
        if not answer.error_type.startswith("http_"):
            return None
    return None


def _request(operation: Operation) -> Request:
    return parse_request(operation, {**_BODIES[operation], "max_tokens": 1, "temperature": 0})


def _abilities(answer: Completion) -> Abilities:
    return Abilities(
        logprobs=bool(answer.logprobs),
        token_ids=bool(answer.token_ids and answer.prompt_token_ids),
        request_metrics=answer.server_duration_seconds is not None,
        cached_tokens=answer.cached_tokens is not None,
    )


async def _forcing(leg: Leg, model: str | None) -> tuple[bool | None, bool | None]:
    """Whether /tokenize and `prompt_logprobs` work; the second is asked with the ids of the first."""
    try:
        ids = await leg.tokenize(tokenize_prompt(_request("text_completion"), model), DEADLINE_SECONDS)
    except (Refused, BadInput) as error:
        return _answered(error), _answered(error)
    try:
        answer = Completion(prompt_token_ids=ids[:-1], token_ids=ids[-1:])
        await leg.force(answer, "capabilities", DEADLINE_SECONDS, Ask(model=model))
    except (Refused, BadInput) as error:
        return True, _answered(error)
    return True, True


def _answered(error: Refused | BadInput) -> bool | None:
    """A refusal is a no, unless the server was only away."""
    return None if error.reason in _ASK_AGAIN else False
