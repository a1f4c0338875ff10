"""What the gauges show: one consistent view of verdict, latency and funnel, replaced whole.

Rendered by a prometheus_client collector at scrape time, so a scrape never sees half an update and
segments that left the view leave the page.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
    StateSetMetricFamily,
)

from monitor.inert import one_line
from monitor.records import Arm, Funnel, Verdict

OTHER = "__other__"
MAX_ALARMED = 50
"""Segments that are shown for their alarm alone."""
SEGMENT_LABELS = ["route", "dimension", "segment"]


@dataclass(frozen=True, slots=True)
class Latency:
    """Exact quantiles of one segment and arm, seconds; None where unknown."""

    p50: float | None
    p99: float | None
    ttft_p50: float | None = None
    ttft_p99: float | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Board:
    """What the gauges show: one consistent view, made by the app after a commit."""

    verdict: Verdict
    latency: Mapping[tuple[str, Arm], Latency] = field(default_factory=dict)
    calibration_gap: Mapping[tuple[str, Arm], float] = field(default_factory=dict)
    samples: Mapping[str, int] = field(default_factory=dict)
    samples_needed: Mapping[str, int] = field(default_factory=dict)
    agreement: Mapping[str, float] = field(default_factory=dict)
    budget_paid: float = 0.0
    scoring_lag_seconds: float = 0.0
    last_scored: float = 0.0
    storage_bytes: int = 0
    oldest_record: float | None = None
    retention_seconds: float = 0.0
    oldest_text: float | None = None
    text_retention_seconds: float = 0.0
    in_flight: int = 0
    concurrency: int = 0
    candidate_up: bool = False
    info: Mapping[str, str] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    trails: Mapping[tuple[str, str], Sequence[tuple[float, float]]] = field(default_factory=dict)
    """Evidence over time per (segment, signal), for the page alone."""


def dimension_of(segment: str) -> str:
    """`language=th,context=8k-32k` belongs to the dimension `language,context`."""
    return ",".join(part.partition("=")[0] for part in segment.split(","))


class Segments:
    """The capped label list: first come, first shown; `all` always fits. Thread-safe enough: one writer."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._seen: dict[str, float] = {"all": math.inf}
        self.overflow: set[str] = set()

    def label(self, segment: str, now: float) -> str:
        """`segment`, or `__other__` beyond the cap; `now` (seconds) is when its newest pair came."""
        if segment in self._seen or len(self._seen) <= self._limit:
            self._seen[segment] = max(now, self._seen.get(segment, now))
            return segment
        if len(self.overflow) < 10_000:
            self.overflow.add(segment)
        return OTHER

    def __iter__(self) -> Iterator[str]:
        return iter(self._seen)

    def __len__(self) -> int:
        return len(self._seen)

    def forget(self, before: float) -> list[str]:
        """Free the places of segments without a pair since `before`; their names."""
        stale = [segment for segment, seen in self._seen.items() if seen < before]
        for segment in stale:
            del self._seen[segment]
        return stale


class Gauges:
    """Renders the current board; a prometheus_client collector."""

    def __init__(self, route: str, segments: Segments, board: Callable[[], Board | None]) -> None:
        self._route = route
        self._segments = segments
        self._board = board

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        board = self._board()
        if board is None:
            return
        # An alarm is shown beyond the cap, too: what is folded away must still be able to page.
        alarmed = (str(row.segment) for row in board.verdict.segments if row.verdict == "diverged")
        shown = {*self._segments, *islice(dict.fromkeys(alarmed), MAX_ALARMED)}
        yield from _route_families(self._route, self._segments, board)
        yield from _verdict_rows(self._route, board, shown)
        yield from _segment_families(self._route, board, shown)
        yield from _funnel_families(self._route, board.verdict.funnel)


def _gauge(name: str, help_: str, value: float, route: str) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, help_, labels=["route"])
    family.add_metric([route], value)
    return family


