"""Scores of a window by segment: how many of each value, and exact sums, one signal at a time. Pure.

Grouping in SQL by combination, signal and value means a hash table of millions of groups, out of every cache; it was
most of a report's time. A signal's scores alone have few values, so an array with a place for each does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.report.dimensions import Dimension
from monitor.report.weekly import Arm, Key, Sample

VALUES = 101
"""Hundredths from 0 to 1."""
Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Pairs:
    """The window's pairs in the order of the log: number and combination of dimension values of each.

    As the live evidence counts, a prompt is one observation per hour and so is a turn of a conversation: `prompts`
    and `turns` say who is the first of them, `turns` only where the baseline's own answer was fit.
    """

    seqs: NDArray[np.int64]
    combinations: NDArray[np.integer[Any]]
    prompts: NDArray[np.bool_]
    turns: NDArray[np.bool_]

    @classmethod
    def of(cls, columns: Columns) -> Pairs:
        """From the columns of `report_pairs` over whole hours."""
        order = np.argsort(columns["seq"])
        seqs, combinations, fit, prompt, turn = (
            np.ma.getdata(columns[name])[order] for name in ("seq", "combination", "fit", "prompt", "turn")
        )
        return cls(seqs, combinations, first_of(prompt), first_of(turn) & fit)

    @classmethod
    def joined(cls, parts: Sequence[Pairs]) -> Pairs:
        """All parts of a window as one."""
        order = np.argsort(np.concatenate([part.seqs for part in parts]), kind="stable")
        names = ("seqs", "combinations", "prompts", "turns")
        return cls(*(np.concatenate([getattr(part, name) for part in parts])[order] for name in names))

    def runs(self, most: int) -> Iterator[tuple[int, int]]:
        """First and last number of stretches of at most `most` pairs without a wide gap between them."""
        gaps = np.flatnonzero(np.diff(self.seqs) > most) + 1
        cuts = sorted({*range(0, len(self.seqs), most), *gaps.tolist(), len(self.seqs)})
        for start, end in pairwise(cuts):
            yield int(self.seqs[start]), int(self.seqs[end - 1])

    def places(self, seqs: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Where in this order numbers stand, and which of them do."""
        at = np.minimum(np.searchsorted(self.seqs, seqs), len(self.seqs) - 1)
        return at, self.seqs[at] == seqs


def first_of(keys: NDArray[Any]) -> NDArray[np.bool_]:
    """True at the first place of every key. Repeats are few: only they are looked at twice."""
    order = np.argsort(keys)
    same = keys[order[1:]] == keys[order[:-1]]
    repeated = np.zeros(len(keys), np.bool_)
    repeated[1:] |= same
    repeated[:-1] |= same
    shared = np.sort(order[repeated])
    _, first = np.unique(keys[shared], return_index=True)
    found = np.ones(len(keys), np.bool_)
    found[shared] = False
    found[shared[first]] = True
    return found


@dataclass(frozen=True, slots=True)
class Tally:
    """One arm's scores of one signal per combination: counts of hundredths, sums and sums of squares."""

    counts: NDArray[np.int64]
    totals: NDArray[np.float64]
    squares: NDArray[np.float64]

    @classmethod
    def empty(cls, combinations: int) -> Tally:
        """Nothing counted yet."""
        sums = np.zeros((2, combinations))
        return cls(np.zeros((combinations, VALUES), np.int64), sums[0], sums[1])

    def add(self, combinations: NDArray[np.integer[Any]], x: NDArray[np.float64], *, fine: bool) -> None:
        """Scores in [0, 1]. Unless `fine` all between 0 and 1 count as 0.5: nobody bets on them."""
        hundredths = np.floor(100 * x + 0.5) if fine else np.where((x == 0) | (x == 1), 100 * x, 50)
        size = len(self.totals)
        cells = combinations.astype(np.intp) * VALUES + hundredths.astype(np.intp)
        self.counts[:] += np.bincount(cells, minlength=size * VALUES).reshape(size, VALUES)
        self.totals[:] += np.bincount(combinations, x, size)
        self.squares[:] += np.bincount(combinations, x * x, size)

    def arms(self, dimension: Dimension) -> Iterator[tuple[str, Arm]]:
        """Every segment of a dimension that has scores, with them."""
        order = np.argsort(dimension.numbers, kind="stable")
        starts = np.searchsorted(dimension.numbers[order], np.arange(len(dimension.segments) + 1))
        order, starts = order[: starts[-1]], starts[:-1]
        used = np.flatnonzero(self.counts.any(axis=0))
        counts = np.add.reduceat(self.counts[:, used][order], starts)
        sums = zip(
            *(np.add.reduceat(s[order], starts).tolist() for s in (self.totals, self.squares)), strict=True
        )
        for segment, row, (total, squares) in zip(dimension.segments, counts.tolist(), sums, strict=True):
            values = {hundredth / 100: n for hundredth, n in zip(used.tolist(), row, strict=True) if n}
            if values:
                yield segment, Arm(values, sum(row), total, squares)


def samples_of(
    signal: str,
    read: Iterable[Columns],
    pairs: Pairs,
    dimensions: Sequence[Dimension],
    *,
    agreement: bool,
    fine: bool,
) -> dict[Key, Sample]:
    """From columns of `report_scores`; of `agreement` signals the first fit turn counts, of others the first prompt."""
    counted = pairs.turns if agreement else pairs.prompts
    candidate, replay = (Tally.empty(len(dimensions[0].numbers)) for _ in range(2))
    for columns in read:
        at, known = pairs.places(np.ma.getdata(columns["seq"]))
        known &= counted[at]
        combinations = pairs.combinations[at]
        for tally, name in ((candidate, "x"), (replay, "x0")):
            there = known & ~np.ma.getmaskarray(columns[name])
            tally.add(combinations[there], np.ma.getdata(columns[name])[there], fine=fine)
    found: dict[Key, Sample] = {}
    for dimension in dimensions:
        found |= {(segment, signal): Sample(x=arm) for segment, arm in candidate.arms(dimension)}
        for segment, arm in replay.arms(dimension):
            found[segment, signal].x0 = arm
    return found
