"""`python -m tests.benchmarks.hotpath`: the hot path beside nginx, Envoy and the rest, in one run.

Writes `tests/benchmarks/results/hotpath.json` and `.md`; exits 1 when a target is missed.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace

from tests.benchmarks.hotpath import native
from tests.benchmarks.hotpath.handover import handover
from tests.benchmarks.hotpath.measure import PROFILES, Samples, idle, measure, progress
from tests.benchmarks.hotpath.report import as_json, as_markdown, out_of_reach
from tests.benchmarks.hotpath.targets import TARGETS, judge
from tests.benchmarks.hotpath.variants import (
    VARIANTS,
    Variant,
    interpreter,
    sidecar_as_it_comes,
    which_python,
)
from tests.benchmarks.results import write_result


def main() -> int:
    """Measure, judge, write, print."""
    arguments = _arguments()
    if why := native.missing():
        print(why, file=sys.stderr)
        return 2
    variants, notes = _present(arguments.only)
    profiles = [
        replace(p, rounds=arguments.rounds or p.rounds) for p in PROFILES if p.name in arguments.profile
    ]
    samples = measure(profiles, variants, progress)
    if any(v.name.startswith("tailgate") for v in variants):
        samples["idle"] = {"tailgate": idle(sidecar_as_it_comes)}
        samples["handover"] = {"tailgate": handover(interpreter())}
    notes += [which_python(), *_errors(samples)]
    outcomes = [judge(target, samples) for target in TARGETS]
    notes += out_of_reach(samples, outcomes)
    markdown = as_markdown({p.name: p.text for p in PROFILES}, samples, outcomes, notes)
    if not arguments.dry:
        write_result("hotpath", as_json(samples, outcomes, notes), markdown=markdown)
    print(markdown)
    return int(any(outcome.passed is False for outcome in outcomes))


def _arguments() -> argparse.Namespace:
    names = [profile.name for profile in PROFILES]
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.hotpath", description=__doc__)
    parser.add_argument("--profile", action="append", choices=names, help="default: all")
    parser.add_argument("--only", action="append", help="variants whose name starts so; default: all")
    parser.add_argument("--rounds", type=int, default=0, help="default: 11, 5 and 5")
    parser.add_argument("--dry", action="store_true", help="print, write no result file")
    arguments = parser.parse_args()
    arguments.profile = arguments.profile or names
    return arguments


def _present(only: list[str] | None) -> tuple[list[Variant], list[str]]:
    """The variants that can run here, and why the others cannot."""
    chosen = [v for v in VARIANTS if only is None or v.name.startswith(tuple(only))]
    reasons = {variant.name: variant.missing() for variant in chosen}
    notes = [f"{name} left out: {why}" for name, why in reasons.items() if why]
    return [variant for variant in chosen if reasons[variant.name] is None], notes


def _errors(samples: Samples) -> list[str]:
    return [
        f"{variant}, {profile}: {errors:.0f} failed requests"
        for profile, by_variant in samples.items()
        for variant, rounds in by_variant.items()
        if (errors := sum(sample.get("errors", 0) for sample in rounds))
    ]


if __name__ == "__main__":
    sys.exit(main())
