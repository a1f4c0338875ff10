"""What befalls a candidate, through the whole product: each has a reason of its own, none is a divergence."""

from __future__ import annotations

import itertools
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.benchmarks.hotpath.process import free_port
from tests.real.product import Product, run
from tests.standin.process import TAILGATE, running_standin

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

SETTINGS = ("candidate.mode=both", "candidate.concurrency=8", "candidate.max_waiting=1000")
NUMBERS = itertools.count()


@dataclass(frozen=True, slots=True)
class Seen:
    """What a phase left: reasons counted in it, pairs scored in it, and the verdict at its end."""

    skipped: Mapping[str, int]
    scored: int
    verdict: Mapping[str, Any]

    @property
    def diverged(self) -> list[tuple[str, str]]:
        return [(r["segment"], r["signal"]) for r in self.verdict["segments"] if r["verdict"] == "diverged"]


@contextmanager
def candidate(port: int, *flags: str, token: float = 0.0) -> Iterator[subprocess.Popen[bytes]]:
    """A stand-in candidate on this very port."""
    latency = f"first=0,token={token},jitter=0"
    command = [TAILGATE, "standin", "--port", str(port), "--role", "candidate", "--latency", latency, *flags]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            eventually(lambda: httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200)
            yield process
        finally:
            process.kill()


def eventually(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if holds():
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds:.0f} s")


def ask(product: Product, count: int, words: int = 0) -> None:
    """So many requests, all answered by the baseline."""

    def one(number: int) -> int:
        text = f"What is {number} + 30? Explain your reasoning." + " please" * words
        body = {"model": "standin", "messages": [{"role": "user", "content": text}], "temperature": 0}
        return httpx.post(f"{product.clients}/v1/chat/completions", json=body, timeout=60).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(one, [next(NUMBERS) for _ in range(count)])) == {200}


def running(port: int) -> float:
    """Requests that the candidate works on."""
    page = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
    return sum(sample.value for sample in samples if sample.name == "vllm:num_requests_running")


def settled(product: Product, asked: int) -> dict[str, Any]:
    """The funnel once all that was asked has arrived in it and ended."""

    def ended() -> bool:
        funnel = product.funnel()
        return bool(funnel["eligible"] >= asked and funnel["pending"] == 0)

    eventually(ended)
    return product.funnel()


def up(product: Product) -> bool:
    """Whether the monitor reaches the candidate."""
    lines = product.monitor_metrics().splitlines()
    return any(line.startswith("tailgate_candidate_up{") and line.endswith(" 1.0") for line in lines)


class Story:
    """One Tailgate, one baseline, and the candidates that come and go on one port."""

    def __init__(self, product: Product, port: int) -> None:
        self.product, self.port, self.asked = product, port, 0
        self.began = settled(product, 0)

    def ask(self, count: int, words: int = 0) -> None:
        ask(self.product, count, words)
        self.asked += count

    def until_known(self, root: str) -> None:
        """Until the monitor knows who serves there and what it can do."""
        wanted = (f'candidate_root="{root}"', 'capability="prompt_logprobs"')
        eventually(lambda: all(word in self.product.monitor_metrics() for word in wanted))

    def phase(self) -> Seen:
        """What happened since the last phase ended."""
        before, after = self.began, settled(self.product, self.asked)
        self.began = after
        grown = {r: n - before["skipped"].get(r, 0) for r, n in after["skipped"].items()}
        verdict = self.product.verdict()[1]
        return Seen({r: n for r, n in grown.items() if n}, after["scored"] - before["scored"], verdict)


@pytest.fixture(scope="module")
def phases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen]:
    """A candidate's bad day."""
    port, seen = free_port(), dict[str, Seen]()
    directory = tmp_path_factory.mktemp("bad-day")
    with (
        running_standin() as baseline,
        run(baseline, f"http://127.0.0.1:{port}", directory, *SETTINGS) as product,
    ):
        story = Story(product, port)
        with candidate(port, "--root", "one", token=0.1) as process:
            story.until_known("one")
            story.ask(8)
            seen["healthy"] = story.phase()
            story.ask(8)  # answered by the baseline; the candidate takes seconds
            eventually(lambda: running(port) >= 4)
            process.kill()
        story.ask(8)
        seen["crash"] = story.phase()
        with candidate(port, "--root", "two"):
            story.until_known("two")
            story.ask(8)
            seen["other weights"] = story.phase()
        eventually(lambda: not up(product))  # or the next line would see the one before
        with candidate(port, "--root", "two", "--max-model-len", "60"):
            eventually(lambda: up(product))
            story.ask(4)
            story.ask(8, words=200)
            seen["short"] = story.phase()
        eventually(lambda: not up(product))
        with candidate(port, "--root", "two", "--fault", "all:shed"):
            eventually(lambda: up(product))
            story.ask(24)
            seen["503 storm"] = story.phase()
    return seen


def test_nothing_that_befell_the_candidate_is_a_divergence(phases: dict[str, Seen]) -> None:
    assert {name: seen.diverged for name, seen in phases.items()} == {name: [] for name in phases}


def test_a_healthy_candidate_is_scored(phases: dict[str, Seen]) -> None:
    assert (phases["healthy"].scored, phases["healthy"].skipped) == (8, {})


def test_a_crash_takes_answers_with_it_and_then_nobody_is_there(phases: dict[str, Seen]) -> None:
    seen = phases["crash"]
    assert set(seen.skipped) == {"candidate_crashed", "candidate_down"}
    assert seen.scored + sum(seen.skipped.values()) == 16
    assert any("died while it answered" in warning for warning in seen.verdict["warnings"])


def test_other_weights_begin_at_zero(phases: dict[str, Seen]) -> None:
    seen = phases["other weights"]
    assert (seen.scored, seen.skipped) == (8, {})
    assert seen.verdict["pairs"] == 8


def test_what_does_not_fit_a_shorter_context_is_counted_apart(phases: dict[str, Seen]) -> None:
    assert (phases["short"].scored, phases["short"].skipped) == (4, {"candidate_context_length": 8})


def test_a_storm_of_503_is_shed_load(phases: dict[str, Seen]) -> None:
    assert (phases["503 storm"].scored, phases["503 storm"].skipped) == (0, {"candidate_shed": 24})
