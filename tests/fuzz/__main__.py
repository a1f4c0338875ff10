"""`python -m tests.fuzz [TARGET…] [--runs N]`: full counts, with branch coverage of what was fuzzed.

Writes `tests/benchmarks/results/fuzz.json`; exits 1 on a finding or where a target reaches less
than 90 % of its branches.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.results import RESULTS, ROOT, provenance, write_result
from tests.fuzz.engine import load, names

WORK = ROOT / ".cache" / "fuzz"
NEEDED = 0.90
REPLAYED = 20_000


def main() -> int:
    """Fuzz each target, then measure coverage; prints one line per target."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", choices=[*names(), []], help="default: all")
    parser.add_argument("--runs", type=int, default=1_000_000, help="executions per target")
    parser.add_argument(
        "--guided", type=int, help="of these under coverage guidance, the rest made from what that kept"
    )
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    share = arguments.runs if arguments.guided is None else min(arguments.guided, arguments.runs)
    targets = {}
    for name in arguments.targets or names():
        targets[name] = _one(name, arguments.runs, share, arguments.seed)
        known = {**_earlier(), name: targets[name]}  # after each: a run that is cut short keeps what it has
        write_result("fuzz", {"passed": all(t["passed"] for t in known.values()), "targets": known})
    return int(not all(target["passed"] for target in targets.values()))


def _earlier() -> dict[str, Any]:
    """Results of targets that this run leaves out; each says at which commit it ran."""
    path = RESULTS / "fuzz.json"
    found: dict[str, Any] = json.loads(path.read_text())["targets"] if path.exists() else {}
    return {name: found[name] for name in names() if name in found}


def _one(name: str, runs: int, share: int, seed: int) -> dict[str, Any]:
    began, ran = time.monotonic(), provenance()
    # Without a wheel of Atheris for this Python the same inputs are made without guidance.
    guided = share if importlib.util.find_spec("atheris") is not None else 0
    found = _guided(name, guided, seed) if guided else 0
    if not found and runs > guided:
        found = _python("tests.fuzz.replay", name, str(WORK / name), str(runs - guided), str(seed))
    covered = _coverage(name, seed)
    branches = covered["branches"]
    passed = found == 0 and branches >= NEEDED
    print(
        f"{name}: {runs:,} executions, {'no finding' if found == 0 else 'FINDING'}, {branches:.1%} of branches",
        flush=True,
    )
    return {
        "passed": passed,
        "commit": ran["commit"],
        "date": ran["date"],
        "executions": runs,
        "guided": guided,
        "finding": found != 0,
        "seconds": round(time.monotonic() - began, 1),
        "corpus": len(list((WORK / name).glob("*"))),
        **covered,
    }


def _guided(name: str, runs: int, seed: int) -> int:
    return _python("tests.fuzz.guided", name, str(runs), str(WORK / name), str(seed))


def _python(*arguments: str) -> int:
    log = WORK / f"{arguments[1]}.log"
    with log.open("w") as out:
        done = subprocess.run(
            [sys.executable, "-m", *arguments], cwd=ROOT, stdout=out, stderr=out, check=False
        )
    if done.returncode:
        print("\n".join(log.read_text().splitlines()[-40:]), file=sys.stderr)
    return done.returncode


def _coverage(name: str, seed: int) -> dict[str, Any]:
    """Share of branches reached, in all and per file, by the kept corpus and made inputs."""
    data, report = WORK / f"{name}.coverage", WORK / f"{name}.json"
    common = ["-m", "coverage"]
    source = ",".join(load(name).covers)
    replay = ["-m", "tests.fuzz.replay", name, str(WORK / name), str(REPLAYED), str(seed)]
    run = [sys.executable, *common, "run", "--branch", f"--source={source}", f"--data-file={data}", *replay]
    subprocess.run(run, cwd=ROOT, check=True)
    export = [sys.executable, *common, "json", "-q", f"--data-file={data}", "-o", str(report)]
    subprocess.run(export, cwd=ROOT, check=True)
    return branch_shares(report)


def branch_shares(report: Path) -> dict[str, Any]:
    """`branches` reached of all (a fraction), `files` the same per file, `missing` lines per file."""
    coverage = json.loads(report.read_text())
    return {
        "branches": _share(coverage["totals"]),
        "files": {name: _share(file["summary"]) for name, file in coverage["files"].items()},
        "missing": {name: file["missing_branches"] for name, file in coverage["files"].items()},
    }


def _share(summary: dict[str, Any]) -> float:
    total: int = summary["num_branches"]
    return round(summary["covered_branches"] / total, 4) if total else 1.0


if __name__ == "__main__":
    sys.exit(main())
