"""Does scoring tell real regressions from harmless changes? Every listed pair of published outputs.

    make bench-scoring                                  (python -m tests.benchmarks.scoring --without-cost
                                                         keeps the costs of an earlier, quieter run)

Each pair goes through the code path of `tailgate score`, without a control arm unless said; truth
comes from the sets' own labels. Writes `results/scoring.json` and `results/scoring.md`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.benchmarks.constraint_truth import flips, mining
from tests.benchmarks.results import RESULTS, provenance, write_result
from tests.benchmarks.runs import MISSING, RUNS, find, listed
from tests.benchmarks.scored_runs import Run, Slice, run, slices
from tests.benchmarks.scoring_bounds import beyond, constraints, segmenters
from tests.benchmarks.scoring_costs import costs
from tests.benchmarks.scoring_expectations import Check, checks
from tests.benchmarks.scoring_figures import (
    big_losses,
    confusion,
    control_alarms,
    correlation,
    small_losses,
)
from tests.benchmarks.scoring_noise import disagreement, with_floor
from tests.benchmarks.text_rivals import ABSENT, cosine, evidently, exact, f1, threshold_rule

Json = dict[str, Any]


def measure(cost: Callable[[], Json]) -> Json:
    """Everything, as the JSON result; `cost` yields what scoring costs."""
    runs = {pair: run(pair) for pair in listed()}
    parts = [part for scored in runs.values() for part in slices(scored)]
    controls = [scored for pair, scored in runs.items() if pair.is_control]
    share = control_alarms(controls)
    ranks = {name: correlation(parts, refusals=with_) for name, with_ in (("without", False), ("with", True))}
    mined, flipped = mining(), flips()
    found = [
        *checks(lambda *names: runs[find(*names)]),
        *beyond(parts, share, ranks["without"]),
        *constraints(mined, flipped),
        *segmenters(),
    ]
    return {
        "pairs_listed": len(runs),
        "pairs_scored": sum(len(scored.rows) for scored in runs.values()),
        "scorer_failures": sum(sum(scored.result.failures.values()) for scored in runs.values()),
        "segments_with_truth": sum(part.truth is not None for part in parts),
        "confusion": confusion(parts),
        "loss_20_points": big_losses(parts),
        "loss_10_to_20_points": small_losses(parts),
        "controls": share,
        "disagreement": disagreement(lambda pair: runs[pair]),
        "controls_with_noise_floor": list(with_floor()),
        "correlation": ranks["without"],
        "correlation_with_refusal_sets": ranks["with"],
        "constraint_kinds": {
            "missed": dict(mined.missed.most_common()),
            "invented": dict(mined.invented.most_common()),
        },
        "checks": [check._asdict() for check in found],
        "rivals": rivals(list(runs.values()), parts),
        "cost": cost(),
    }


def rivals(runs: Sequence[Run], parts: Sequence[Slice]) -> Json:
    """Similarity rules with a threshold that no control segment crosses, and Evidently's preset."""
    found: Json = {}
    rules: Mapping[str, Callable[[Run], Sequence[float] | None]] = {
        "exact match": exact,
        "token-F1": f1,
        "cosine": cosine,
    }
    for name, rule in rules.items():
        values = {r.pair.name: v for r in runs if (v := rule(r)) is not None}
        found[name] = threshold_rule(values, parts) if values else _earlier("rivals", name)
    found["ours"] = _ours(parts)
    names = (
        ("shaberi_quant_ja", "shisa-v2-llama3.1-405b", "405b-W4A16-gs128"),
        ("shaberi_quant_ja", "cyberagent", "2408-FP8"),
    )
    pairs = [find(*words) for words in names]
    found["evidently"] = {
        r.pair.name: evidently(r) or _earlier("rivals", "evidently", r.pair.name)
        for r in runs
        if r.pair in pairs
    }
    return found


def _ours(parts: Sequence[Slice]) -> Json:
    """The same segments as the rivals' rules, untuned."""
    large = [p for p in parts if p.truth and p.pairs >= 20]
    bad = [p for p in large if p.truth and p.truth.is_regression]
    good = [p for p in large if p.truth and not p.truth.is_regression]
    return {
        "regressions": len(bad),
        "found": sum(p.verdict == "diverged" for p in bad),
        "healthy": len(good),
        "false_alarms": sum(p.verdict == "diverged" for p in good),
    }


def _costs() -> Json:
    return {**costs(), "measured": {name: provenance()[name] for name in ("commit", "date", "machine")}}


def _earlier_costs() -> Json:
    return _earlier("cost")


def _earlier(*path: str) -> Json:
    """A part of the result file that this run leaves out; it says when it was measured."""
    found: Json = json.loads((RESULTS / "scoring.json").read_text())
    known = {name: found[name] for name in ("commit", "date", "machine")}
    for name in path:
        found = found.get(name, {"skipped": ABSENT})
    return {"measured": known, **found}


def main() -> int:
    """Exit code 1 where a check of the acceptance list does not hold."""
    if not RUNS.is_dir():
        print(MISSING)
        return 0
    from tests.benchmarks.scoring_report import report

    measured = measure(_earlier_costs if "--without-cost" in sys.argv else _costs)
    text = report(measured)
    write_result("scoring", measured, markdown=text)
    print(text)
    return int(not all(Check(**check).holds for check in measured["checks"]))


if __name__ == "__main__":
    sys.exit(main())
