"""The one table of signals: name, kind, null, default level, needs, cost and what it asks.

`null` says which hypothesis the evidence tests (research: stats.md 5, DESIGN 5 Statistics):
`integrity` one stream against the allowed drop; `flip` and `agreement` two streams, candidate
against the replay; `affine` a signed gap mapped to [0, 1]; `latency` exceedance of the replay's
quantile; `none` is shown, never tested.
Levels: `page` wakes a person and decides the verdict, `ticket` warns, `show` is displayed,
`off` is not computed. `signals.<name>` in the configuration changes a level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from monitor.records import Kind

Null = Literal["integrity", "flip", "agreement", "affine", "latency", "none"]
Level = Literal["page", "ticket", "show", "off"]
Need = Literal["replay", "logprobs", "prompt_logprobs", "labels", "stream", "reference", "choices"]


@dataclass(frozen=True, slots=True)
class Signal:
    """One row of the table; `cost_us` is the median microseconds per pair where it applies."""

    name: str
    kind: Kind
    null: Null
    level: Level
    doc: str
    needs: tuple[Need, ...] = ()
    cost_us: float = 0.0


RUNGS = ("p50", "p90", "p95", "p99")


def _rung(what: str, words: str, rung: str, needs: tuple[Need, ...]) -> Signal:
    level: Level = "page" if rung in {"p95", "p99"} else "ticket"
    doc = f"{words} beyond max(1.2 q, q + 50 ms) of the replay's {rung}"
    return Signal(f"{what}_{rung}", "latency", "latency", level, doc, needs)


SIGNALS: dict[str, Signal] = {
    signal.name: signal
    for signal in (
        # integrity: the candidate is broken, whatever was asked
        Signal(
            "error",
            "directional",
            "integrity",
            "page",
            "the candidate failed or timed out where the baseline answered",
        ),
        Signal(
            "empty",
            "directional",
            "integrity",
            "page",
            "the candidate answered nothing where the baseline did",
        ),
        Signal(
            "truncated",
            "directional",
            "integrity",
            "ticket",
            "the candidate hit its token limit where the baseline stopped",
        ),
        Signal(
            "degenerate",
            "directional",
            "integrity",
            "page",
            "the candidate loops or repeats one token where the baseline does not",
        ),
        Signal(
            "script",
            "directional",
            "integrity",
            "page",
            "the candidate answers in another script than the baseline and the request",
        ),
        Signal(
            "language",
            "directional",
            "integrity",
            "page",
            "the candidate answers in another language than the baseline and the request",
        ),
        # flip-prone: verifiable on both answers
        Signal(
            "format",
            "directional",
            "flip",
            "page",
            "the candidate loses the JSON, schema or fence that was asked for, or adds a wrapping",
            ("replay",),
        ),
        Signal(
            "code",
            "directional",
            "flip",
            "page",
            "code of the candidate does not parse where the baseline's does",
            ("replay",),
        ),
        Signal(
            "tool_call",
            "directional",
            "flip",
            "page",
            "the candidate's tool call is missing, unknown or violates its schema where the baseline's is fine",
            ("replay",),
        ),
        Signal(
            "constraint",
            "directional",
            "flip",
            "page",
            "the candidate breaks a constraint of the prompt that the baseline kept",
            ("replay",),
        ),
        Signal(
            "refusal",
            "directional",
            "flip",
            "page",
            "the candidate refuses where the baseline answered",
            ("replay",),
        ),
        # agreement on checkable answers
        Signal(
            "answer",
            "agreement",
            "agreement",
            "page",
            "final number, choice, label, JSON leaves, tool arguments or code differ",
            ("replay",),
        ),
        Signal(
            "number_scale",
            "agreement",
            "agreement",
            "page",
            "the final numbers differ by a factor of ten or more",
            ("replay",),
        ),
        Signal(
            "first_option",
            "agreement",
            "agreement",
            "ticket",
            "the candidate picks the first option where the baseline picked another",
            ("replay", "choices"),
        ),
        # shown only: different is not worse
        Signal(
            "divergence",
            "agreement",
            "none",
            "show",
            "length-normalised hazard of leaving the baseline's words",
        ),
        Signal(
            "similarity",
            "agreement",
            "none",
            "show",
            "one minus the normalised longest common subsequence of words",
        ),
        Signal(
            "length",
            "agreement",
            "none",
            "show",
            "the answer is less than half or more than twice as long (the earliest warning, never a page)",
        ),
        Signal("hedging", "agreement", "none", "show", "the candidate hedges more per 100 words"),
        Signal(
            "verbosity",
            "agreement",
            "none",
            "show",
            "preambles, apologies, disclaimers and closing offers that the baseline lacks",
        ),
        Signal(
            "markdown",
            "agreement",
            "none",
            "show",
            "headers, bullets, bold, tables or fences that the baseline lacks",
        ),
        # confidence
        Signal(
            "forced_drop",
            "confidence",
            "integrity",
            "ticket",
            "mean absolute logprob drop of the replay's tokens under the candidate, nats/token",
            ("replay", "logprobs", "prompt_logprobs"),
        ),
        Signal(
            "confident_disagreement",
            "confidence",
            "agreement",
            "ticket",
            "the candidate is sure (>= 0.9) and disagrees on a checkable answer",
            ("replay", "logprobs"),
        ),
        Signal(
            "residue",
            "confidence",
            "agreement",
            "ticket",
            "confident disagreement on requests far from the reference sample",
            ("replay", "logprobs", "reference"),
        ),
        Signal(
            "calibration_gap",
            "confidence",
            "affine",
            "page",
            "confidence exceeds agreement with the baseline or the delayed label",
            ("logprobs",),
        ),
        Signal(
            "label",
            "directional",
            "affine",
            "page",
            "delayed labels: the candidate is wrong where the baseline was right",
            ("labels",),
        ),
        # latency, judged against the replay leg
        *(_rung("latency", "duration", rung, ("replay",)) for rung in RUNGS),
        *(_rung("ttft", "time to first token", rung, ("replay", "stream")) for rung in RUNGS),
    )
}
