"""The benchmark itself: its load generator tells the truth, its targets can be missed."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.benchmarks.hotpath import native
from tests.benchmarks.hotpath.measure import count_mirrored
from tests.benchmarks.hotpath.native import Load, run_load, upstream
from tests.benchmarks.hotpath.process import free_port
from tests.benchmarks.hotpath.report import as_json, as_markdown, out_of_reach
from tests.benchmarks.hotpath.targets import TARGETS, Target, judge

pytestmark = pytest.mark.skipif(native.missing() is not None, reason=str(native.missing()))

CPU = next(target for target in TARGETS if target.key == "cpu_nginx")
RATE = next(target for target in TARGETS if target.key == "rps_nginx")


def rounds(
    target: Target, ours: list[float], peer: list[float]
) -> dict[str, dict[str, list[dict[str, float]]]]:
    by_variant = {target.ours: ours, str(target.peer): peer}
    return {
        target.profile: {name: [{target.metric: v} for v in values] for name, values in by_variant.items()}
    }


def test_open_loop_sends_at_its_rate_and_misses_nothing() -> None:
    with upstream() as port:
        report = run_load(Load(seconds=1, warm_up=0, grace=1, rate=200, connections=8), port)
    assert 195 <= report["ok"] <= 205
    assert report["sent"] == report["ok"]


def test_delay_of_events_is_measured_per_event() -> None:
    with upstream(chunks=5, interval_us=20_000) as port:
        report = run_load(Load(seconds=0.5, warm_up=0, grace=1, chunks=5, connections=3), port)
    assert report["ok"] == report["sent"]
    assert report["chunks"] == 5 * report["ok"]
    assert 0 < report["chunk_delay_us"]["p50"] < 20_000
    assert report["latency_us"]["p50"] > 4 * 20_000


def test_latency_counts_from_the_schedule() -> None:
    # one connection and answers of 50 ms cannot keep up with 40 requests/s: the queue is in the latency
    with upstream(first_us=50_000) as port:
        report = run_load(Load(seconds=1, warm_up=0, grace=0, rate=40, connections=1), port)
    assert report["latency_us"]["max"] > 300_000


def test_a_short_stream_is_not_ok() -> None:
    with upstream(chunks=4, interval_us=1000) as port:
        report = run_load(Load(seconds=0.2, warm_up=0, grace=1, chunks=5, connections=1), port)
    assert report["ok"] == 0
    assert report["short"] == report["sent"] > 0


def test_a_refused_connection_is_a_failure() -> None:
    report = run_load(Load(seconds=0.2, warm_up=0, rate=50, connections=2), free_port())
    assert report["failed"] == report["sent"] > 0


def test_a_silent_server_leaves_requests_unfinished() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        report = run_load(Load(seconds=0.2, warm_up=0, grace=0.2, connections=3), silent.getsockname()[1])
    assert report["unfinished"] == report["sent"] == 3


def test_a_trace_gives_arrivals_and_sizes(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    trace.write_text("0 200\n1000 50000\n200000 300\n9000000 200\n")
    with upstream() as port:
        report = run_load(Load(seconds=0.5, warm_up=0, grace=1, trace=trace), port)
    assert report["ok"] == 3


def test_a_target_is_the_median_ratio_within_rounds() -> None:
    outcome = judge(CPU, rounds(CPU, [11.0, 44.0, 21.0], [10.0, 40.0, 20.0]))
    assert outcome.measured == pytest.approx(1.1)
    assert (outcome.low, outcome.high) == pytest.approx((1.05, 1.1))
    assert outcome.passed is True


def test_a_target_can_be_missed_in_either_direction() -> None:
    assert judge(CPU, rounds(CPU, [12.0], [10.0])).passed is False
    assert judge(RATE, rounds(RATE, [9.0], [10.0])).passed is False
    assert judge(RATE, rounds(RATE, [12.0], [10.0])).passed is True


def test_what_was_not_measured_is_neither_passed_nor_failed() -> None:
    assert judge(CPU, {}).passed is None


def test_the_report_quotes_targets_and_reasons() -> None:
    samples = rounds(CPU, [12.0], [10.0])
    outcomes = [judge(target, samples) for target in TARGETS]
    text = as_markdown({CPU.profile: "text"}, samples, outcomes, ["envoy left out: not installed"])
    assert "| 1.2 (1.2 to 1.2) | **fail** |" in text
    assert "- envoy left out: not installed" in text
    result = as_json(samples, outcomes, [])
    assert result["passed"] is False
    assert result["variants"]["saturation"]["tailgate_10"]["cpu_us_per_request"]["median"] == 12.0


def test_a_multiple_that_leaves_less_than_forwarding_costs_is_said_to() -> None:
    envoy = next(target for target in TARGETS if target.key == "rps_envoy")
    costs = {"envoy": 30.0, "nginx": 15.0, "tailgate 0 %": 14.0, envoy.ours: 17.0}
    samples = {
        "saturation": {n: [{"cpu_us_per_request": c, "per_second": 1e6 / c}] for n, c in costs.items()}
    }
    (note,) = out_of_reach(samples, [judge(envoy, samples)])
    assert "3 times its requests would leave 10.0 µs" in note
    samples["saturation"]["envoy"][0]["cpu_us_per_request"] = 48.0
    assert out_of_reach(samples, [judge(envoy, samples)]) == []


def test_mirrored_and_dropped_are_read_from_the_metrics() -> None:
    text = (
        'tailgate_requests_total{route="default",outcome="sampled"} 90.0\n'
        'tailgate_requests_total{route="default",outcome="not_sampled"} 10.0\n'
        'tailgate_mirror_dropped_total{route="default",reason="queue_full"} 3.0\n'
        'tailgate_mirror_dropped_total{route="default",reason="thinned"} 4.0\n'
    )
    assert count_mirrored(text) == {"mirrored": 90.0, "dropped": 7.0}
