"""Which divergences are only another segment's shadow (DESIGN 5, *Explained segments*). Pure.

A fault in one language also lifts its script, its task and the whole route. Row S is explained by
segment T when S without T's pairs no longer shows an excess over the allowance. That can go both ways
(a language and its script hold nearly the same pairs), so:

* T must have the larger effect, unless S's lead over T is within chance;
* where each explains the other, the clearly larger effect wins, else the dimension listed first.

What "no longer shows" means: the exact lower 95 % bound of the remaining rate is not above floor plus
allowance, so that a handful of leftover pairs cannot keep a shadow alive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

from monitor.cells import Ints
from monitor.intervals import rate_at_least
from monitor.noise_floor import Floats
from monitor.records import ALL, Segment, SegmentVerdict
from monitor.signals import SIGNALS

Key = tuple[Segment, str]
BUILT_IN = ("language", "script", "task", "context", "turn", "stream", "model", "ood", "load")
_STATES = {"diverged": 0, "inconclusive": 2, "ok": 3}
_RANKS = {"page": 0, "ticket": 1}
_LEFTOVER = 0.05
_CLEARLY = 3.0


@dataclass(frozen=True, slots=True)
class Sample:
    """The pairs of one (segment, signal): ids comparable across segments (any integers), x, and x0
    (nan where not replayed). All of length n."""

    pairs: Ints
    x: Floats
    x0: Floats

    def without(self, others: Ints) -> Sample:
        """The sample less the given pairs."""
        kept = ~np.isin(self.pairs, others)
        return Sample(self.pairs[kept], self.x[kept], self.x0[kept])

    @property
    def floor(self) -> float:
        """Mean of x0, 0 where nothing was replayed."""
        known = self.x0[~np.isnan(self.x0)]
        return float(known.mean()) if len(known) else 0.0

    @property
    def effect(self) -> float:
        """Mean of x above the floor."""
        return float(self.x.mean()) - self.floor if len(self.x) else 0.0


def explain_rows(
    rows: Sequence[SegmentVerdict],
    samples: Mapping[Key, Sample],
    nulls: Mapping[str, float],
    declared: Sequence[str] = (),
) -> tuple[SegmentVerdict, ...]:
    """The rows with `explained_by` filled in and sorted, worst unexplained divergence first.

    `samples` is wanted for diverged rows and, in the same signals, for every other segment that
    diverged; a row without one stays unexplained. `nulls` maps signals to m (one stream) or to the
    allowed drop (two streams). `declared` dimensions come before the built-in ones.
    """
    diverged = [row for row in rows if row.verdict == "diverged"]
    order = {name: index for index, name in enumerate((*declared, *BUILT_IN))}
    found = {
        (row.segment, row.signal): culprit
        for row in diverged
        if (culprit := _culprit(row, diverged, samples, nulls, order)) is not None
    }
    culprits = _rooted(found, {row.segment for row in diverged if (row.segment, row.signal) not in found})
    filled = (_explained(row, culprits.get((row.segment, row.signal))) for row in rows)
    return tuple(sorted(filled, key=severity))


def _explained(row: SegmentVerdict, culprit: Segment | None) -> SegmentVerdict:
    """Most rows stay as they are, and a copy costs more than all else about them."""
    return row if row.explained_by == culprit else replace(row, explained_by=culprit)


def severity(row: SegmentVerdict) -> tuple[object, ...]:
    """Sort key: unexplained divergence, explained, inconclusive, ok; page first; largest effect first.

    What is only shown is never decided and comes last: before `ok` it would stand for its whole segment.
    """
    state = _STATES[row.verdict] + (row.explained_by is not None)
    return (
        row.level not in _RANKS,
        state,
        _rank(row.level),
        -(row.effect or 0.0),
        -(row.evidence or 0.0),
        row.segment,
        row.signal,
    )


def _rank(level: str) -> int:
    return _RANKS.get(level, 2)


def _culprit(
    row: SegmentVerdict,
    diverged: Sequence[SegmentVerdict],
    samples: Mapping[Key, Sample],
    nulls: Mapping[str, float],
    order: Mapping[str, int],
) -> Segment | None:
    """The segment that explains the row best. A page is never explained by a mere ticket."""
    mine = samples.get((row.segment, row.signal))
    if mine is None:
        return None
    # A latency's m is the segment's own; people see it as the noise floor.
    null = row.noise_floor if row.kind == "latency" and row.noise_floor is not None else nulls[row.signal]
    suspects = {other.segment for other in diverged if _rank(other.level) <= _rank(row.level)} - {row.segment}
    guilty = [
        (theirs.effect, -_place(suspect, order), suspect)
        for suspect in suspects
        if (theirs := samples.get((suspect, row.signal))) is not None
        and _explains(
            theirs,
            mine,
            row.signal,
            null,
            first=_place(suspect, order) < _place(row.segment, order),
        )
    ]
    return max(guilty)[2] if guilty else None


def _explains(theirs: Sample, mine: Sample, signal: str, null: float, *, first: bool) -> bool:
    """Whether the suspect's pairs account for mine. `first`: the suspect comes first in the order."""
    if _survives(mine.without(theirs.pairs), signal, null, mine.floor):
        return False
    rest = theirs.without(mine.pairs)
    if _survives(rest, signal, null, theirs.floor):
        return not _clearly_larger(mine, rest)
    if _clearly_larger(mine, theirs):
        return False
    return first or _clearly_larger(theirs, mine)


def _survives(sample: Sample, signal: str, null: float, floor: float) -> bool:
    """Whether the sample alone still shows more than is allowed."""
    if not len(sample.x):
        return False
    limit = null + (floor if SIGNALS[signal].null in {"flip", "agreement"} else 0.0)
    return rate_at_least(int(sample.x.sum()), len(sample.x), _LEFTOVER) > limit


def _clearly_larger(one: Sample, other: Sample) -> bool:
    gap = one.effect - other.effect
    return gap > _CLEARLY * sqrt(_variance(one) + _variance(other))


def _variance(sample: Sample) -> float:
    """Of the mean of x, kept away from 0 by half a pair on either side."""
    n = len(sample.x) + 1
    rate = (float(sample.x.sum()) + 0.5) / n
    return rate * (1 - rate) / n


def _place(segment: Segment, order: Mapping[str, int]) -> int:
    """Position in dimension order: single dimensions, then crosses, then `all`."""
    if segment == ALL:
        return 3 * len(order)
    names = [part.partition("=")[0] for part in segment.split(",")]
    return order.get(names[0], len(order)) + (len(order) + 1 if len(names) > 1 else 0)


def _rooted(found: Mapping[Key, Segment], roots: set[Segment]) -> dict[Key, Segment]:
    """Chains followed to a segment with a divergence of its own; a circle explains nothing."""
    onward = {segment: culprit for (segment, _), culprit in found.items() if segment not in roots}
    rooted: dict[Key, Segment] = {}
    for key, culprit in found.items():
        root, seen = culprit, {key[0]}
        while root not in roots and root not in seen and root in onward:
            seen.add(root)
            root = onward[root]
        if root in roots:
            rooted[key] = root
    return rooted
