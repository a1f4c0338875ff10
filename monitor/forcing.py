"""Teacher forcing: an answer that another arm wrote, as the candidate sees it. Pure.

The candidate prefills prompt and answer once (`prompt_logprobs: 0`) and generates nothing. Where the
writing arm's own logprobs of these tokens are known (the replay asks for them), the difference is
the drop. The baseline is never asked for `prompt_logprobs`: they skip its prefix cache and need
memory outside its budget (vllm-project/vllm#5907), which is also why the length is bounded here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from monitor.degeneration import loops
from monitor.openai_api import TokenScore
from monitor.records import Arm, Completion, Forced

MAX_TOKENS = 4096
"""Prompt and answer together; 4,096 x 152k logits in float32 are 2.5 GB (vllm-project/vllm#52054)."""
# vLLM writes -9999 for an impossible token: one of them would drown a whole answer's mean.
_LEAST = -100.0


def unfit(answer: Completion, candidate_prompt: Sequence[int]) -> str | None:
    """Why this answer must not be scored, None where it may be. The reasons are counted.

    `candidate_prompt` is the same request as the candidate tokenizes it: where the two differ
    (another template, a missing <bos>), logprobs compare two different questions.
    """
    if answer.error_type is not None:
        return "answer_failed"
    if not answer.token_ids or not answer.prompt_token_ids:
        return "no_token_ids"
    if tuple(candidate_prompt) != answer.prompt_token_ids:
        return "prompt_differs"
    if len(answer.prompt_token_ids) + len(answer.token_ids) > MAX_TOKENS:
        return "too_long"
    return "degenerate" if loops(answer.text) else None


def sampled_logprobs(answer: Completion) -> bool:
    """Whether the arm told the logprob of every token that it wrote: the drop needs them."""
    known = bool(answer.token_ids) and len(answer.logprobs) == len(answer.token_ids)
    return known and bool(answer.prompt_token_ids) and not any(map(math.isnan, answer.logprobs))


def forced_view(answer: Completion, scores: Sequence[TokenScore], of: Arm) -> Forced:
    """Summary of one scored answer; `scores` belong to `answer.token_ids`, one each (at least one).

    Drops are the writing arm's logprob minus the candidate's: positive = less likely now.
    """
    seen = [max(score.logprob, _LEAST) for score in scores]
    nll = -fmean(seen)
    size = len(answer.text.encode("utf-8", "surrogatepass"))
    view = Forced(
        tokens=len(scores),
        top1=fmean(score.rank == 1 for score in scores),
        nll=nll,
        of=of,
        prefilled=len(answer.prompt_token_ids) + len(answer.token_ids),
        bits_per_byte=nll * len(scores) / math.log(2) / size if size else None,
    )
    return _with_drops(view, answer, seen) if sampled_logprobs(answer) else view


def _with_drops(view: Forced, answer: Completion, seen: Sequence[float]) -> Forced:
    drops = [max(own, _LEAST) - other for own, other in zip(answer.logprobs, seen, strict=True)]
    position = max(range(len(drops)), key=drops.__getitem__)
    return replace(
        view,
        drop_mean=fmean(drops),
        drop_absolute=fmean(map(abs, drops)),
        drop_largest=drops[position],
        drop_position=position,
    )
