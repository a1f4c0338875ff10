"""The Prometheus counters and histograms of the monitor, and the page.

Counters and histograms move when somebody looks, a block of pairs later at the latest; gauges are rendered from one `Board`
(`board.py`), which the app replaces. Segment labels are capped (`segments_limit`): what does not fit is counted under
`__other__` and lives on in DuckDB. Aggregate only within one `dimension`: every pair is counted once
in each of them.
"""

from __future__ import annotations

import importlib.metadata
import platform
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar, cast
from urllib.parse import quote

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import Metric
from prometheus_client.exposition import generate_latest

from monitor.alike import Kind, Waiting
from monitor.board import SEGMENT_LABELS, Board, Gauges, Segments, dimension_of
from monitor.capabilities import Abilities, Capabilities
from monitor.errors import ConfigError
from monitor.exposition import openmetrics as openmetrics_text
from monitor.inert import one_line
from monitor.records import Arm, Completion
from monitor.scoring import Scored
from monitor.series import within
from monitor.signals import SIGNALS

MAX_PACKS = 20
MOST_WAITING = 256
"""Pairs that are counted at once, at the latest: a block."""
Family = TypeVar("Family", Counter, Histogram)
# OpenTelemetry GenAI advice for gen_ai.client.operation.duration and time_to_first_token.
DURATION_BUCKETS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TTFT_BUCKETS = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
TOKEN_BUCKETS = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5)

MAX_SERIES = 50_000
SERIES_BUDGET, USUAL_SEGMENTS = 10_000, 50
"""What the page holds at most with so many segment labels; who asks for more labels gets what they cost."""
_FINISH = frozenset({"stop", "length", "tool_calls", "content_filter"})


def series_estimate(segments: int) -> int:
    """Upper bound of what there is to show of `segments` segments, `all` and `__other__` beside them."""
    histograms = 3 * (len(DURATION_BUCKETS) + 3 + len(TTFT_BUCKETS) + 3)
    tested = sum(signal.null != "none" for signal in SIGNALS.values())
    rows = 5 * len(SIGNALS) + tested  # diverged, noise floor and three of excess; evidence where tested
    gauges = 3 * (2 + 1 + 1) + 3
    counters = 3 + len(SIGNALS)
    return (segments + 2) * (histograms + rows + gauges + counters) + 3 * (len(TOKEN_BUCKETS) + 3) + 200


def _exemplar_id(pair_id: str) -> str:
    """A pair's id as an exemplar carries it: clients choose ids, and readers of exemplars know no quotes."""
    return quote(pair_id, safe="/:+=@,~", errors="replace")[:80]


