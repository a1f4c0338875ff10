"""Envoy's external processor: the same exchange as the splice sees, and a client that notices nothing."""

from __future__ import annotations

import os
import signal
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from collectors.exchanges import Decoding, exchange_of
from monitor.records import Completion, Exchange
from tests.collectors.collecting import Collecting, collecting
from tests.collectors.harness import sidecar, wait_until
from tests.real.envoy_server import FIRST, PAUSE, WORDS, Envoy, envoy, model

pytestmark = pytest.mark.real
LISTEN = "collect.envoy.listen=127.0.0.1:0"


@contextmanager
def told(directory: Path, *settings: str) -> Iterator[tuple[Envoy, Collecting]]:
    """Client, Envoy, scripted model; Envoy tells a collector."""
    with (
        model() as port,
        collecting(directory, LISTEN, *settings) as collector,
        envoy(directory, port, collector.ready["envoy"]) as proxy,
    ):
        yield proxy, collector


def test_a_streamed_answer_is_the_same_exchange_as_the_splice_sees(tmp_path: Path) -> None:
    with (
        model() as port,
        sidecar(tmp_path / "splice", port) as splice,
        collecting(tmp_path, LISTEN) as collector,
        envoy(tmp_path, splice.port, collector.ready["envoy"]) as proxy,
    ):
        for number in range(5):
            proxy.ask(f"question {number}")
        collector.settled(5)
        wait_until(lambda: len(splice.captures()) == 5)
        spliced = {c.id: c for c in (exchange_of(c, Decoding(), time.time()) for c in splice.captures())}
        seen = collector.exchanges()
    assert {e.id for e in seen} == set(spliced)
    for exchange in seen:
        assert_same(exchange, spliced[exchange.id])
    # a machine that stops for a moment meets one answer, and one of the two processes first
    assert [at_once(e.baseline, spliced[e.id].baseline) for e in seen].count(False) <= 1


def assert_same(told: Exchange, spliced: Exchange) -> None:
    """The request, and of the answer what no clock says."""
    ours, theirs = told.baseline, spliced.baseline
    assert told.request == spliced.request
    assert (ours.text, ours.finish_reason) == (theirs.text, theirs.finish_reason)
    assert ours.gaps is not None
    assert theirs.gaps is not None
    assert (ours.gaps.count, theirs.gaps.count) == (WORDS - 1, WORDS - 1)


def at_once(ours: Completion, theirs: Completion) -> bool:
    """Whether the times agree, as far as two processes on a busy machine do."""
    assert ours.gaps is not None
    assert theirs.gaps is not None
    return (
        ours.time_to_first_token_seconds == pytest.approx(theirs.time_to_first_token_seconds, abs=FIRST / 2)
        and ours.gaps.mean == pytest.approx(theirs.gaps.mean, rel=0.2)
        and ours.gaps.p50 == pytest.approx(PAUSE, rel=0.5)
    )


def test_a_processor_that_is_slow_stopped_or_dead_delays_nobody(tmp_path: Path) -> None:
    with told(tmp_path) as (proxy, collector):
        healthy = median_seconds(proxy)
        with stuttering(collector.process.pid):
            slow = median_seconds(proxy)
        os.kill(collector.process.pid, signal.SIGSTOP)
        stopped = median_seconds(proxy)
        os.kill(collector.process.pid, signal.SIGCONT)
        collector.process.kill()
        dead = median_seconds(proxy)
    assert max(slow, stopped, dead) < 1.25 * healthy, (healthy, slow, stopped, dead)


def median_seconds(proxy: Envoy) -> float:
    """Of whole streamed answers, four at a time."""
    with ThreadPoolExecutor(4) as pool:
        return statistics.median(times[-1] for times in pool.map(proxy.ask, ["hello"] * 12))


@contextmanager
def stuttering(pid: int) -> Iterator[None]:
    """A process that runs one hundredth of a second out of ten."""
    over = threading.Event()

    def stutter() -> None:
        while not over.wait(0.01):
            os.kill(pid, signal.SIGSTOP)
            time.sleep(0.09)
            os.kill(pid, signal.SIGCONT)

    thread = threading.Thread(target=stutter)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_a_stopped_processor_does_not_fill_envoys_memory(tmp_path: Path) -> None:
    with told(tmp_path) as (proxy, collector), ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: proxy.ask("x" * 100_000, stream=False), range(100)))
        before = proxy.resident
        os.kill(collector.process.pid, signal.SIGSTOP)
        list(pool.map(lambda _: proxy.ask("x" * 100_000, stream=False), range(800)))
        half = proxy.resident
        list(pool.map(lambda _: proxy.ask("x" * 100_000, stream=False), range(800)))
        grown, then = half - before, proxy.resident - half
        print(
            f"Envoy grew {grown / 1e6:.0f} MB, then {then / 1e6:.0f} MB; overflowed {proxy.stat('overflow')}"
        )
        os.kill(collector.process.pid, signal.SIGCONT)
    assert grown < 80e6
    assert then < 10e6


def test_the_kill_switch_works_without_a_reload(tmp_path: Path) -> None:
    with told(tmp_path) as (proxy, collector):
        proxy.ask(stream=False)
        collector.settled(1)
        proxy.runtime("tailgate.observed=0")
        for _ in range(10):
            proxy.ask(stream=False)
        proxy.runtime("tailgate.observed=100")
        proxy.ask(stream=False)
        assert collector.settled(2)["requests"] == 2


def test_what_is_not_sampled_costs_one_message(tmp_path: Path) -> None:
    with told(tmp_path, "sampling.fraction=0") as (proxy, collector):
        times = proxy.ask()
        assert len(times) >= WORDS
        assert collector.settled(1)["not_sampled"] == 1
        sent = proxy.stat("ext_proc.tailgate.stream_msgs_sent")
        assert sent < WORDS, sent


def test_a_client_that_leaves_is_counted(tmp_path: Path) -> None:
    with told(tmp_path) as (proxy, collector):
        with proxy.asking("hello", stream=True) as response:
            response.read1(10)
        wait_until(lambda: collector.funnel()["dropped"] == {"cut_off": 1}, 20)


def test_tap_files_of_a_real_envoy_become_exchanges(tmp_path: Path) -> None:
    taps = tmp_path / "taps"

    def into_here(config: dict[str, Any]) -> None:
        filters = config["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]
        tap = filters["typed_config"]["http_filters"][0]["typed_config"]["common_config"]["static_config"]
        tap["output_config"]["sinks"][0]["file_per_tap"]["path_prefix"] = f"{taps}/t"
        config["layered_runtime"]["layers"][0]["static_layer"] = {"tailgate": {"tapped": 100}}

    with (
        model() as port,
        collecting(tmp_path, f"collect.taps.directory={taps}") as collector,
        envoy(tmp_path, port, "", file="tap.yaml", change=into_here) as proxy,
    ):
        proxy.ask("streamed")
        proxy.ask("whole", stream=False)
        assert collector.settled(2)["written"] == 2
        streamed, whole = sorted(collector.exchanges(), key=lambda each: each.received_at)
    assert streamed.baseline.text == "".join(f"w{number} " for number in range(WORDS))
    assert (whole.baseline.text, whole.collector) == ("done", "envoy_tap")
    assert not list(taps.iterdir())
