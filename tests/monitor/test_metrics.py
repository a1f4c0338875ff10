"""The metrics page: what it costs, what it forgets, and what must be on it in any case."""

from __future__ import annotations

import subprocess
import threading

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from monitor.board import Board
from monitor.errors import ConfigError
from monitor.metrics import Metrics, series_estimate
from monitor.records import Completion, Funnel, Score, Segment, SegmentVerdict, State, Verdict
from monitor.scoring import Scored
from monitor.signals import SIGNALS
from tests.deploy.tools import program

ANSWER = Completion(
    "x", finish_reason="stop", input_tokens=1, output_tokens=1, duration_seconds=0.1, time_to_first_token_seconds=0.1
)  # fmt: skip
DAY = 86_400.0


def observe(metrics: Metrics, *segments: str, now: float = 0.0, pair: str = "p1") -> None:
    scored = Scored(pair, {name: Score(name, 1.0) for name in SIGNALS}, {})
    arms = {"baseline": ANSWER, "candidate": ANSWER, "replay": ANSWER}
    metrics.observe(segments, scored, arms, diverged=True, clean=True, now=now)  # type: ignore[arg-type]  # keys are arms


def board(*segments: str, state: State = "ok") -> Board:
    rows = tuple(
        SegmentVerdict(
            Segment(segment), name, signal.kind, state, 9, noise_floor=0.1, effect=0.5, lower=0.4, upper=0.6, evidence=2.0
        )
        for segment in segments
        for name, signal in SIGNALS.items()
        if signal.null != "none"
    )  # fmt: skip
    return Board(Verdict(state, "r", 9, 1.0, "h", rows, Funnel(9)), samples=dict.fromkeys(segments, 9))


def values(metrics: Metrics, name: str, label: str = "segment") -> dict[str, float]:
    families = text_string_to_metric_families(metrics.render(openmetrics=False).decode())
    return {s.labels[label]: s.value for f in families for s in f.samples if s.name == name}


def test_a_divergence_carries_its_pair_as_exemplar() -> None:
    metrics = Metrics("r", 5)
    observe(metrics, "all", "task=chat", pair="p7")
    families = openmetrics_families(metrics.render(openmetrics=True).decode())  # type: ignore[no-untyped-call]  # published without annotations
    counted = [s for f in families for s in f.samples if s.name == "tailgate_pair_divergences_total"]
    assert {sample.exemplar and sample.exemplar.labels["pair_id"] for sample in counted} == {"p7"}


def test_segments_beyond_the_cap_are_folded_and_counted() -> None:
    metrics = Metrics("r", 2)
    observe(metrics, "all", "task=chat", "task=math", "task=code", "task=json")
    metrics.board = board("all")
    shown = values(metrics, "tailgate_pairs_total")
    assert shown == {"all": 1, "task=chat": 1, "task=math": 1, "__other__": 1}
    assert values(metrics, "tailgate_segment_overflow_total", "route") == {"r": 2}


def test_an_alarm_is_shown_beyond_the_cap() -> None:
    metrics = Metrics("r", 1)
    observe(metrics, "all", "task=chat")
    metrics.board = board("task=math", state="diverged")
    assert values(metrics, "tailgate_segment_diverged") == {"task=math": 1}


def test_too_many_segments_are_refused_with_the_arithmetic() -> None:
    with pytest.raises(ConfigError, match=r"200 segments x \d+ series each = \d+ series, more than 50000"):
        Metrics("r", 200)


def test_a_segment_without_traffic_leaves_the_page_and_starts_again_at_zero() -> None:
    metrics = Metrics("r", 1)
    observe(metrics, "all", "task=chat", now=0)
    observe(metrics, "all", now=8 * DAY)
    metrics.forget(1 * DAY)
    metrics.board = board("all", "task=chat")
    assert b"task=chat" not in metrics.render(openmetrics=False)
    observe(metrics, "task=math", now=8 * DAY)
    assert values(metrics, "tailgate_pairs_total") == {"all": 2, "task=math": 1}


def test_the_page_is_rendered_once_for_all_who_ask_at_the_same_time() -> None:
    metrics = Metrics("r", 50)
    observe(metrics, *(f"task=t{number}" for number in range(50)))
    assert metrics.page(openmetrics=True) is metrics.page(openmetrics=True)
    assert metrics.page(openmetrics=False) != metrics.page(openmetrics=True)


def test_pairs_are_counted_while_a_page_is_rendered() -> None:
    metrics = Metrics("r", 50)
    segments = ["all", *(f"task=t{number}" for number in range(50))]
    observe(metrics, *segments)
    metrics.board = board(*segments)
    rendering = threading.Thread(target=lambda: [metrics.render(openmetrics=True) for _ in range(3)])
    rendering.start()
    counted = 0
    while rendering.is_alive():
        observe(metrics, "all")
        counted += 1
    assert counted > 10  # three at most, if each waited for a page


def test_the_fullest_page_keeps_to_its_estimate_and_to_the_conventions() -> None:
    metrics = Metrics("r", 50)
    segments = ["all", *(f"task=t{number}" for number in range(50))]
    observe(metrics, *segments)
    metrics.board = board(*segments)
    page = metrics.render(openmetrics=False)
    series = sum(not line.startswith(b"#") for line in page.splitlines())
    assert 10_000 < series <= series_estimate(51)
    done = subprocess.run(
        [program("promtool"), "check", "metrics"], input=page, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr.decode()) == (0, "")
