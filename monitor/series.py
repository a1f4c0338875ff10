"""How the page of metrics keeps its budget of series, whatever there is to show. Pure.

A page of 50 segments on which every signal applies would hold 18,000 series and half a second of
the interpreter per scrape. What is left out first is what a dashboard misses least: buckets of the
latency histograms per segment (exact quantiles per segment stay, and so do the buckets of `all`),
then evidence, noise floor and excess of the rows with the least to say. What alerts read first,
`tailgate_segment_diverged`, is never left out. The database and the API hold everything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.samples import Sample

_HISTOGRAMS = frozenset({"tailgate_request_duration_seconds", "tailgate_time_to_first_token_seconds"})
_DETAILS = frozenset(
    {"tailgate_segment_evidence", "tailgate_segment_noise_floor_ratio", "tailgate_segment_excess_ratio"}
)
_ROWS = "tailgate_segment_diverged"  # its samples stand in the verdict's order: worst first

Key = tuple[str, str]
"""Segment and signal."""


def within(families: Iterable[Metric], budget: int, route: str) -> tuple[Metric, ...]:
    """The families with at most `budget` samples as far as leaving out can do it, and what was left out."""
    page = list(families)
    full = _count(page)
    if full > budget:
        page = [_coarse(family) if family.name in _HISTOGRAMS else family for family in page]
    coarse = _count(page)
    if coarse > budget:
        page = _terse(page, budget)
    return (*page, _left_out(route, {"buckets": full - coarse, "details": coarse - _count(page)}))


def _count(page: Sequence[Metric]) -> int:
    return sum(len(family.samples) for family in page) + 2  # what is left out is said in two


def _with(family: Metric, samples: list[Sample]) -> Metric:
    """A copy: counters and histograms hand out what they will count on with."""
    made = Metric(family.name, family.documentation, family.type, family.unit)
    made.samples = samples
    return made


def _coarse(family: Metric) -> Metric:
    """The histogram without inner buckets, but for `all`: count, sum and rates stay exact."""

    def kept(sample: Sample) -> bool:
        return sample.labels["segment"] == "all" or sample.labels.get("le", "+Inf") == "+Inf"

    return _with(family, [sample for sample in family.samples if kept(sample)])


def _terse(page: Sequence[Metric], budget: int) -> list[Metric]:
    """Details for as many rows as there is room for, in the verdict's order."""
    sizes = Counter(_key(s) for family in page if family.name in _DETAILS for s in family.samples)
    room = budget - _count(page) + sum(sizes.values())
    kept: set[Key] = set()
    for sample in (s for family in page if family.name == _ROWS for s in family.samples):
        room -= sizes[_key(sample)]
        if room < 0:
            break
        kept.add(_key(sample))
    return [
        _with(family, [s for s in family.samples if _key(s) in kept]) if family.name in _DETAILS else family
        for family in page
    ]


def _key(sample: Sample) -> Key:
    return sample.labels["segment"], sample.labels["signal"]


def _left_out(route: str, counts: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(
        "tailgate_series_left_out",
        "Series that the budget had no room for: buckets per segment, details of quiet rows.",
        labels=["route", "part"],
    )
    for part, count in counts.items():
        family.add_metric([route, part], count)
    return family
