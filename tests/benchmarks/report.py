"""The weekly report on ten million pairs and on every listed pair of published outputs: seconds and memory.

    python -m tests.benchmarks.report [--store FILE]

The command runs as its users run it, in a process of its own; `REPORT_PYTHON` is an interpreter that has the
extra `report` (without it the report says what it lacks, which is also a case). `--store` takes a store that
`tests.benchmarks.stored_pairs.fill` made before. Writes `results/report.json` and `.md`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.results import ROOT, write_result
from tests.benchmarks.runs import RUNS, Listed, listed, pair_lines
from tests.benchmarks.stored_pairs import PLANTED, fill

PAIRS = 10_000_000
MOST_SECONDS, MOST_GIB = 120.0, 2e9 / 2**30
PYTHON = os.environ.get("REPORT_PYTHON", sys.executable)


def command(*arguments: str) -> dict[str, float]:
    """`tailgate ARGUMENTS`: seconds on the wall, CPU seconds, largest resident memory in GiB."""
    started = time.monotonic()
    child = subprocess.Popen([PYTHON, "-m", "monitor", *arguments], cwd=ROOT, stderr=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL)  # fmt: skip
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return {
        "exit_code": child.returncode,
        "seconds": round(time.monotonic() - started, 1),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "memory_gib": round(usage.ru_maxrss / 2**20, 3),
    }


def reported(database: Path, *more: str) -> tuple[dict[str, float], Mapping[str, Any]]:
    """The report of a store as JSON, and what it cost."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.json"
        cost = command("report", "--db", str(database), "-o", str(path), *more)
        return cost, json.loads(path.read_text()) if cost["exit_code"] == 0 else {}


def large(database: Path) -> dict[str, Any]:
    """Ten million pairs: what it cost, what came first, what Evidently was shown."""
    cost, report = reported(database, "--since", "7d")
    first, drift = report["lines"][0], report["drift"]
    return {
        **cost,
        "pairs": report["pairs"],
        "lines": len(report["lines"]),
        "first_line_is_the_planted_one": (first["segment"], first["signal"]) == PLANTED,
        "evidently_sampled": drift and [drift["before_sampled"], drift["sampled"]],
        "evidently_drifted": drift and [c["column"] for c in drift["columns"] if c["drifted"]],
        "gaps": report["gaps"],
        "file_gib": round(database.stat().st_size / 2**30, 2),
    }


def published(pair: Listed) -> dict[str, Any]:
    """One listed pair through `score --db` and `report`."""
    with tempfile.TemporaryDirectory() as folder:
        recorded, database = Path(folder) / "pairs.jsonl", Path(folder) / "t.duckdb"
        recorded.write_bytes(b"".join(line + b"\n" for line in pair_lines(pair)))
        scored = command("score", str(recorded), "--db", str(database))
        cost, report = reported(database, "--since", "1d")
        listed_lines = [line for line in report.get("lines", ()) if line["week"] and line["week"]["listed"]]
        return {
            "pair": pair.name, "kind": pair.kind, "score_exit_code": scored["exit_code"], **cost,
            "pairs": report.get("pairs"), "lines": len(report.get("lines", ())), "listed": len(listed_lines),
        }  # fmt: skip


def measure(database: Path | None) -> dict[str, Any]:
    """Everything that the result file holds."""
    found: dict[str, Any] = {"limits": {"seconds": MOST_SECONDS, "memory_gib": MOST_GIB}}
    if database is not None:
        found["ten_million"] = large(database)
    else:
        with tempfile.TemporaryDirectory() as folder:
            fill(Path(folder) / "t.duckdb", PAIRS, time.time(), live=True)
            found["ten_million"] = large(Path(folder) / "t.duckdb")
    runs = [published(pair) for pair in listed()] if RUNS.exists() else []
    return {**found, "published": runs, "summary": _summary(runs)}


def _summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    if not runs:
        return {}
    return {
        "listed_pairs": len(runs),
        "exit_codes": dict(Counter(str(int(run["exit_code"])) for run in runs)),
        "median_seconds": median(run["seconds"] for run in runs),
        "most_seconds": max(run["seconds"] for run in runs),
        "most_memory_gib": max(run["memory_gib"] for run in runs),
        "with_a_list": sum(run["listed"] > 0 for run in runs),
        "controls_with_a_list": sum(run["listed"] > 0 for run in runs if run["kind"].startswith("control:")),
    }


def markdown(found: Mapping[str, Any]) -> str:
    """The tables for people."""
    big, runs = found["ten_million"], found["summary"]
    lines = [
        "# The weekly report", "",
        (f"{big['pairs']:,} pairs in the window, {big['lines']:,} lines: {big['seconds']:.0f} s ({big['cpu_seconds']:.0f} s of CPU, "
        f"bound {MOST_SECONDS:.0f} s), {big['memory_gib']:.2f} GiB (bound {MOST_GIB:.2f} GiB), store of {big['file_gib']} GiB. "
        f"The planted segment comes first: {'yes' if big['first_line_is_the_planted_one'] else 'no'}. "
        f"Evidently was shown {big['evidently_sampled']} rows and found {big['evidently_drifted']} drifted."),
    ]  # fmt: skip
    if runs:
        lines += ["", (f"Every one of the {runs['listed_pairs']} listed pairs of published outputs: exit codes {runs['exit_codes']}, "
                  f"median {runs['median_seconds']:.1f} s, at most {runs['most_seconds']:.1f} s and {runs['most_memory_gib']:.2f} GiB; "
                  f"the e-BH list is not empty in {runs['with_a_list']} (controls: {runs['controls_with_a_list']}).")]  # fmt: skip
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = ArgumentParser()
    parser.add_argument("--store", type=Path)
    result = measure(parser.parse_args().store)
    write_result("report", result, markdown=markdown(result))
    print(markdown(result))
