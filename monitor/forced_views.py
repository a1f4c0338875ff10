"""Which answer of a pair the candidate is asked to score, and whether it may be: I/O over one leg.

The replay's answer where it came with its own logprobs (then there is a drop), else the baseline's
words, tokenized by the candidate (token boundaries may differ from the baseline's: rank, nll and bits
per byte only).
"""

from __future__ import annotations

from dataclasses import replace

from monitor.candidate import Ask, Leg
from monitor.errors import BadInput
from monitor.forcing import forced_view, sampled_logprobs, unfit
from monitor.openai_api import tokenize_prompt, tokenize_text
from monitor.records import Arm, Completion, Pair


async def with_forced(pair: Pair, leg: Leg, ask: Ask, deadline: float) -> Pair:
    """The pair with the candidate's view of one answer.

    Raises BadInput where no answer is fit for it and Refused where the candidate does not score;
    `reason` of both is counted.
    """
    prompt = pair.candidate.prompt_token_ids
    if not prompt:
        prompt = await leg.tokenize(tokenize_prompt(pair.request, ask.model), deadline)
    answer, of = await _answer(pair, prompt, leg, ask, deadline)
    if reason := unfit(answer, prompt):
        raise BadInput(reason, f"{of}: not fit for teacher forcing")
    scores, seconds = await leg.force(answer, pair.id, deadline, ask)
    view = replace(forced_view(answer, scores, of), engine_seconds=seconds)
    return replace(pair, forced_replay=view) if of == "replay" else replace(pair, forced=view)


async def _answer(
    pair: Pair, prompt: tuple[int, ...], leg: Leg, ask: Ask, deadline: float
) -> tuple[Completion, Arm]:
    if pair.replay is not None and sampled_logprobs(pair.replay):
        return pair.replay, "replay"
    baseline = pair.baseline
    if baseline.error_type is not None or not baseline.text:
        raise BadInput("no_text", "the baseline's answer has no text to score")
    if baseline.tool_calls:
        raise BadInput("tool_calls", "a tool call's text is the template's, not the answer's")
    ids = await leg.tokenize(tokenize_text(baseline.text, ask.model), deadline)
    return replace(baseline, prompt_token_ids=prompt, token_ids=ids, logprobs=(), tokens=()), "baseline"
