"""The metrics page: what it costs, what it forgets, and what must be on it in any case."""

from __future__ import annotations

import subprocess
import threading
from dataclasses import replace

import pytest
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families

from monitor.board import Board, Latency
from monitor.errors import ConfigError
from monitor.metrics import DURATION_BUCKETS, MOST_WAITING, SERIES_BUDGET, Metrics, series_estimate
from monitor.records import Arm, Completion, Funnel, Score, Segment, SegmentVerdict, State, Verdict
from monitor.scoring import Scored
from monitor.signals import SIGNALS
from tests.deploy.tools import program
from tests.nasty import NASTY, hidden

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
            Segment(segment), name, signal.kind, state, 9, noise_floor=0.1, effect=0.5, lower=0.4, upper=0.6,
            evidence=None if signal.null == "none" else 2.0,
        )
        for segment in segments
        for name, signal in SIGNALS.items()
    )  # fmt: skip
    arms: tuple[Arm, ...] = ("baseline", "candidate", "replay")
    return Board(
        Verdict(state, "r", 9, 1.0, "h", rows, Funnel(9)),
        latency={(segment, arm): Latency(1.0, 2.0, confidence=0.9) for segment in segments for arm in arms},
        calibration_gap={(segment, arm): 0.1 for segment in segments for arm in arms},
        samples=dict.fromkeys(segments, 9),
        samples_needed=dict.fromkeys(segments, 90),
        agreement=dict.fromkeys(segments, 0.9),
    )


def values(metrics: Metrics, name: str, label: str = "segment") -> dict[str, float]:
    families = text_string_to_metric_families(metrics.render(openmetrics=False).decode())
    return {s.labels[label]: s.value for f in families for s in f.samples if s.name == name}


def test_a_divergence_carries_its_pair_as_exemplar() -> None:
    metrics = Metrics("r", 5)
    observe(metrics, "all", "task=chat", pair="p7")
    families = openmetrics_families(metrics.render(openmetrics=True).decode())  # type: ignore[no-untyped-call]  # published without annotations
    counted = [s for f in families for s in f.samples if s.name == "tailgate_pair_divergences_total"]
    assert {sample.exemplar and sample.exemplar.labels["pair_id"] for sample in counted} == {"p7"}


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_what_others_say_of_themselves_is_a_label_and_no_more(text: str) -> None:
    """A pair's id, the candidate's name for itself, a probe's pack: clients and servers choose them."""
    metrics = Metrics("r", 5)
    observe(metrics, "all", pair=f"id-{text}")
    metrics.probe_result(text, "worse")
    metrics.board = replace(board("all"), info={"candidate_root": text})
    page = metrics.render(openmetrics=True).decode()
    assert hidden(page) == set()
    families = {f.name for f in openmetrics_families(page)}  # type: ignore[no-untyped-call]  # published without annotations
    assert not any("planted" in name for name in families)
    assert "tailgate_route" in families
    assert hidden(metrics.render(openmetrics=False).decode()) == set()


def test_the_page_is_what_the_library_would_write() -> None:
    metrics = Metrics("r", 5)
    observe(metrics, "all", "task=chat", 'topic="a\\b"', pair="p7")
    metrics.board = board("all", "task=chat")
    page = metrics.render(openmetrics=True)
    library = generate_latest(metrics.registry)  # type: ignore[no-untyped-call]  # published without annotations
    expected = library.removesuffix(b"# EOF\n")
    assert page[: len(expected)] == expected


def test_pairs_alike_are_counted_together_a_block_of_them_at_the_latest() -> None:
    metrics = Metrics("r", 5)
    labels = {"route": "r", "dimension": "all", "segment": "all", "result": "diverge"}
    for _ in range(MOST_WAITING + 1):
        observe(metrics, "all")
    assert metrics.registry.get_sample_value("tailgate_pairs_total", labels) == MOST_WAITING
    metrics.render(openmetrics=True)
    assert metrics.registry.get_sample_value("tailgate_pairs_total", labels) == MOST_WAITING + 1


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


def fullest(limit: int, state: State = "diverged") -> tuple[Metrics, bytes]:
    """A page with everything on it that there can be, one segment more than there are labels for."""
    metrics = Metrics("r", limit)
    segments = ["all", *(f"task=t{number}" for number in range(limit + 1))]
    observe(metrics, *segments)
    metrics.board = board(*segments, state=state)
    return metrics, metrics.render(openmetrics=False)


def series(page: bytes) -> int:
    return sum(not line.startswith(b"#") for line in page.splitlines())


def test_the_fullest_page_keeps_its_budget_and_the_conventions() -> None:
    metrics, page = fullest(50)
    assert 9_900 < series(page) <= SERIES_BUDGET
    done = subprocess.run(
        [program("promtool"), "check", "metrics"], input=page, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr.decode()) == (0, "")
    left_out = values(metrics, "tailgate_series_left_out", "part")
    assert series(page) + sum(left_out.values()) > 15_000
    assert min(left_out.values()) > 0


def test_what_is_left_out_first_is_what_is_missed_least() -> None:
    _, page = fullest(50)
    families = list(text_string_to_metric_families(page.decode()))
    samples = [sample for family in families for sample in family.samples]
    bounds = {
        s.labels["segment"]: s.labels["le"] for s in samples if s.name.endswith("duration_seconds_bucket")
    }
    assert bounds.pop("all") == "+Inf"  # the last of all of them
    assert set(bounds.values()) == {"+Inf"}
    rows = [
        (s.labels["segment"], s.labels["signal"]) for s in samples if s.name == "tailgate_segment_diverged"
    ]
    assert len(rows) == 51 * len(SIGNALS)  # never left out
    detailed = {
        (s.labels["segment"], s.labels["signal"]) for s in samples if s.name == "tailgate_segment_evidence"
    }
    worst = rows[: 1 + max(rows.index(row) for row in detailed)]
    assert detailed == {row for row in worst if SIGNALS[row[1]].null != "none"}
    assert 500 < len(worst) < len(rows)


def test_a_page_with_room_leaves_nothing_out() -> None:
    metrics, page = fullest(5)
    assert values(metrics, "tailgate_series_left_out", "part") == {"buckets": 0, "details": 0}
    assert page.count(b"tailgate_request_duration_seconds_bucket{") == 7 * 3 * (len(DURATION_BUCKETS) + 1)


def test_no_page_holds_more_than_was_estimated() -> None:
    _, page = fullest(60, state="ok")
    assert 0.9 * series_estimate(60) < series(page) <= series_estimate(60)
