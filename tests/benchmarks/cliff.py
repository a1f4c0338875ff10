"""`make bench-cliff`: a real quantization cliff, found by the product on a real server.

    python -m tests.benchmarks.cliff [--prompts N] [--only NAME ...] [--fresh] [--report]

SmolLM2-135M-Instruct (float32) is the baseline; the candidates are itself and its weights rounded to
8, 6, 5 and 4 bits. Everything is served by vLLM on a CPU, one server at a time: the baseline answers
each request twice and is recorded, then each candidate answers and teacher-forces behind the real
sidecar and monitor while the recording plays the baseline. What is finished stays under `.cache/cliff`
and is not done again unless `--fresh`; the figures are made anew from what lies there. Writes
tests/benchmarks/results/cliff.json and .md; exit 1 where an expectation fails.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.benchmarks import cliff_traffic as traffic
from tests.benchmarks.cliff_figures import ASKED_FOR, figures
from tests.benchmarks.cliff_report import report
from tests.benchmarks.results import ROOT, write_result
from tests.real import vllm_server
from tests.real.product import Product, run

KEPT = ROOT / ".cache" / "cliff"
LEAST = 20
"""Fewer requests per group are for development: no result is written."""
CORE = 1
FLAGS = (*vllm_server.RECOMMENDED, f"--max-num-seqs={traffic.AT_ONCE}")
SETTLE_SECONDS = 3600.0
# The baseline's latencies were recorded at another time: nothing that a candidate could be held against.
LATENCY = tuple(f"signals.{what}_{rung}=show" for what in ("latency", "ttft") for rung in ("p50", "p90", "p95", "p99"))  # fmt: skip
SETTINGS = (
    "candidate.mode=both",
    f"candidate.concurrency={traffic.AT_ONCE}",
    "candidate.max_waiting=1000",
    "candidate.deadline_floor_seconds=600",
    f"replay.concurrency={traffic.AT_ONCE}",
    "segments.group.header=x-group",
    "store.text=full",
    *LATENCY,
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A name, the folder of its weights (made when first asked for), and how both sides compute.

    `most` requests of each group are enough for it; None = all.
    """

    name: str
    folder: Callable[[], Path]
    dtype: str = "float32"
    most: int | None = None


CANDIDATES = (
    Candidate("itself", vllm_server.smollm2),
    Candidate("int4-g128", lambda: vllm_server.quantized(4, 128)),
    Candidate("int5-g32", lambda: vllm_server.quantized(5, 32)),
    Candidate("int8-g128", lambda: vllm_server.quantized(8, 128)),
    Candidate("int6-g32", lambda: vllm_server.quantized(6, 32)),
    # bfloat16 against itself: the floor of servers that round differently from batch to batch
    Candidate("itself-bf16", vllm_server.smollm2, "bfloat16", most=5),
)
"""In the order of what a run that is cut short should have done; int6 is the first left out."""
NAMES = [candidate.name for candidate in CANDIDATES]


def main() -> int:
    """Record, run what is missing, report."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.cliff", description=__doc__)
    parser.add_argument("--prompts", type=int, default=ASKED_FOR, help="requests per group")
    parser.add_argument("--only", nargs="+", choices=NAMES, help="these candidates")
    parser.add_argument("--fresh", action="store_true", help="forget what earlier runs finished")
    parser.add_argument("--report", action="store_true", help="run nothing, make figures of what is finished")
    arguments = parser.parse_args()
    if vllm_server.interpreter() is None or not traffic.REQUESTS.is_dir():
        print(f"{vllm_server.WHY_NOT}; request corpora at {traffic.REQUESTS}", file=sys.stderr)
        return 2
    asked = traffic.prompts(arguments.prompts)
    kept = KEPT / f"{arguments.prompts}-{traffic.fingerprint(asked)}"
    if arguments.fresh:
        shutil.rmtree(kept, ignore_errors=True)
    wanted = [] if arguments.report else [c for c in CANDIDATES if c.name in (arguments.only or NAMES)]
    for candidate in wanted:
        if not (kept / candidate.name / "done.json").exists():
            judge(candidate, asked, recorded(asked, kept, candidate), kept / candidate.name)
    found = figures(asked, recording_of(kept, CANDIDATES[0]), kept, NAMES)
    text = report(found)
    print(text)
    if arguments.only is None and arguments.prompts >= LEAST:
        write_result("cliff", found, markdown=text)
    return int(not all(check["holds"] for check in found["checks"]))


def share(asked: Sequence[traffic.Prompt], candidate: Candidate) -> Sequence[traffic.Prompt]:
    """The requests that this candidate is asked: groups are interleaved, so the first rows hold all."""
    groups = len({prompt.group for prompt in asked})
    return asked if candidate.most is None else asked[: candidate.most * groups]


def recording_of(kept: Path, candidate: Candidate) -> Path:
    """Where the answers of its baseline are."""
    return kept / ("baseline.jsonl" if candidate.dtype == "float32" else f"baseline-{candidate.dtype}.jsonl")


def recorded(asked: Sequence[traffic.Prompt], kept: Path, candidate: Candidate) -> Path:
    """The baseline's answers and replays, recorded once."""
    path = recording_of(kept, candidate)
    if not path.exists():
        kept.mkdir(parents=True, exist_ok=True)
        _say(f"recording the baseline in {candidate.dtype}")
        with serving(vllm_server.smollm2(), candidate.dtype) as server:
            traffic.record(server, share(asked, candidate), path)
    return path


def serving(folder: Path, dtype: str) -> AbstractContextManager[vllm_server.Server]:
    """vLLM on one core; the last of two equal flags counts."""
    return vllm_server.serve(folder, traffic.MODEL, *FLAGS, f"--dtype={dtype}", core=CORE)


def judge(candidate: Candidate, asked: Sequence[traffic.Prompt], recording: Path, kept: Path) -> None:
    """One candidate behind the real product; leaves its store and `done.json` in `kept`."""
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    began, mine = time.monotonic(), share(asked, candidate)
    _say(f"{candidate.name}: starting")
    with (
        traffic.playing(recording) as baseline,
        serving(candidate.folder(), candidate.dtype) as server,
        run(baseline, server.url, kept, *SETTINGS, replay_share=1.0) as product,
    ):
        _until_probed(product)
        ready = time.monotonic()
        bodies = [(p.body, {"x-group": p.group, "x-request-id": p.id}) for p in mine]
        asyncio.run(traffic.send_all(product.clients, bodies))
        verdict = _settled(product, len(mine))
    seconds = {"start": round(ready - began, 1), "pairs": round(time.monotonic() - ready, 1)}
    (kept / "done.json").write_text(json.dumps({"verdict": verdict, "seconds": seconds}))
    _say(f"{candidate.name}: {verdict['verdict']} in {seconds['pairs']:.0f} s")


def _until_probed(product: Product) -> None:
    """Nothing is teacher-forced before the capability check is through."""
    _eventually(lambda: "prompt_logprobs" in product.monitor_metrics(), 180)


def _settled(product: Product, eligible: int) -> dict[str, Any]:
    """The verdict once every request has ended somewhere."""

    def done() -> bool:
        funnel = product.funnel()
        return bool(funnel["eligible"] >= eligible and funnel["pending"] == 0)

    _eventually(done, SETTLE_SECONDS)
    return product.verdict()[1]


def _eventually(holds: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(httpx.HTTPError):  # a busy machine answers late
            if holds():
                return
        time.sleep(2)
    raise TimeoutError(f"not within {seconds:.0f} s")


def _say(words: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {words}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
