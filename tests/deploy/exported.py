"""What the code exports: metric names with their labels, read off fully populated pages."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from prometheus_client.parser import text_string_to_metric_families

from collectors import counters
from collectors.exposition import exposition
from monitor.board import Board, Latency
from monitor.capabilities import Abilities, Capabilities
from monitor.metrics import Metrics
from monitor.records import Completion, Funnel, Score, Segment, SegmentVerdict, Verdict
from monitor.scoring import Failure, Scored

TARGET = frozenset({"job", "instance"})
"""Labels that Prometheus adds to everything that it scrapes."""
_INFO = ("baseline", "candidate", "candidate_model", "candidate_root", "candidate_version", "config_hash")


@cache
def exported() -> Mapping[str, frozenset[str]]:
    """Label names by metric name, of both pages."""
    found: dict[str, frozenset[str]] = {}
    for page in pages().values():
        for family in text_string_to_metric_families(page):
            for sample in family.samples:
                found[sample.name] = found.get(sample.name, TARGET) | frozenset(sample.labels)
    return found


def pages() -> Mapping[str, str]:
    """Both pages with a sample of everything."""
    return {"Monitor": _monitor_page(), "Sidecar": _sidecar_page()}


def _sidecar_page() -> str:
    board = counters.Board(1, 0.5)
    for index in range(len(counters.CELL)):
        board.pages[0][index] = 1
    return exposition("r", board, "0.1.0")


def _monitor_page() -> str:
    metrics = Metrics("r", 5)
    metrics.reloaded(1.0, ok=True)
    metrics.exported(1, 1.0)
    metrics.redacted({"email": 1})
    metrics.erased(1)
    metrics.purged(1.0)
    metrics.forced(1)
    metrics.probed(Capabilities(candidate=Abilities(logprobs=True)))
    answer = Completion(
        "x",
        output_tokens=1,
        input_tokens=1,
        duration_seconds=0.1,
        time_to_first_token_seconds=0.1,
        server_duration_seconds=0.1,
        server_queue_seconds=0.1,
    )
    scored = Scored("p", {"answer": Score("answer", 1.0)}, {}, (Failure("code", "ValueError"),))
    arms = {"baseline": answer, "candidate": answer}
    metrics.observe(["all"], scored, arms, diverged=True, clean=True)  # type: ignore[arg-type]  # keys are arms
    metrics.board = _board()
    return metrics.render(openmetrics=False).decode()


def _board() -> Board:
    every = Segment("all")
    row = SegmentVerdict(
        every, "answer", "agreement", "diverged", 9, noise_floor=0.1, effect=0.5, lower=0.4, upper=0.6, evidence=2
    )  # fmt: skip
    verdict = Verdict("diverged", "r", 9, 1.0, "h", (row,), Funnel(9, skipped={"not_sampled": 1}))
    return Board(
        verdict=verdict,
        latency={("all", "candidate"): Latency(1.0, 2.0, confidence=0.9)},
        calibration_gap={("all", "candidate"): 0.3},
        samples={"all": 9},
        samples_needed={"all": 90},
        agreement={"all": 0.9},
        oldest_record=1.0,
        oldest_text=1.0,
        info=dict.fromkeys(_INFO, "x"),
        thresholds={"page": 0.05, "ticket": 0.02},
    )
