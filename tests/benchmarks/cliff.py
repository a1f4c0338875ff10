"""`make bench-cliff`: a real quantization cliff, found by the product on a real server.

    python -m tests.benchmarks.cliff [--model NAME] [--prompts N] [--only NAME ...] [--fresh] [--report]

A small model (SmolLM2-135M-Instruct, or Gemma 3 270M base) in float32 is the baseline; the candidates are
itself and its weights rounded to 8, 6, 5 and 4 bits. Everything is served by vLLM, on a CPU or, where
`TAILGATE_VLLM_PYTHON` has a vLLM built for GPUs, on a GPU, one server at
a time: the baseline answers each request twice and is recorded, then each candidate answers and
teacher-forces behind the real sidecar and monitor while the recording plays the baseline. Answers and
candidates that are finished stay under `.cache/cliff` and are not asked again unless `--fresh`; the
figures are made anew from what lies there. Writes tests/benchmarks/results/cliff.json and .md (of Gemma
cliff_gemma3.*, from a GPU *_gpu.*); exit 1 where an expectation fails.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.benchmarks import cliff_traffic as traffic
from tests.benchmarks.cliff_figures import ASKED_FOR, figures
from tests.benchmarks.cliff_recording import ARMS, answers, complete, playing, send_all
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
    "privacy.seal_text=false",  # the tables read the texts
    *LATENCY,
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A name, what its weights are rounded to (bits, weights per scale; None = the baseline's own).

    `most` requests of each group are enough for it; None = all. `invariant`: answers do not depend on
    their batch (a GPU can do that), neither the candidate's nor the baseline's.
    """

    name: str
    rounded: tuple[int, int] | None = None
    dtype: str = "float32"
    most: int | None = None
    invariant: bool = False


BASELINE = Candidate("itself")
CANDIDATES = (
    BASELINE,
    Candidate("int4-g128", (4, 128)),
    Candidate("int5-g32", (5, 32)),
    Candidate("int8-g128", (8, 128)),
    # bfloat16 against itself: the floor of servers that round differently from batch to batch
    Candidate("itself-bf16", dtype="bfloat16", most=5),
    Candidate("int6-g32", (6, 32)),
)
"""In the order of what a run that is cut short should have done; int6 is the first left out."""
ON_GPU = (
    *(replace(candidate, most=None) for candidate in CANDIDATES),
    Candidate("itself-bf16-invariant", dtype="bfloat16", invariant=True),
    Candidate("itself-invariant", invariant=True),
)
"""A GPU is fast enough for all requests, and can be asked for answers that do not depend on their batch."""
NAMES = [candidate.name for candidate in ON_GPU]


@dataclass(frozen=True, slots=True)
class Model:
    """A model that packages carry, what is measured with it, and where the result goes.

    `judged`: whether groups keep only requests that it answers well; without, only drops say something.
    """

    title: str
    result: str
    candidates: tuple[Candidate, ...]
    prompts: int
    judged: bool


MODELS = {
    "smollm2": Model("SmolLM2-135M-Instruct", "cliff", CANDIDATES, ASKED_FOR, judged=True),
    # A second model, to see whether the allowed drop fits more than the one it was found on. A base model
    # follows no instruction, and its head of 262,144 tokens costs as much as its body.
    "gemma3-270m": Model("Gemma 3 270M (base)", "cliff_gemma3", CANDIDATES[:4], 12, judged=False),
}