def _counter(name: str, help_: str, value: float, route: str) -> CounterMetricFamily:
    family = CounterMetricFamily(name, help_, labels=["route"])
    family.add_metric([route], value)
    return family


def _route_families(route: str, segments: Segments, board: Board) -> Iterator[Metric]:
    verdict = StateSetMetricFamily("tailgate_route_verdict", "The route's verdict.", labels=["route"])
    verdict.add_metric(
        [route], {state: board.verdict.verdict == state for state in ("ok", "diverged", "inconclusive")}
    )
    yield verdict
    info = InfoMetricFamily("tailgate_route", "What is compared with what.", labels=["route"])
    # What the candidate says of itself is foreign text, and a scrape ends up on other people's screens.
    info.add_metric([route], {name: one_line(value) for name, value in board.info.items()})
    yield info
    yield from _progress_families(route, board)
    yield from _capacity_families(route, segments, board)


def _progress_families(route: str, board: Board) -> Iterator[Metric]:
    """Budget, freshness and storage."""
    yield _counter(
        "tailgate_false_alarm_budget_paid",
        "False-alarm budget paid so far: an upper bound on the expected false alarms.",
        board.budget_paid,
        route,
    )
    yield _gauge(
        "tailgate_scoring_lag_seconds",
        "Age of the oldest exchange that waits for its score.",
        board.scoring_lag_seconds,
        route,
    )
    yield _gauge(
        "tailgate_last_scored_timestamp_seconds",
        "When the newest scored pair was received.",
        board.last_scored,
        route,
    )
    yield _gauge(
        "tailgate_storage_bytes", "Database and write-ahead log on disk.", board.storage_bytes, route
    )
    if board.oldest_record is not None:
        yield _gauge(
            "tailgate_storage_oldest_record_timestamp_seconds",
            "Oldest stored pair: retention at work.",
            board.oldest_record,
            route,
        )
    if board.oldest_text is not None:
        yield _gauge(
            "tailgate_storage_oldest_text_timestamp_seconds",
            "Oldest stored pair whose text is kept.",
            board.oldest_text,
            route,
        )
    yield _gauge(
        "tailgate_storage_text_retention_seconds",
        "store.text_retention_days: no text should grow older.",
        board.text_retention_seconds,
        route,
    )
    yield _gauge(
        "tailgate_storage_retention_seconds",
        "store.retention_days: no record should grow older.",
        board.retention_seconds,
        route,
    )


def _capacity_families(route: str, segments: Segments, board: Board) -> Iterator[Metric]:
    """The candidate's room, the labels' room and what is allowed."""
    yield _gauge(
        "tailgate_candidate_requests_in_flight", "Requests at the candidate now.", board.in_flight, route
    )
    yield _gauge("tailgate_candidate_concurrency_limit", "candidate.concurrency.", board.concurrency, route)
    yield _gauge("tailgate_candidate_up", "Whether the candidate answers.", float(board.candidate_up), route)
    yield _gauge("tailgate_segments_active", "Segments with a label of their own.", len(segments), route)
    yield _counter(
        "tailgate_segment_overflow", "Segments folded into __other__.", len(segments.overflow), route
    )
    allowed = GaugeMetricFamily(
        "tailgate_allowed_drop_ratio",
        "Excess over the noise floor that a level tolerates.",
        labels=["route", "level"],
    )
    for level, value in board.thresholds.items():
        allowed.add_metric([route, level], value)
    yield allowed


