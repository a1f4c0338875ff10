"""Words for people about a verdict: its one-line reason, and what a skip reason means. Pure."""

from __future__ import annotations

from monitor.records import Verdict

# What a reason means and what to do about it; anything else speaks for itself.
HINTS = {
    "not_sampled": "sampling.fraction decides",
    "candidate_down": "the candidate does not answer at candidate.url",
    "candidate_busy": "the candidate's queue is not empty (candidate.max_waiting)",
    "candidate_crashed": "the candidate died while it answered",
    "candidate_shed": "the candidate rejected it as too busy (503)",
    "candidate_unavailable": "429, 502 or 503: a quota or a gateway before the candidate refused it",
    "candidate_misconfigured": "401/403/404 from the candidate: candidate.model, candidate.token_env",
    "candidate_context_length": "longer than the candidate's context",
    "endpoint_unsupported": "allow.endpoints decides",
    "expired": "older than spool.max_age_seconds before it could be scored",
    "internal_error": "a fault of Tailgate's own: the monitor's log says where; please report it",
    "queue_full": "the sidecar's hand-over was full (sidecar.max_queue_*)",
    "spool_full": "spool.max_bytes is used up; is the monitor running?",
}

STAGES = {
    "eligible": "requests on the endpoints that are mirrored",
    "sampled": "chosen by sampling.fraction",
    "sent": "asked of the candidate",
    "completed": "the candidate answered without an error",
    "comparable": "two outcomes to compare; an error of the candidate is one",
    "scored": "judged, errors of the candidate included",
    "pending": "on their way",
}
"""What the stages of the funnel count, in order."""


def reason(verdict: Verdict) -> str:
    """One line: the worst unexplained divergence, or what is missing."""
    worst = [row for row in verdict.segments if row.verdict == "diverged" and row.explained_by is None]
    if worst:
        row = worst[0]
        effect = "" if row.effect is None else f" by {100 * row.effect:.0f} points"
        more = f" and {len(worst) - 1} more" if len(worst) > 1 else ""
        return f"{row.segment} diverged on {row.signal}{effect} over {row.pairs} pairs{more}"
    if verdict.verdict == "ok":
        return f"every required segment is ok over {verdict.pairs} pairs"
    return verdict.warnings[0] if verdict.warnings else f"not enough pairs yet ({verdict.pairs})"
