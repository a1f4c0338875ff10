"""`make bench-probes`: planted boundaries found, how far off, with how many calls, and how often for nothing.

    python -m tests.benchmarks.probes

Fixed seeds. Prints a Markdown table and writes tests/benchmarks/results/probes.json and .md; exit 1 where a
target is missed.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from monitor.intervals import Interval
from monitor.probes.axes import AXES
from tests.benchmarks.probe_worlds import (
    SMALL,
    World,
    adaptive,
    conclusion,
    covers,
    equal_grid,
    error,
    fitted,
    half_line,
    needle_grid,
    replayed,
    shifted,
    small_pack,
)
from tests.benchmarks.results import write_result
from tests.benchmarks.runs import CORPORA

RUNS = 200
GRID_RUNS = 200
SHARP = (World("json_depth", 3), World("context", 8000), World("hops", 4))
SOFT = (
    World("json_depth", 3, 0.15, 0.02),
    World("context", 8000, 0.15, 0.02),
    World("context", 8000, 0.3, 0.02),
    World("hops", 4, 0.15, 0.02),
)


@dataclass(frozen=True, slots=True)
class Check:
    """One figure against its target."""

    what: str
    target: str
    measured: float
    passed: bool
    note: str = ""


def planted(world: World) -> Iterator[Check]:
    """Error, coverage and calls of 200 runs, and what a fixed grid would have cost."""
    found = [adaptive(world, seed) for seed in range(RUNS)]
    errors = [error(world, belief) for belief in found]
    calls = sum(len(belief.trials) for belief in found) / RUNS
    near = sum(e <= 0.3 for e in errors) / RUNS
    held = sum(covers(world, belief) for belief in found) / RUNS
    yield Check(
        f"{world.name}: within 0.3 octave", ">= 0.90", near, near >= 0.9, f"largest error {max(errors):.2f}"
    )
    yield Check(f"{world.name}: interval holds the truth", ">= 0.90", held, held >= 0.9, f"{calls:.1f} calls")
    calls, reached, grid = equal_grid(world, GRID_RUNS)
    unit = "octaves wide" if world.scale.integer and not world.spread else "octaves off"
    note = f"{calls:.1f} calls for {reached:.3f} {unit}, a grid needs {grid:.0f}"
    yield Check(f"{world.name}: share of a grid's calls", "<= 0.30", calls / grid, calls / grid <= 0.3, note)


def unchanged() -> Iterator[Check]:
    """Ten axes, nothing changed; and one that lost an octave and a half."""
    axes = [axis for name, axis in AXES.items() if name != "dates"]
    quiet = sum(shifted(axes, seed, 0.0) == 0 for seed in range(RUNS)) / RUNS
    yield Check("unchanged candidate, nine axes: no finding", ">= 0.95", quiet, quiet >= 0.95)
    for lost in (1.0, 1.5, 2.5):
        seen = sum(shifted(axes, seed, lost) > 0 for seed in range(60)) / 60
        yield Check(f"one axis lost {lost:g} octaves: found", "shown", seen, passed=True)


def fallen() -> Iterator[Check]:
    """Small models whose candidate fell below two axes; and models that end where the axes begin, unchanged."""
    pack = small_pack()
    for name, (candidate, baseline) in SMALL.items():
        found = [conclusion(pack, candidate, baseline, seed) for seed in range(2 * RUNS)]
        same = sum(one == other for one, other in zip(found[::2], found[1::2], strict=True)) / RUNS
        both = sum(axes == {"digits", "context"} for axes in found) / len(found)
        note = f"both axes found worse in {both:.1%} of runs"
        held = name != "clear" or same >= 0.95
        target = ">= 0.95" if name == "clear" else "shown"
        yield Check(f"fell below two of five axes, {name}: two seeds agree", target, same, held, note)
    axes = [axis for name, axis in AXES.items() if name != "dates"]
    quiet = sum(shifted(axes, seed, 0.0, ends=Interval(-0.5, 1.0)) == 0 for seed in range(RUNS)) / RUNS
    yield Check("unchanged at the easiest levels, nine axes: no finding", ">= 0.95", quiet, quiet >= 0.95)


def published() -> Iterator[Check]:
    """Claude-2.1 and GPT-4-1106 on the needle grid of 2023, replayed as models."""
    path = CORPORA / "grids" / "needle_2023.jsonl"
    if not path.exists():
        return
    for model, cells in needle_grid(path).items():
        line, inside = half_line(cells)
        belief = fitted(cells)
        middle, (low, high) = 2 ** belief.quantile(0.5), (2**bound for bound in belief.interval())
        where = f"{line:,.0f}" if inside else f"beyond {line:,.0f}"
        holds = low <= line <= high if inside else middle >= line
        note = f"the grid's own line: {where} tokens; fitted {middle:,.0f} ({low:,.0f} to {high:,.0f})"
        yield Check(f"{model}: fit of every cell agrees with the grid's 50 % line", "1", holds, holds, note)
        runs = [replayed(cells, seed) for seed in range(50)]
        agreed = sum(r.lower <= line <= r.upper if inside else r.upper >= line for r in runs) / len(runs)
        median = statistics.median(r.threshold or r.lower for r in runs)
        note = f"adaptive, {runs[0].calls} calls of {len(cells)} cells; median {median:,.0f}"
        yield Check(
            f"{model}: adaptive runs whose interval holds it", "shown", agreed, passed=True, note=note
        )


def checks() -> Iterator[Check]:
    for world in (*SHARP, *SOFT):
        yield from planted(world)
    yield from published()
    yield from unchanged()
    yield from fallen()


def line(check: Check) -> str:
    met = "yes" if check.passed else "**no**"
    return f"| {check.what} | {check.target} | {check.measured:.3f} | {met} | {check.note} |"


def main() -> int:
    start = time.perf_counter()
    done = []
    for check in checks():
        print(line(check), file=sys.stderr, flush=True)
        done.append(check)
    head = ["| check | target | measured | met | |", "|---|---|---|---|---|"]
    text = "\n".join([*head, *map(line, done)]) + "\n"
    print(text)
    seconds = round(time.perf_counter() - start, 1)
    measured = {"seconds": seconds, "runs": RUNS, "checks": {check.what: asdict(check) for check in done}}
    write_result("probes", measured, markdown=text)
    return int(not all(check.passed for check in done))


if __name__ == "__main__":
    sys.exit(main())
