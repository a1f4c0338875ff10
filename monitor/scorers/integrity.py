"""The candidate is broken, whatever was asked: it failed, said nothing, ran into its limit.

Every other scorer abstains where an arm failed, so one fault is counted by one signal.
"""

from __future__ import annotations

from monitor.degeneration import loops
from monitor.lexicons.tasks import REPETITION_WORDS, WANTS_REPETITION
from monitor.records import Completion, Pair, Score


def answered(completion: Completion) -> bool:
    """Whether the arm delivered a whole answer, text or tool calls."""
    return completion.error_type is None and (bool(completion.text.strip()) or bool(completion.tool_calls))


def error(pair: Pair) -> Score | None:
    """1 where the candidate failed or timed out and the baseline did not; None where both or only the baseline failed."""
    if pair.baseline.error_type is not None:
        return None
    failed = pair.candidate.error_type
    if failed is None:
        return Score("error", 0.0, baseline=0.0, candidate=0.0)
    return Score("error", 1.0, failed, f"the candidate failed: {failed}", baseline=0.0, candidate=1.0)


def empty(pair: Pair) -> Score | None:
    """1 where the candidate answered nothing and the baseline answered; tool calls are answers."""
    if not answered(pair.baseline) or pair.candidate.error_type is not None:
        return None
    if answered(pair.candidate):
        return Score("empty", 0.0, baseline=0.0, candidate=0.0)
    return Score("empty", 1.0, "empty", "the candidate answered nothing", baseline=0.0, candidate=1.0)


def truncated(pair: Pair) -> Score | None:
    """1 where the candidate hit its token limit and the baseline stopped by itself."""
    baseline, candidate = pair.baseline.finish_reason, pair.candidate.finish_reason
    if baseline is None or candidate is None or pair.baseline.error_type or pair.candidate.error_type:
        return None
    before, after = float(baseline == "length"), float(candidate == "length")
    if after <= before:
        return Score("truncated", 0.0, baseline=before, candidate=after)
    return Score(
        "truncated", 1.0, "length", "the candidate ran into its token limit", baseline=before, candidate=after
    )


def _wants_repetition(prompt: str) -> bool:
    small = prompt.lower()
    return any(map(small.__contains__, REPETITION_WORDS)) and WANTS_REPETITION.search(small) is not None


def degenerate(pair: Pair) -> Score | None:
    """1 where the candidate loops and the baseline does not; None where the request asks for repetition."""
    if not pair.candidate.text or not answered(pair.baseline) or pair.candidate.error_type is not None:
        return None
    if _wants_repetition(pair.request.prompt[-2_000:]):
        return None
    before = loops(pair.baseline.text) is not None
    how = loops(pair.candidate.text)
    if how is None or before:
        return Score("degenerate", 0.0, baseline=float(before), candidate=float(how is not None))
    said = pair.candidate.text.strip()[-24:]
    return Score(
        "degenerate", 1.0, how, f"the candidate repeats itself, last {said!r}", baseline=0.0, candidate=1.0
    )
