"""`make bench-map`: where the abilities of SmolLM2 and of its int4 twin end, twice, on real vLLM.

    python -m tests.benchmarks.capability_map

`tailgate probe` as its users run it, with a YAML pack of axes that a model of 135 million parameters has, both
servers on CPU. The second run asks other items (another seed) and must come to the same conclusion. Answers are
kept under `.cache/map` until both runs are through: what was cut off goes on. Writes
tests/benchmarks/results/map.json and .md; exit 1 where both runs cannot say of two axes at
least where they end, or the runs disagree.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.markdown import table
from tests.benchmarks.results import ROOT, write_result
from tests.real import vllm_server
from tests.real.product import TAILGATE

KEPT = ROOT / ".cache" / "map"
SEEDS = (0, 1)
AT_ONCE = 4
PACK = """
name: map
about: what a model of 135 million parameters can do a little of
calls: 48
fresh: 64
axes:
  copy: {hardest: 24}
  digits: {hardest: 12}
  context: {hardest: 1024}
  json_depth: {hardest: 8}
  hops: {hardest: 6}
"""
Json = Mapping[str, Any]


def main() -> int:
    """Serve both, probe twice, report."""
    if vllm_server.interpreter() is None:
        print(vllm_server.WHY_NOT, file=sys.stderr)
        return 2
    began = time.monotonic()
    flags = (*vllm_server.RECOMMENDED, f"--max-num-seqs={AT_ONCE}")
    KEPT.mkdir(parents=True, exist_ok=True)
    pack = KEPT / "map.yaml"
    pack.write_text(PACK)
    with (
        vllm_server.serve(vllm_server.smollm2(), "smollm2", *flags, core=0) as baseline,
        vllm_server.serve(vllm_server.quantized(4, 128), "smollm2", *flags, core=1) as candidate,
    ):
        runs = [probed(candidate.url, baseline.url, pack, seed) for seed in SEEDS]
    shutil.rmtree(KEPT)
    found = figures(runs)
    text = report(found)
    print(text)
    write_result("map", {"seconds": round(time.monotonic() - began), **found}, markdown=text)
    return int(not (found["same_conclusion"] and len(found["known"]) >= 2))


def probed(candidate: str, baseline: str, pack: Path, seed: int) -> Json:
    """The JSON of one run, its exit code and its seconds."""
    command = [TAILGATE, "probe", "--candidate", candidate, "--baseline", baseline, "--pack", str(pack)]
    options = ["--seed", str(seed), "--concurrency", str(AT_ONCE), "--deadline", "600", "--format", "json"]
    options += ["--resume", str(KEPT / f"{seed}.jsonl")]
    began = time.monotonic()
    done = subprocess.run([*command, *options], stdout=subprocess.PIPE, text=True, check=False)
    result = json.loads(done.stdout)
    print(f"seed {seed}: {result['verdict']} {result['findings']}", file=sys.stderr, flush=True)
    return {"exit": done.returncode, "seconds": round(time.monotonic() - began), "seed": seed, **result}


def figures(runs: Sequence[Json]) -> dict[str, Any]:
    """Axes of which every run knows where they end, and whether all runs say the same of every axis and arm."""
    maps = [{row["axis"]: row for row in run["packs"][0]["axes"]} for run in runs]
    conclusions = [{axis: conclusion(row) for axis, row in found.items()} for found in maps]
    known = [
        axis for axis in maps[0] if all(found[axis][arm]["status"] in KNOWN for found in maps for arm in ARMS)
    ]
    return {
        "runs": list(runs),
        "known": known,
        "conclusions": conclusions,
        "same_ends": all(ends(other) == ends(conclusions[0]) for other in conclusions[1:]),
        "same_conclusion": all(other == conclusions[0] for other in conclusions[1:]),
    }


ARMS = ("baseline", "candidate")
KNOWN = {"in range", "below range", "above range"}
"""A model that fails the easiest level or passes the hardest has no threshold, and that is an answer."""


def conclusion(row: Json) -> list[str]:
    """What a reader takes away: whether the axis is worse, and per arm whether it has a threshold at all."""
    return ["worse" if row["verdict"] == "worse" else "not worse", *(str(row[arm]["status"]) for arm in ARMS)]


def ends(conclusions: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """The map itself: per axis and arm, whether there is a threshold; nothing about the difference."""
    return {axis: found[1:] for axis, found in conclusions.items()}


def report(found: Json) -> str:
    """One table over both runs."""
    head = ("axis", "seed", "SmolLM2", "int4 twin", "change", "p (Holm)", "verdict")
    rows = [
        (
            row["axis"],
            run["seed"],
            *(said(row[arm]) for arm in ARMS),
            change(row),
            row["adjusted"],
            row["verdict"],
        )
        for run in found["runs"]
        for row in run["packs"][0]["axes"]
    ]
    spent = ", ".join(f"{r['packs'][0]['calls']} calls in {r['seconds']} s" for r in found["runs"])
    about = f"SmolLM2-135M-Instruct and its int4 twin (groups of 128) on vLLM, CPU; {spent}."
    same, verdict = ("yes" if found[key] else "no" for key in ("same_ends", "same_conclusion"))
    known = ", ".join(found["known"]) or "none"
    outcome = f"Known in both runs and arms: {known}. Both say the same of where each arm ends: {same}; of what is worse, too: {verdict}."
    return (
        "\n\n".join([about, outcome, table(head, sorted(rows, key=lambda row: (str(row[0]), row[1])))]) + "\n"
    )


def said(found: Json) -> str:
    """A boundary in words."""
    if found["threshold"] is None:
        return str(found["status"])
    asks = "?" if found["status"] == "unclear" else ""
    return f"{found['threshold']:.3g}{asks} ({found['lower']:.3g} to {found['upper']:.3g})"


def change(row: Json) -> str:
    """Candidate against baseline: shares of fresh items at the easiest level, else octaves; or nothing to say."""
    found = row["easiest"]
    if found is not None:
        at = f"at {found['level']:g} {row['unit']}"
        return f"{found['baseline']} against {found['candidate']} of {found['items']} {at}"
    if row["shift"] is None:
        return ""
    low, high = row["shift_interval"]
    bound = f"{row['bound']} " if row["bound"] else ""
    return f"{bound}{row['shift']:+.2f} octaves ({low:+.2f} to {high:+.2f})"


if __name__ == "__main__":
    sys.exit(main())
