"""A real int4 candidate: real requests mirrored to it, from the first byte to the verdict, and its forced drop."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from statistics import fmean
from typing import Any

import httpx
import pytest

from tests.real.product import Product, run
from tests.real.test_forced import ASKED, forced
from tests.real.vllm_server import ROOT, Server

CORPORA = ROOT.parent / "shared" / "corpora" / "requests"
WANTED = {"json_extraction": 8, "mgsm": 6, "gsm8k": 4, "udhr_lowresource": 4, "mmlu": 4, "xstest": 4}

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.timeout(900),
]


def corpus_requests(most: int, size: int) -> list[dict[str, Any]]:
    """Requests of six corpora shorter than `size`, at most so many of each, half of them streamed; few tokens, as CPUs
    are slow."""
    chosen: list[dict[str, Any]] = []
    for name, count in WANTED.items():
        lines = (CORPORA / f"{name}.jsonl").read_text().splitlines()
        bodies = [json.loads(line)["request"] for line in lines]
        chosen += [body for body in bodies if len(json.dumps(body)) < size][: min(count, most)]
    return [
        {**body, "model": "smollm2", "max_tokens": min(body["max_tokens"], 12), "stream": number % 2 == 0}
        for number, body in enumerate(chosen)
    ]


async def ask(url: str, bodies: list[dict[str, Any]]) -> list[int]:
    async with httpx.AsyncClient(timeout=300, limits=httpx.Limits(max_connections=4)) as client:
        asked = (client.post(f"{url}/v1/chat/completions", json=body) for body in bodies)
        return [response.status_code for response in await asyncio.gather(*asked)]


def settled(product: Product, eligible: int) -> tuple[int, dict[str, Any]]:
    """Exit code and verdict once every request has ended somewhere."""
    deadline = time.monotonic() + 400
    while time.monotonic() < deadline:
        code, verdict = product.verdict()
        if verdict["funnel"]["eligible"] >= eligible and verdict["funnel"]["pending"] == 0:
            return code, verdict
        time.sleep(1)
    raise AssertionError(f"the funnel did not settle: {verdict['funnel']}")


@pytest.mark.corpora
@pytest.mark.skipif(not CORPORA.is_dir(), reason=f"no request corpora at {CORPORA}")
@pytest.mark.parametrize(("most", "size"), [(2, 500), pytest.param(8, 2000, marks=pytest.mark.full)])
def test_corpus_requests_reach_the_int4_candidate_and_a_verdict(
    vllm_pair: tuple[Server, Server], tmp_path: Path, most: int, size: int
) -> None:
    baseline, candidate = vllm_pair
    bodies = corpus_requests(most, size)
    settings = ("candidate.concurrency=4", "candidate.max_waiting=100")
    with run(baseline.url, candidate.url, tmp_path, *settings) as product:
        statuses = asyncio.run(ask(product.clients, bodies))
        code, verdict = settled(product, len(bodies))
    funnel = verdict["funnel"]
    assert statuses == [200] * len(bodies)
    assert funnel["eligible"] == funnel["scored"] + sum(funnel["skipped"].values()) == len(bodies)
    assert verdict["pairs"] == funnel["scored"] >= 0.9 * len(bodies), funnel
    assert code == {"ok": 0, "diverged": 1, "inconclusive": 3}[verdict["verdict"]]
    named = {row["segment"] for row in verdict["segments"]}
    assert {"all", "task=json", "stream=yes"} <= named
    changed = next(
        row for row in verdict["segments"] if (row["segment"], row["signal"]) == ("all", "similarity")
    )
    assert changed["candidate"] != changed["baseline"] or changed["effect"] is not None


def test_int4_weights_drop_more_than_the_allowance(vllm_pair: tuple[Server, Server]) -> None:
    views = forced(*vllm_pair)
    assert len(views) == len(ASKED)
    assert fmean(view.drop_absolute or 0.0 for view in views) > 0.12
