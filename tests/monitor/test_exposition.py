"""The page is what prometheus_client would write."""

from __future__ import annotations

import math

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.openmetrics.exposition import generate_latest

from monitor.exposition import openmetrics

AWKWARD = 'a"b\\c\nd\u202e<script>'


def registry() -> CollectorRegistry:
    made = CollectorRegistry()
    counter = Counter("c", AWKWARD, ["segment", "alpha"], registry=made)
    counter.labels(AWKWARD, "x").inc(3, {"pair_id": AWKWARD})
    counter.labels("", "y").inc(0.1)
    histogram = Histogram("h_seconds", "h", ["role"], buckets=(0.1, 1e7), registry=made)
    histogram.labels("replay").observe(0.25, {"pair_id": "p"})
    histogram.labels("replay").observe(1e21)
    Info("i", "i", registry=made).info({"b": "1", "a": "2"})
    gauge = Gauge("g", "g", ["number"], registry=made)
    for value in (math.inf, -math.inf, math.nan, 1e-9, 12345678.0, -0.0, True):
        gauge.labels(str(value)).set(value)
    Gauge("bare", "without labels", registry=made)
    return made


def test_every_kind_of_family_is_written_as_by_the_library() -> None:
    made = registry()
    assert openmetrics(made.collect()) == generate_latest(made)  # type: ignore[no-untyped-call]  # published without annotations