def _verdict_rows(route: str, board: Board, shown: set[str]) -> Iterator[Metric]:
    labels = [*SEGMENT_LABELS, "signal"]
    evidence = GaugeMetricFamily(
        "tailgate_segment_evidence", "Wealth of the sequential test; alarm at 1.", labels=labels
    )
    diverged = GaugeMetricFamily(
        "tailgate_segment_diverged", "1 while the alarm is latched.", labels=[*labels, "level", "explained"]
    )
    floor = GaugeMetricFamily(
        "tailgate_segment_noise_floor_ratio",
        "Rate of the bad outcome when the baseline is asked twice.",
        labels=labels,
    )
    excess = GaugeMetricFamily(
        "tailgate_segment_excess_ratio",
        "Candidate's excess over the noise floor with its confidence sequence.",
        labels=[*labels, "bound"],
    )
    for row in board.verdict.segments:
        if row.segment not in shown:
            continue
        key = [route, dimension_of(row.segment), row.segment, row.signal]
        if row.evidence is not None:
            evidence.add_metric(key, row.evidence)
        explained = "yes" if row.explained_by else "no"
        diverged.add_metric([*key, row.level, explained], float(row.verdict == "diverged"))
        if row.noise_floor is not None:
            floor.add_metric(key, row.noise_floor)
        for bound, value in (("lower", row.lower), ("estimate", row.effect), ("upper", row.upper)):
            if value is not None:
                excess.add_metric([*key, bound], value)
    yield from (evidence, diverged, floor, excess)


def _segment_families(route: str, board: Board, shown: set[str]) -> Iterator[Metric]:
    simple = (
        ("tailgate_segment_samples", "Scored pairs since the last candidate change.", board.samples),
        (
            "tailgate_segment_samples_needed",
            "Pairs at which a detectable drop would have alarmed with probability 0.9.",
            board.samples_needed,
        ),
        (
            "tailgate_segment_agreement_ratio",
            "Share of checkable answers that agree with the baseline.",
            board.agreement,
        ),
    )
    for name, help_, values in simple:
        family = GaugeMetricFamily(name, help_, labels=SEGMENT_LABELS)
        for segment in shown & values.keys():
            family.add_metric([route, dimension_of(segment), segment], values[segment])
        yield family
    yield from _latency_families(route, board, shown)
    gap = GaugeMetricFamily(
        "tailgate_segment_calibration_gap_ratio",
        "Mean confidence minus agreement; 0.33 = says 93 %, is right 60 %.",
        labels=[*SEGMENT_LABELS, "role"],
    )
    for (segment, role), value in board.calibration_gap.items():
        if segment in shown:
            gap.add_metric([route, dimension_of(segment), segment, role], value)
    yield gap


def _latency_families(route: str, board: Board, shown: set[str]) -> Iterator[Metric]:
    latency = GaugeMetricFamily(
        "tailgate_segment_latency_seconds",
        "Exact quantiles of duration per arm: the newest 200,000 pairs of seven days.",
        labels=[*SEGMENT_LABELS, "role", "stat"],
    )
    confidence = GaugeMetricFamily(
        "tailgate_segment_confidence_ratio",
        "Mean sequence confidence per arm.",
        labels=[*SEGMENT_LABELS, "role"],
    )
    for (segment, role), value in board.latency.items():
        if segment not in shown:
            continue
        key = [route, dimension_of(segment), segment, role]
        for stat, seconds in (("p50", value.p50), ("p99", value.p99)):
            if seconds is not None:
                latency.add_metric([*key, stat], seconds)
        if value.confidence is not None:
            confidence.add_metric(key, value.confidence)
    yield from (latency, confidence)


def _funnel_families(route: str, funnel: Funnel) -> Iterator[Metric]:
    states = GaugeMetricFamily(
        "tailgate_funnel_exchanges",
        "Where eligible requests are: eligible = scored + skipped + pending.",
        labels=["route", "state"],
    )
    for state in ("eligible", "sampled", "sent", "completed", "comparable", "scored", "pending"):
        states.add_metric([route, state], getattr(funnel, state))
    yield states
    skipped = CounterMetricFamily(
        "tailgate_exchanges_skipped",
        "Eligible requests that were not scored, by reason.",
        labels=["route", "reason"],
    )
    for reason, count in sorted(funnel.skipped.items()):
        skipped.add_metric([route, reason], count)
    yield skipped
