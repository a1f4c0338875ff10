"""`python -m tests.benchmarks.soak`: recorded arrivals over and over, and whether memory grows.

Two public traces of Azure's LLM services (Patel et al., Splitwise, ISCA 2024; CC-BY-4.0) run side
by side through one Tailgate: conversations as streams, code completions as plain requests five times as
fast, whose bursts (268 in one second, 67 in a fifth of one, at a mean of 15.5) no Poisson load would show. Everything is mirrored to a
healthy candidate. Fails on a lost request, a funnel that does not reconcile, or a process whose
memory certainly grows. Writes `tests/benchmarks/results/soak.json`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, takewhile
from pathlib import Path
from statistics import median
from typing import Any

from scipy import stats

from tests.benchmarks.hotpath import native, process
from tests.benchmarks.results import ROOT, write_result
from tests.faults.comparison import not_served
from tests.faults.rig import Rig, eventually, tailgate

ARRIVALS = ROOT.parent / "shared" / "corpora" / "arrivals"
CHUNKS, CHUNK_US = 40, 25_000
BYTES_PER_TOKEN = 4  # of English; the traces count tokens
MOST_GROWTH_MB_PER_HOUR = 6.0  # a megabyte in ten minutes
EVERY_SECONDS = 2.0
# Rows wait in memory for DuckDB's next checkpoint, every 25 to 50 s at this load, and what it frees for the next
# `Store.trim`: three minutes hold several of both.
FLOOR_SECONDS = 180.0
FLOORS = 6  # the fewest whose half has a slope
SPEEDS = {"conv": 1.0, "code": 5.0}


@dataclass(frozen=True, slots=True)
class Growth:
    """Slope of what a process keeps resident over the second half of a run, with 95 % bounds; megabytes."""

    megabytes_per_hour: float
    low: float
    high: float
    first: float
    last: float


def floors(
    points: Sequence[tuple[float, float]], seconds: float = FLOOR_SECONDS
) -> list[tuple[float, float]]:
    """The lowest of each so many seconds. A burst of requests takes memory and gives it back, rows are in memory until
    they are checkpointed; what grows is what is left then."""
    lowest: dict[int, float] = {}
    for t, megabytes in points:
        number = int(t // seconds)
        lowest[number] = min(megabytes, lowest.get(number, megabytes))
    return [(number * seconds, megabytes) for number, megabytes in sorted(lowest.items())]


def growth(points: Sequence[tuple[float, float]]) -> Growth:
    """Least-squares slope of the floors of (seconds, megabytes) points; the first half is warm-up and left out."""
    lows = floors(points)
    half = lows[len(lows) // 2 :]
    kept = [megabytes for _, megabytes in half]
    fit = stats.linregress([t / 3600 for t, _ in half], kept)
    spread = fit.stderr if len(set(kept)) > 1 else 0.0  # scipy's is nan where nothing moves
    error = float(stats.t.ppf(0.975, len(half) - 2) * spread)
    edge = max(1, len(half) // 5)
    slope = float(fit.slope)
    return Growth(slope, slope - error, slope + error, median(kept[:edge]), median(kept[-edge:]))


def write_trace(source: Path, to: Path, speed: float, seconds: float) -> int:
    """The arrivals of `source`, `speed` times as fast and from its start again at its end, as the load generator
    reads them; how many."""
    rows = [json.loads(line) for line in source.read_text().splitlines()]
    once = [(row["t"] / speed, row["in"] * BYTES_PER_TOKEN) for row in rows]
    arrivals = ((turn * once[-1][0] + at, size) for turn in count() for at, size in once)
    within = takewhile(lambda arrival: arrival[0] < seconds, arrivals)
    lines = [f"{int(at * 1e6)} {max(200, size)}" for at, size in within]
    to.write_text("\n".join(lines) + "\n")
    return len(lines)


def main() -> int:
    """Replay, watch, judge, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument("--speed", type=float, default=1.0, help="of both traces, on top of that")
    arguments = parser.parse_args()
    if arguments.seconds < FLOORS * FLOOR_SECONDS:
        parser.error(f"--seconds: at least {FLOORS * FLOOR_SECONDS:.0f}, or memory cannot be judged")
    if not ARRIVALS.is_dir():
        print(f"no arrival traces at {ARRIVALS}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as directory:
        result = soak(Path(directory), arguments.seconds, arguments.speed)
    print(json.dumps({k: v for k, v in result.items() if k != "loads"}, indent=1))
    write_result("soak", result)
    return int(not result["passed"])


def soak(directory: Path, seconds: float, speed: float) -> dict[str, Any]:
    """One run; the result as it goes to disk."""
    loads = _loads(directory, seconds, speed)
    with (
        native.upstream(chunks=CHUNKS, interval_us=CHUNK_US, first_us=20_000) as baseline,
        native.upstream(chunks=CHUNKS, interval_us=CHUNK_US, first_us=20_000) as candidate,
        tailgate(
            "run",
            directory / "tailgate",
            baseline,
            candidate_url=f"http://127.0.0.1:{candidate}",
            candidate_concurrency=64,
        ) as rig,
    ):
        running = {name: native.start_load(load, rig.port, run=name) for name, load in loads.items()}
        memory = _watch(rig, seconds)
        reports = {name: native.read_load(each, loads[name]) for name, each in running.items()}
        eventually(lambda: rig.funnel()["pending"] == 0, 60)
        return _result(reports, memory, rig.funnel())


def _loads(directory: Path, seconds: float, speed: float) -> dict[str, native.Load]:
    loads = {}
    for name, chunks in (("conv", CHUNKS), ("code", 0)):
        trace = directory / f"{name}.trace"
        write_trace(ARRIVALS / f"azure2023_{name}.jsonl", trace, speed * SPEEDS[name], seconds)
        loads[name] = native.Load(
            seconds=seconds, warm_up=1, grace=10, connections=400, chunks=chunks, trace=trace
        )
    return loads


def _watch(rig: Rig, seconds: float) -> dict[int, list[tuple[float, float]]]:
    """Resident megabytes of every process of the rig, every two seconds."""
    points: dict[int, list[tuple[float, float]]] = {}
    began = time.monotonic()
    while (now := time.monotonic() - began) < seconds:
        for pid in process.tree(rig.process.pid):
            with suppress(OSError):  # it ended since
                points.setdefault(pid, []).append((now, process.rss_megabytes(pid)))
        time.sleep(EVERY_SECONDS)
    # a process that was there for a moment only has no slope
    return {pid: series for pid, series in points.items() if len(floors(series)) >= FLOORS}


def _result(
    reports: dict[str, dict[str, Any]], memory: dict[int, list[tuple[float, float]]], funnel: dict[str, Any]
) -> dict[str, Any]:
    grown = [growth(series) for series in memory.values()]
    lost = sum(not_served(report) for report in reports.values())
    counted = funnel["scored"] + sum(funnel["skipped"].values()) + funnel["pending"]
    leaks = [g for g in grown if g.low > MOST_GROWTH_MB_PER_HOUR]
    return {
        "passed": lost == 0 and funnel["eligible"] == counted and not leaks,
        "requests": sum(report["sent"] for report in reports.values()),
        "lost": lost,
        "funnel": funnel,
        "memory": [{"megabytes_per_hour": round(g.megabytes_per_hour, 2), "low": round(g.low, 2), "high": round(g.high, 2), "first_mb": round(g.first, 1), "last_mb": round(g.last, 1), "floors_mb": [round(m, 1) for _, m in floors(series, 60)]} for g, series in zip(grown, memory.values(), strict=True)],
        "loads": reports,
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
