"""A real vLLM that dies while it answers: counted as what it is, and no divergence."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.real import vllm_server
from tests.real.product import Product, run
from tests.real.vllm_server import Server

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(900)]


def eventually(holds: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s"
        time.sleep(0.1)


def running(server: Server) -> bool:
    """Whether the server works on anything."""
    lines = httpx.get(f"{server.url}/metrics").text.splitlines()
    return any(
        line.startswith("vllm:num_requests_running") and float(line.rsplit(" ", 1)[1]) for line in lines
    )


def ask(product: Product, count: int, tokens: int) -> None:
    def one(number: int) -> int:
        messages = [{"role": "user", "content": f"{tokens} tokens, question {number}"}]
        body = {
            "model": "tiny",
            "messages": messages,
            "max_tokens": tokens,
            "temperature": 0,
            "ignore_eos": True,
        }
        return httpx.post(f"{product.clients}/v1/chat/completions", json=body, timeout=120).status_code

    with ThreadPoolExecutor(2) as pool:
        assert set(pool.map(one, range(count))) == {200}


def ended(funnel: dict[str, Any]) -> int:
    """Exchanges of which the funnel knows the end."""
    skipped: dict[str, int] = funnel["skipped"]
    return int(funnel["scored"]) + sum(skipped.values())


def test_a_candidate_that_dies_is_no_divergence(vllm_tiny: Server, tmp_path: Path) -> None:
    with (
        vllm_server.serve(vllm_server.tiny(), "tiny", *vllm_server.RECOMMENDED) as candidate,
        run(vllm_tiny.url, candidate.url, tmp_path, "candidate.max_waiting=100", replay_share=0) as product,
        ThreadPoolExecutor(1) as background,
    ):
        eventually(lambda: 'capability="prompt_logprobs"' in product.monitor_metrics())
        ask(product, 4, tokens=8)
        eventually(lambda: product.funnel()["scored"] == 4)
        asking = background.submit(ask, product, 6, 200)
        eventually(lambda: running(candidate))
        os.killpg(candidate.group, signal.SIGKILL)
        asking.result()
        eventually(lambda: ended(product.funnel()) == 10)
        ask(product, 1, tokens=8)  # a fast machine had all of those under way when it died
        eventually(lambda: ended(product.funnel()) == 11)
        funnel, (_, verdict) = product.funnel(), product.verdict()
    assert set(funnel["skipped"]) == {"candidate_crashed", "candidate_down"}
    assert [row for row in verdict["segments"] if row["verdict"] == "diverged"] == []
