"""Where the baseline does not agree with itself: ZeroEval's sets with and without a control arm.

The 405B model's own weights at another provider change a fifth of CRUX's answers and half a percent
of GSM8K's, so no threshold tells noise from loss on both; the tables show what would have to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from monitor.intervals import mcnemar_two_sided
from tests.benchmarks.runs import Listed, answers, listed
from tests.benchmarks.scored_runs import Run, run
from tests.benchmarks.truth import truth

Json = dict[str, Any]
SETS = ("zeroeval_gsm", "zeroeval_crux", "zeroeval_numersense")
Runs = Callable[[Listed], Run]


def disagreement(scored: Runs) -> list[Json]:
    """Every listed ZeroEval pair: how often answers differ, who was right then, and what alarms."""
    return [_line(scored(pair)) for pair in listed() if pair.set in SETS]


def _line(found: Run) -> Json:
    row = found.row("all", "answer")
    outcome = truth(found.pair, found.ids)
    lost, won = (outcome.lost, outcome.won) if outcome else (0, 0)
    return {
        "pair": found.pair.name,
        "kind": found.pair.kind,
        "pairs": row.pairs if row else 0,
        "differ": row.effect if row else None,
        "lost": lost,
        "won": won,
        "alarm": any(r.signal == "answer" for r in found.unexplained()),
        "symmetry_p": _symmetry(found.pair, found.ids),
    }


def _symmetry(pair: Listed, ids: list[str]) -> float:
    """Sign test of the answers' lengths: runs of one model should be exchangeable, and are not."""
    ours, theirs = answers(pair.set, pair.baseline), answers(pair.set, pair.candidate)
    gaps = [len(theirs[key]["text"]) - len(ours[key]["text"]) for key in ids]
    return mcnemar_two_sided(sum(g > 0 for g in gaps), sum(g < 0 for g in gaps))


def with_floor() -> Iterator[Json]:
    """Pairs of a baseline that has a same-weights run, with that run as control arm."""
    for control in (p for p in listed() if p.set in SETS[:2] and p.is_control):
        for pair in listed():
            if pair.set == control.set and pair.baseline == control.baseline and pair != control:
                scored = run(pair, control)
                row = scored.row("all", "answer")
                yield {
                    "pair": pair.name,
                    "floor": row.noise_floor if row else None,
                    "excess": row.effect if row else None,
                    "answer_alarms": [r.segment for r in scored.unexplained() if r.signal == "answer"],
                }
