"""`make bench-kl`: when is the drop a KL divergence, and how well does it estimate it?

    python -m tests.benchmarks.kl [--tokens N]

At temperature 1 with the full softmax the mean drop of sampled tokens estimates KL(baseline ||
candidate) per token without bias. Here both are known: the drop as teacher forcing sees it, and the
exact divergence at the same places. Beside the mean log-ratio stands the mean of r - 1 - log r with
r = q / p, equally unbiased and steadier where models are close (J. Schulman, Approximating KL
Divergence, 2020), but with a heavy tail of r where they are not: the monitor uses the first. Answers
are the unit of the intervals: tokens of one answer depend on each other. Writes
tests/benchmarks/results/kl.json and .md; exit 1 where an interval of the first misses or is wider
than 10 %.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.benchmarks.results import ROOT, write_result
from tests.real import vllm_server

KEPT = ROOT / ".cache" / "kl"
TOKENS = 20_480
LEAST = 8_192
"""With fewer nothing is written; each row of the result says how many it rests on."""
WIDEST = 0.1
Json = dict[str, Any]
Floats = npt.NDArray[np.float64]


def main() -> int:
    """Sample, compare, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.kl", description=__doc__)
    parser.add_argument("--tokens", type=int, default=TOKENS, help="sampled from each baseline")
    arguments = parser.parse_args()
    if vllm_server.interpreter() is None:
        print(vllm_server.WHY_NOT, file=sys.stderr)
        return 2
    found: Json = {"tokens_asked_for": TOKENS, "pairs": {}}
    for name, baseline in (("tiny", vllm_server.tiny()), ("smollm2", vllm_server.smollm2())):
        candidates = {f"int{b}-g{g}": vllm_server.quantized(b, g, baseline) for b, g in ((4, 128), (5, 32))}
        kept = KEPT / f"{name}.json"
        for candidate, measured in study(baseline, candidates, arguments.tokens, kept).items():
            found["pairs"][f"{name} {candidate}"] = measured
    text = table(found)
    print(text)
    if arguments.tokens >= LEAST:
        write_result("kl", found, markdown=text)
    return int(not all(each["log_ratio"]["holds"] for each in found["pairs"].values()))


def study(
    baseline: Path, candidates: Mapping[str, Path], tokens: int, kept: Path, seed: int = 1
) -> dict[str, Json]:
    """Both estimates beside the exact divergence, per candidate; `kept` is used again if it has enough."""
    if not kept.exists() or np.array(json.loads(kept.read_text())[0]["drop"]).size < tokens:
        kept.parent.mkdir(parents=True, exist_ok=True)
        folders = map(str, candidates.values())
        vllm_server.run_with_vllm("exact_kl.py", str(kept), str(tokens), str(seed), str(baseline), *folders)
    return {
        name: compared(np.array(each["drop"]), np.array(each["exact"]))
        for name, each in zip(candidates, json.loads(kept.read_text()), strict=True)
    }


def compared(drop: Floats, exact: Floats) -> Json:
    """Estimates from `drop` against the mean of `exact`, both of shape (answers, tokens)."""
    truth = float(exact.mean())
    never_negative = np.expm1(-drop) + drop
    return {
        "tokens": drop.size,
        "exact": truth,
        "log_ratio": estimate(drop.mean(axis=1), truth),
        "never_negative": estimate(never_negative.mean(axis=1), truth),
    }


def estimate(per_answer: Floats, truth: float) -> Json:
    """Mean with its 95 % normal interval over answers, and whether it says what it should."""
    mean = float(per_answer.mean())
    half = 1.96 * float(per_answer.std(ddof=1)) / per_answer.size**0.5
    relative = half / mean if mean > 0 else float("inf")
    covered = abs(mean - truth) <= half
    return {
        "mean": mean,
        "low": mean - half,
        "high": mean + half,
        "relative_half_width": relative,
        "covers": covered,
        "holds": covered and relative <= WIDEST,
    }


def table(found: Mapping[str, Any]) -> str:
    """The result as Markdown."""
    head = ("pair", "sampled tokens", "exact KL", "mean log-ratio [95 %]", "half-width", "exact inside", "r - 1 - log r [95 %]", "half-width", "exact inside")  # fmt: skip
    rows = [
        (
            name,
            f"{each['tokens']:,}",
            f"{each['exact']:.4f}",
            *_cells(each["log_ratio"]),
            *_cells(each["never_negative"]),
        )
        for name, each in found["pairs"].items()
    ]
    lines = [_line(head), _line(["---"] * len(head)), *map(_line, rows)]
    return "# Teacher-forced drop as an estimate of KL divergence\n\nNats per token, temperature 1, full softmax.\n\n" + "\n".join(lines) + "\n"  # fmt: skip


def _cells(each: Mapping[str, Any]) -> tuple[str, str, str]:
    return (
        f"{each['mean']:.4f} [{each['low']:.4f}, {each['high']:.4f}]",
        f"{100 * each['relative_half_width']:.1f} %",
        "yes" if each["covers"] else "**no**",
    )


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.exit(main())