def main() -> int:
    """Record, run what is missing, report."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.cliff", description=__doc__)
    parser.add_argument("--model", choices=MODELS, default="smollm2")
    parser.add_argument("--prompts", type=int, help="requests per group")
    parser.add_argument("--only", nargs="+", choices=NAMES, help="these candidates")
    parser.add_argument("--fresh", action="store_true", help="forget what earlier runs finished")
    parser.add_argument("--report", action="store_true", help="run nothing, make figures of what is finished")
    arguments = parser.parse_args()
    if vllm_server.interpreter() is None or not traffic.REQUESTS.is_dir():
        print(f"{vllm_server.WHY_NOT}; request corpora at {traffic.REQUESTS}", file=sys.stderr)
        return 2
    return bench(arguments.model, arguments)


def bench(name: str, arguments: argparse.Namespace) -> int:
    """The whole run of one model; the exit code."""
    model, gpu = MODELS[name], vllm_server.on_gpu()
    candidates = ON_GPU if gpu and model.judged else model.candidates
    each: int = arguments.prompts or model.prompts
    offered = traffic.pool(each) if model.judged else traffic.unjudged(traffic.pool(each), each)
    result = f"{model.result}_gpu" if gpu else model.result
    kept = KEPT / f"{name}{'-gpu' if gpu else ''}-{each}-{traffic.fingerprint(traffic.interleaved(offered))}"
    if arguments.fresh:
        shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True, exist_ok=True)
    source = vllm_server.carried(name)
    asked, looked_at = chosen(source, offered, each, kept)
    wanted = [] if arguments.report else [c for c in candidates if c.name in (arguments.only or NAMES)]
    for candidate in wanted:
        if not (kept / candidate.name / "done.json").exists():
            judge(candidate, source, share(asked, candidate), kept)
    done = [candidate.name for candidate in candidates]
    found = figures(asked, recording_of(kept, BASELINE), kept, done, first=model.judged)
    found |= {"model": model.title, "asked_for": model.prompts, "looked_at": looked_at}
    found["server"] = vllm_server.described()
    text = report(found)
    print(text)
    if arguments.only is None and each >= min(LEAST, model.prompts):
        write_result(result, found, markdown=text)
    return int(not all(check["holds"] for check in found["checks"]))


def chosen(
    source: Path, offered: Mapping[str, Sequence[traffic.Prompt]], each: int, kept: Path
) -> tuple[list[traffic.Prompt], dict[str, int]]:
    """The requests of the run and how many were looked at to find them; chosen and recorded once."""
    path, every = kept / "asked.json", {p.id: p for prompts in offered.values() for p in prompts}
    if not path.exists():
        recording = recording_of(kept, BASELINE)
        _say("choosing the requests by the baseline's answers, and recording it")
        with serving(source, BASELINE) as server:
            asked, looked_at = traffic.chosen(
                offered, each, lambda batch: answers(server, batch, "answer", recording)
            )
            for arm in ARMS:
                answers(server, asked, arm, recording)
        path.write_text(json.dumps({"ids": [p.id for p in asked], "looked_at": looked_at}))
    found = json.loads(path.read_text())
    return [every[number] for number in found["ids"]], found["looked_at"]


def share(asked: Sequence[traffic.Prompt], candidate: Candidate) -> Sequence[traffic.Prompt]:
    """The requests that this candidate is asked: groups are interleaved, so the first rows hold all."""
    groups = len({prompt.group for prompt in asked})
    return asked if candidate.most is None else asked[: candidate.most * groups]


def recording_of(kept: Path, candidate: Candidate) -> Path:
    """Where the answers of the baseline are that computes like this candidate."""
    own = [candidate.dtype] * (candidate.dtype != "float32") + ["invariant"] * candidate.invariant
    return kept / ("-".join(["baseline", *own]) + ".jsonl")


def record(source: Path, asked: Sequence[traffic.Prompt], candidate: Candidate, path: Path) -> None:
    """The answers and replays of the baseline that computes like this candidate, recorded once."""
    if not complete(asked, path):
        _say(f"recording {path.stem}")
        with serving(source, candidate) as server:
            for arm in ARMS:
                answers(server, asked, arm, path)


def serving(folder: Path, candidate: Candidate) -> AbstractContextManager[vllm_server.Server]:
    """vLLM on one core, or on the GPU; the last of two equal flags counts."""
    return vllm_server.serve(
        folder,
        traffic.MODEL,
        *FLAGS,
        f"--dtype={candidate.dtype}",
        core=CORE,
        environment=vllm_server.INVARIANT if candidate.invariant else None,
    )


def judge(candidate: Candidate, source: Path, asked: Sequence[traffic.Prompt], run_kept: Path) -> None:
    """One candidate behind the real product; leaves its store and `done.json` in a folder of its name."""
    recording, kept = recording_of(run_kept, candidate), run_kept / candidate.name
    record(source, asked, candidate, recording)
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir()
    weights = source if candidate.rounded is None else vllm_server.quantized(*candidate.rounded, of=source)
    began = time.monotonic()
    _say(f"{candidate.name}: starting")
    with (
        playing(recording) as baseline,
        serving(weights, candidate) as server,
        run(baseline, server.url, kept, *SETTINGS, replay_share=1.0) as product,
    ):
        _until_probed(product)
        ready = time.monotonic()
        bodies = [(p.body, {"x-group": p.group, "x-request-id": p.id}) for p in asked]
        asyncio.run(send_all(product.clients, bodies))
        verdict = _settled(product, len(asked))
        cost = costs(product.monitor_metrics())
    seconds = {"start": round(ready - began, 1), "pairs": round(time.monotonic() - ready, 1)}
    (kept / "done.json").write_text(json.dumps({"verdict": verdict, "seconds": seconds, "costs": cost}))
    _say(f"{candidate.name}: {verdict['verdict']} in {seconds['pairs']:.0f} s")


def costs(page: str) -> dict[str, float]:
    """What the candidate computed, as the monitor counted it: tokens by type, engine seconds by role."""
    samples = [s for family in text_string_to_metric_families(page) for s in family.samples]
    tokens = {
        f"{s.labels['token_type']}_tokens": s.value
        for s in samples
        if s.name == "tailgate_tokens_total" and s.labels["role"] == "candidate"
    }
    seconds = {
        {"candidate": "generate_seconds", "forced": "forced_seconds"}[s.labels["role"]]: s.value
        for s in samples
        if s.name == "tailgate_engine_seconds_total" and s.labels["role"] in {"candidate", "forced"}
    }
    return tokens | seconds


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