class Metrics:
    """All families on one registry. `board` is replaced whole, so a scrape never sees half an update."""

    def __init__(self, route: str, segments_limit: int) -> None:
        if (series := series_estimate(segments_limit)) > MAX_SERIES:
            raise ConfigError(
                f"segments_limit: {segments_limit} segments x {series // segments_limit} series each = "
                f"{series} series, more than {MAX_SERIES}; lower segments_limit"
            )
        disable_created_metrics()  # type: ignore[no-untyped-call]  # published without annotations
        self.route = route
        self.registry = CollectorRegistry()
        self.segments = Segments(segments_limit)
        self._budget = SERIES_BUDGET if segments_limit <= USUAL_SEGMENTS else MAX_SERIES
        self.board: Board | None = None
        self._lock = threading.Lock()
        self._rendering = threading.Lock()
        self._pages: dict[bool, tuple[float, bytes]] = {}
        self._children: dict[tuple[object, ...], Any] = {}
        self._waiting = Waiting()
        self._segment_families()
        self._answer_families()
        self._own_families()
        self._privacy_families()
        self.registry.register(Gauges(route, self.segments, lambda: self.board))

    def _segment_families(self) -> None:
        """What carries a segment label."""
        registry = self.registry
        self._pairs = Counter(
            "tailgate_pairs",
            "Scored pairs; result says whether any page signal fired on the pair.",
            [*SEGMENT_LABELS, "result"],
            registry=registry,
        )
        self._divergences = Counter(
            "tailgate_pair_divergences",
            "Pairs on which a signal fired (x >= 0.5).",
            [*SEGMENT_LABELS, "signal"],
            registry=registry,
        )
        self._duration = Histogram(
            "tailgate_request_duration_seconds",
            "End-to-end duration per arm.",
            [*SEGMENT_LABELS, "role"],
            buckets=DURATION_BUCKETS,
            registry=registry,
        )
        self._ttft = Histogram(
            "tailgate_time_to_first_token_seconds",
            "Time to first token of streamed answers per arm.",
            [*SEGMENT_LABELS, "role"],
            buckets=TTFT_BUCKETS,
            registry=registry,
        )

    def _answer_families(self) -> None:
        """What the arms answered, over all segments together."""
        registry = self.registry
        self._per_token = Histogram(
            "tailgate_time_per_output_token_seconds",
            "Duration per output token per arm.",
            ["route", "role"],
            buckets=TOKEN_BUCKETS,
            registry=registry,
        )
        self._tokens = Counter(
            "tailgate_tokens",
            "Tokens per arm as the servers report them; `forced` = prefilled to score another arm's answer.",
            ["route", "role", "token_type"],
            registry=registry,
        )
        self._engine = Counter(
            "tailgate_engine_seconds",
            "Seconds in the server's engine as it reports them, its queue left out; role `forced` = the candidate "
            "scoring another arm's answer. Requests of one batch share the GPU: an upper bound of its seconds.",
            ["route", "role"],
            registry=registry,
        )
        self._queue = Counter(
            "tailgate_queue_seconds",
            "Seconds in the server's own queue as it reports them (vLLM --enable-per-request-metrics).",
            ["route", "role"],
            registry=registry,
        )
        self._responses = Counter(
            "tailgate_responses",
            "Answers per arm by how they ended.",
            ["route", "role", "finish_reason"],
            registry=registry,
        )

    def _own_families(self) -> None:
        """What concerns this process rather than the answers."""
        registry = self.registry
        self._failures = Counter(
            "tailgate_scorer_failures",
            "Scorers that raised; the pair keeps its other scores.",
            ["scorer", "error_type"],
            registry=registry,
        )
        self._probe_results = Counter(
            "tailgate_probe_results",
            "Results of probe runs that were sent here, by pack and verdict.",
            ["route", "pack", "result"],
            registry=registry,
        )
        self._packs: set[str] = set()
        self._reload = Gauge(
            "tailgate_config_last_reload_successful",
            "Whether the last configuration reload worked.",
            registry=registry,
        )
        self._reload_time = Gauge(
            "tailgate_config_last_reload_success_timestamp_seconds",
            "When the configuration was last loaded.",
            registry=registry,
        )
        self._evaluation_events = Counter(
            "tailgate_evaluation_events",
            "Scores as OpenTelemetry events, by what became of them: sent, queue_full, unreachable.",
            ["route", "result"],
            registry=registry,
        )
        self._exported = Counter(
            "tailgate_exported_pairs", "Pairs exported as Parquet.", ["route"], registry=registry
        )
        self._export_time = Gauge(
            "tailgate_export_last_success_timestamp_seconds",
            "When the Parquet export last worked; absent = no export.",
            ["route"],
            registry=registry,
        )
        self._capability = Gauge(
            "tailgate_capability",
            "Whether a server can do it, as last probed; absent = not known.",
            ["route", "role", "capability"],
            registry=registry,
        )
        build = Gauge(
            "tailgate_build_info",
            "Version of the monitor; always 1.",
            ["version", "python_version"],
            registry=registry,
        )
        build.labels(importlib.metadata.version("tailgate"), platform.python_version()).set(1)

    def _privacy_families(self) -> None:
        """What was done about people's data."""
        registry = self.registry
        self._redactions = Counter(
            "tailgate_redactions", "Secrets replaced before anything was stored.", ["kind"], registry=registry
        )
        self._redaction_failures = Counter(
            "tailgate_redaction_failures",
            "Texts that could not be redacted; they were not stored.",
            registry=registry,
        )
        self._erasures = Counter(
            "tailgate_erasures", "Requests to forget a data subject that were carried out.", registry=registry
        )
        self._erased = Counter(
            "tailgate_erased_pairs", "Pairs deleted because their subject asked.", registry=registry
        )
        self._purge_time = Gauge(
            "tailgate_purge_last_success_timestamp_seconds",
            "When retention was last enforced.",
            registry=registry,
        )

    def reloaded(self, time: float, *, ok: bool) -> None:
        """Record a configuration reload."""
        self._reload.set(ok)
        if ok:
            self._reload_time.set(time)

    def exported(self, pairs: int, time: float) -> None:
        """Record a turn of the Parquet export that worked."""
        self._exported.labels(self.route).inc(pairs)
        self._export_time.labels(self.route).set(time)

    def evaluations(self, result: str, count: int) -> None:
        """Count events that were sent or dropped."""
        self._evaluation_events.labels(self.route, result).inc(count)

    def probed(self, capabilities: Capabilities) -> None:
        """Show what both servers can do."""
        self._capability.clear()
        legs: dict[Arm, Abilities] = {"candidate": capabilities.candidate, "replay": capabilities.replay}
        for role, abilities in legs.items():
            for name, works in asdict(abilities).items():
                if works is not None:
                    self._capability.labels(self.route, role, name).set(works)

    def forced(self, prefilled: int, seconds: float | None = None) -> None:
        """Count what teacher forcing cost the candidate: one prefill of prompt and answer."""
        if prefilled:
            self._tokens.labels(self.route, "candidate", "forced").inc(prefilled)
        if seconds is not None:
            self._engine.labels(self.route, "forced").inc(max(0.0, seconds))

    def redacted(self, counts: Mapping[str, int]) -> None:
        """Count secrets replaced before storage."""
        for kind, count in counts.items():
            self._redactions.labels(kind).inc(count)

    def probe_result(self, pack: str, result: str) -> None:
        """Count one probe; packs beyond the first few share a label, their names come from outside."""
        if len(self._packs) < MAX_PACKS:
            self._packs.add(pack)
        label = one_line(pack, 80) if pack in self._packs else "__other__"
        self._probe_results.labels(self.route, label, result.replace(" ", "_")).inc()

    def redaction_failed(self) -> None:
        """Count a pair whose texts were not stored because redaction failed."""
        self._redaction_failures.inc()

    def erased(self, pairs: int) -> None:
        """Count one erasure and the pairs that it deleted."""
        self._erasures.inc()
        self._erased.inc(pairs)

    def purged(self, now: float) -> None:
        """Note that retention was enforced."""
        self._purge_time.set(now)

    def observe(
        self,
        segments: Iterable[str],
        scored: Scored,
        arms: Mapping[Arm, Completion],
        *,
        diverged: bool,
        clean: bool,
        now: float = 0.0,
    ) -> None:
        """Count one scored pair in all its segments. `clean` = its latencies may be compared."""
        fired = tuple(name for name, score in scored.scores.items() if score.value >= 0.5)
        result = "diverge" if diverged else "agree" if scored.scores else "unscored"
        kind = Kind(tuple(segments), result, fired)
        with self._lock:
            self._waiting.add(kind, scored.id, now, arms if clean else {})
            for role, completion in arms.items():
                self._observe_answer(role, completion)
            for failure in scored.failures:
                self._failures.labels(failure.scorer, failure.error_type).inc()
            if len(self._waiting) >= MOST_WAITING:
                self._count()

    def _count(self) -> None:
        """Into the families with the pairs that wait."""
        for kind, alike in self._waiting.taken():
            labels = {self.segments.label(each, alike.now): dimension_of(each) for each in kind.segments}
            exemplar = {"pair_id": _exemplar_id(alike.newest)}
            for segment, dimension in labels.items():
                self._child(self._pairs, dimension, segment, kind.result).inc(alike.pairs)
                for signal in kind.fired:
                    child = self._child(self._divergences, dimension, segment, signal)
                    child.inc(alike.pairs - 1)
                    child.inc(1, exemplar)
                for family, seconds in ((self._duration, alike.durations), (self._ttft, alike.firsts)):
                    for role, value in seconds:
                        self._child(family, dimension, segment, role).observe(value)

    def _child(self, family: Family, *labels: str) -> Family:
        """`family.labels` of this route, which alone takes longer than counting in it, remembered."""
        child = self._children.get((family, labels))
        if child is None:
            child = self._children[family, labels] = family.labels(self.route, *labels)
        return cast("Family", child)

    def _observe_answer(self, role: Arm, completion: Completion) -> None:
        reason = completion.finish_reason if completion.finish_reason in _FINISH else "other"
        self._child(self._responses, role, "error" if completion.error_type else reason).inc()
        if completion.input_tokens:
            self._child(self._tokens, role, "input").inc(completion.input_tokens)
        if completion.output_tokens:
            self._child(self._tokens, role, "output").inc(completion.output_tokens)
            if completion.duration_seconds:
                self._child(self._per_token, role).observe(
                    completion.duration_seconds / completion.output_tokens
                )
        if completion.server_duration_seconds is not None:
            self._child(self._engine, role).inc(max(0.0, completion.server_duration_seconds))
        if completion.server_queue_seconds is not None:
            self._child(self._queue, role).inc(max(0.0, completion.server_queue_seconds))

    def forget(self, before: float) -> None:
        """Take segments without a pair since `before` off the page; one that returns counts from 0 again."""
        with self._lock:
            self._count()
            for segment in self.segments.forget(before):
                for family in (self._pairs, self._divergences, self._duration, self._ttft):
                    family.remove_by_labels({"segment": segment})
            self._children.clear()

    def render(self, *, openmetrics: bool) -> bytes:
        """The page. CPU-bound: call it in a thread."""
        moment = self._collected()
        return (
            openmetrics_text(moment.families)
            if openmetrics
            else bytes(generate_latest(cast("CollectorRegistry", moment)))
        )

    def page(self, *, openmetrics: bool) -> bytes:
        """The page, kept for ten times the CPU time that it took: however many scrape, a tenth of a core at most."""
        with self._rendering:
            kept = self._pages.get(openmetrics)
            if kept is None or time.monotonic() > kept[0]:
                began = time.thread_time()
                text = self.render(openmetrics=openmetrics)
                spent = time.thread_time() - began
                kept = self._pages[openmetrics] = (time.monotonic() + 10 * spent, text)
            return kept[1]

    def _collected(self) -> _Moment:
        """All samples of one moment. Only this is locked: the page is written beside new pairs."""
        with self._lock:
            self._count()
            return _Moment(within(self.registry.collect(), self._budget, self.route))


@dataclass(frozen=True, slots=True)
class _Moment:
    """As much of a registry as the exposition functions ask for."""

    families: tuple[Metric, ...]

    def collect(self) -> tuple[Metric, ...]:
        return self.families
