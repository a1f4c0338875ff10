"""Exact p50 and p99 of every segment, of any number of segments: each answer is read once and sorted once. Pure.

A quantile per segment in SQL keeps a value once for every segment that it is in. Here a measurement's values get
their order once; a dimension then only names the segment at each place of that order, and a stable sort of these
small numbers (a radix sort, linear in time) lines up the values of every segment, still in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.report.dimensions import Dimension
from monitor.report.model import Ladder, Rungs

QUANTILES = np.array([0.5, 0.99])
MEASUREMENTS = ("candidate", "replay", "candidate_first", "replay_first")
"""Columns of `report_latency`: seconds to the end and to the first token, of both legs."""


@dataclass(frozen=True, slots=True)
class Ordered:
    """Seconds in ascending order, and for each the number of its combination of dimension values."""

    seconds: NDArray[np.float64]
    combinations: NDArray[np.integer[Any]]

    @classmethod
    def of(cls, seconds: NDArray[np.float64], combinations: NDArray[np.integer[Any]]) -> Ordered:
        """Both of one length, in any order."""
        order = np.argsort(seconds)
        return cls(seconds[order], combinations[order])

    def quantiles(
        self, segments: NDArray[np.integer[Any]], count: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """How many values each of `count` segments has, and its `QUANTILES` (count × 2), NaN where it has none.

        `segments[combination]` is the segment's number, `count` for none of them. Between two values the quantile is
        interpolated as SQL's `quantile_cont` does (definition 7 of Hyndman and Fan 1996).
        """
        member = segments[self.combinations]
        sizes = np.bincount(member, minlength=count + 1)
        starts = (np.cumsum(sizes) - sizes)[:count]
        sizes = sizes[:count]
        places = np.argsort(member, kind="stable")
        found = np.full((count, len(QUANTILES)), np.nan)
        some = sizes > 0
        ranks = (sizes[some, None] - 1) * QUANTILES
        below = np.floor(ranks).astype(np.int64)
        first = starts[some, None]
        low = self.seconds[places[first + below]]
        high = self.seconds[places[first + np.ceil(ranks).astype(np.int64)]]
        share = ranks - below
        found[some] = low * (1 - share) + high * share
        return sizes, found


def ordered(read: Iterable[Mapping[str, NDArray[Any]]]) -> dict[str, Ordered]:
    """All `MEASUREMENTS` from columns read in any number of parts, each without the pairs that lack it."""
    parts: dict[str, list[tuple[NDArray[Any], ...]]] = {name: [] for name in MEASUREMENTS}
    for columns in read:
        for name, found in parts.items():
            there = ~np.ma.getmaskarray(columns[name])
            found.append(tuple(np.ma.getdata(columns[c])[there] for c in (name, "combination")))
    # One measurement at a time, and its parts forgotten: ten million pairs take 300 MB here as it is.
    return {
        name: Ordered.of(*(np.concatenate(column) for column in zip(*parts.pop(name), strict=True)))
        for name in MEASUREMENTS
    }


def ladders_of(answers: Mapping[str, Ordered], dimensions: Sequence[Dimension]) -> list[Ladder]:
    """Segments that the candidate answered in, largest p99 ratio first. `answers` is keyed by `MEASUREMENTS`."""
    made = [ladder for dimension in dimensions for ladder in _ladders(answers, dimension)]
    return sorted(made, key=lambda ladder: (-(ladder.ratio or 0.0), ladder.segment))


def _ladders(answers: Mapping[str, Ordered], dimension: Dimension) -> Iterator[Ladder]:
    found = [answers[name].quantiles(dimension.numbers, len(dimension.segments)) for name in MEASUREMENTS]
    for at, segment in enumerate(dimension.segments):
        sizes, rungs = zip(*((int(n[at]), _known(seconds[at])) for n, seconds in found), strict=True)
        if sizes[0]:
            yield Ladder.of(segment, (sizes[0], sizes[1]), rungs[0] + rungs[1], rungs[2] + rungs[3])


def _known(rungs: NDArray[np.float64]) -> Rungs:
    return tuple(None if np.isnan(seconds) else float(seconds) for seconds in rungs)
