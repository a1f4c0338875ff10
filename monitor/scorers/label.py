"""`label`: delayed truth from outside says that the candidate is wrong where the baseline was right."""

from __future__ import annotations

from monitor.records import Pair, Score


def label(pair: Pair) -> Score | None:
    """Affine: 0.5 where both are right or both wrong, 1 where only the candidate is wrong, else 0."""
    truth = pair.label
    if truth is None or truth.baseline_correct is None or truth.candidate_correct is None:
        return None
    return labelled(baseline_correct=truth.baseline_correct, candidate_correct=truth.candidate_correct)


def labelled(*, baseline_correct: bool, candidate_correct: bool) -> Score:
    """The same from the two labels."""
    ours, theirs = float(not candidate_correct), float(not baseline_correct)
    reason = "lost" if ours > theirs else "won" if ours < theirs else ""
    return Score("label", (1.0 + ours - theirs) / 2.0, reason, "", theirs, ours)
