"""Figures over all listed pairs: confusion, sensitivity, control alarms, rank correlation."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from scipy.stats import spearmanr

from tests.benchmarks.runs import answers
from tests.benchmarks.scored_runs import Run, Slice
from tests.benchmarks.text_rivals import token_f1

LARGE, BIG_LOSS, LOSS = 40, 0.20, 0.10
_REFUSAL_SETS = frozenset({"xstest_completions", "llmdrift_sensitive"})
_CORRELATED = ("answer", "constraint", "format")
Slices = Sequence[Slice]


def confusion(parts: Slices) -> dict[str, dict[str, int]]:
    """Verdicts of segments by whether their truth is a regression (lost >= 10 points, p < 0.05)."""
    table: dict[str, Counter[str]] = {"regression": Counter(), "no regression": Counter()}
    for part in parts:
        if part.truth is not None:
            table["regression" if part.truth.is_regression else "no regression"][part.verdict] += 1
    return {truth: dict(counts) for truth, counts in table.items()}


def big_losses(parts: Slices) -> dict[str, Any]:
    """Segments that lost at least 20 points on at least 40 pairs: how many diverged."""
    hit = [p for p in parts if p.truth and p.truth.loss >= BIG_LOSS and p.pairs >= LARGE]
    return _share(hit, lambda p: p.verdict == "diverged")


def small_losses(parts: Slices) -> dict[str, Any]:
    """Regressions of 10 to 20 points: ours beside the true labels through the same rule."""
    hit = [p for p in parts if p.truth and p.truth.is_regression and LOSS <= p.truth.loss < BIG_LOSS]
    ours, oracle = (_share(hit, test) for test in (_diverged, lambda p: p.oracle == "diverged"))
    ok = [f"{p.run.pair.name} {p.segment}" for p in hit if p.verdict == "ok"]
    return {"ours": ours, "oracle": oracle, "said_ok": ok}


def _diverged(part: Slice) -> bool:
    return part.verdict == "diverged"


def _share(parts: Slices, test: Callable[[Slice], bool]) -> dict[str, Any]:
    missed = [f"{p.run.pair.name} {p.segment}" for p in parts if not test(p)]
    found = len(parts) - len(missed)
    return {
        "of": len(parts),
        "found": found,
        "share": found / len(parts) if parts else None,
        "missed": missed,
    }


def control_alarms(runs: Sequence[Run]) -> dict[str, Any]:
    """Unexplained page divergences over all page rows of same-model pairs."""
    rows = [row for run in runs for row in run.result.verdict.segments if row.level == "page"]
    alarms = [f"{run.pair.name}: {row.signal} in {row.segment}" for run in runs for row in run.unexplained()]
    return {
        "rows": len(rows),
        "alarms": len(alarms),
        "share": len(alarms) / max(1, len(rows)),
        "which": alarms,
    }


def correlation(parts: Slices, *, refusals: bool) -> dict[str, Any]:
    """Spearman of excess with loss on segments of >= 40 pairs; token-F1 beside it.

    `refusals` counts the sets whose label is "refused", which no answer, constraint or format shows.
    """
    large = [
        p for p in parts if p.truth and p.pairs >= LARGE and (refusals or p.run.pair.set not in _REFUSAL_SETS)
    ]
    loss = [p.truth.loss for p in large if p.truth]
    return {
        "segments": len(large),
        "excess": _spearman([excess(p) for p in large], loss),
        "token_f1": _spearman([1 - _median_f1(p) for p in large], loss),
    }


def excess(part: Slice) -> float:
    """Share of the segment's pairs that answer, constraint and format say are worse, summed."""
    total = 0.0
    for signal in _CORRELATED:
        row = part.run.row(part.segment, signal)
        if row is not None and row.effect is not None:
            total += row.effect * row.pairs / part.pairs
    return total


def _median_f1(part: Slice) -> float:
    pair, ids = part.run.pair, part.run.ids
    ours, theirs = answers(pair.set, pair.baseline), answers(pair.set, pair.candidate)
    scores = sorted(token_f1(ours[ids[i]]["text"], theirs[ids[i]]["text"]) for i in part.members)
    return scores[len(scores) // 2]


def _spearman(x: Sequence[float], y: Sequence[float], draws: int = 2000) -> dict[str, Any]:
    """Rank correlation with its 95 % bootstrap interval over segments."""
    generator = random.Random(1)
    values = []
    for _ in range(draws):
        picked = generator.choices(range(len(x)), k=len(x))
        values.append(float(spearmanr([x[i] for i in picked], [y[i] for i in picked]).statistic))
    values.sort()
    low, high = values[int(0.025 * draws)], values[int(0.975 * draws)]
    return {"rho": float(spearmanr(x, y).statistic), "low": low, "high": high}
