"""What people see beside the evidence: rates per arm with confidence sequences, shown signals included.

Display only, never a decision: the detectors decide (evidence.py). One sequence per (segment,
signal) for x, one for the reference x0; their difference is bounded by both at half the error each.
Starts at the last candidate change. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from monitor.betting import FRESH, mean_bounds, observe
from monitor.records import Segment
from monitor.signals import SIGNALS

Key = tuple[Segment, str]
Floats = npt.NDArray[np.float64]
ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Shown:
    """One row's numbers; rates in [0, 1], None where nothing was measured."""

    pairs: int
    replays: int
    baseline: float | None
    candidate: float | None
    floor: float | None
    effect: float | None
    lower: float | None
    upper: float | None


class Measured(NamedTuple):
    """One score in all its segments: x, x0 (None without a replay) and what each arm measured."""

    segments: tuple[Segment, ...]
    signal: str
    x: float
    x0: float | None = None
    baseline: float | None = None
    candidate: float | None = None


class Means:
    """Confidence sequences of all (segment, signal), grown as they are met."""

    def __init__(self) -> None:
        self._index: dict[Key, int] = {}
        self._x = np.empty((0, len(FRESH)))
        self._x0 = np.empty((0, len(FRESH)))
        self._arms = np.empty((0, 4))  # sums and counts: baseline, candidate

    def __len__(self) -> int:
        return len(self._index)

    def keys(self) -> list[Key]:
        """All (segment, signal) that were measured."""
        return list(self._index)

    def arrays(self) -> dict[str, Floats]:
        """The state as arrays, rows in the order of `keys`."""
        size = len(self)
        return {"x": self._x[:size], "x0": self._x0[:size], "arms": self._arms[:size]}

    @classmethod
    def of(cls, keys: Iterable[Key], arrays: Mapping[str, Floats]) -> Means:
        """The inverse of `keys` and `arrays`."""
        made = cls()
        made._index = {key: row for row, key in enumerate(keys)}
        made._x, made._x0, made._arms = arrays["x"], arrays["x0"], arrays["arms"]
        return made

    def clear(self) -> None:
        """A new candidate: everything starts again."""
        self.__init__()  # type: ignore[misc]  # the same empty state, said once

    def add(self, scores: Iterable[Measured]) -> None:
        """Scores in log order."""
        found = list(scores)
        if not found:
            return
        places, signals, *columns = zip(*found, strict=True)
        named = zip(places, signals, strict=True)
        rows = np.array([self._row((segment, signal)) for place, signal in named for segment in place])
        times = [len(place) for place in places]
        x, x0, baseline, candidate = (np.repeat(_numbers(column), times) for column in columns)
        self._grow()
        replayed = ~np.isnan(x0)
        self._x = observe(self._x, rows, x, ALPHA / 2)
        if replayed.any():
            self._x0 = observe(self._x0, rows[replayed], x0[replayed], ALPHA / 2)
        for column, values in ((0, baseline), (2, candidate)):
            known = ~np.isnan(values)
            np.add.at(self._arms[:, column], rows[known], values[known])
            np.add.at(self._arms[:, column + 1], rows[known], 1.0)

    def _row(self, key: Key) -> int:
        return self._index.setdefault(key, len(self._index))

    def _grow(self) -> None:
        missing = len(self._index) - len(self._x)
        if missing > 0:
            # Doubling: one copy per growth, not per segment.
            extra = max(missing, len(self._x))
            self._x = np.vstack([self._x, np.zeros((extra, len(FRESH)))])
            self._x0 = np.vstack([self._x0, np.zeros((extra, len(FRESH)))])
            self._arms = np.vstack([self._arms, np.zeros((extra, 4))])

    def shown(self) -> dict[Key, Shown]:
        """The numbers of every (segment, signal)."""
        size = len(self)
        x, x0 = self._x[:size], self._x0[:size]
        # As lists: thousands of numbers taken from an array one by one cost ten times as much.
        columns = zip(
            self._index, x[:, 0].tolist(), _ratios(x[:, 1], x[:, 0]), _ratios(self._arms[:size, 0], self._arms[:size, 1]),
            _ratios(self._arms[:size, 2], self._arms[:size, 3]), x0[:, 0].tolist(), _ratios(x0[:, 1], x0[:, 0]),
            *(bound.tolist() for each in (x, x0) for bound in mean_bounds(each, ALPHA / 2)), strict=True,
        )  # fmt: skip
        return {
            key: Shown(
                int(pairs), int(replays), baseline, mean if candidate is None else candidate, floor,
                *_excess(key[1], mean, floor, (lower, upper), (lower0, upper0)),
            )
            for key, pairs, mean, baseline, candidate, replays, floor, lower, upper, lower0, upper0 in columns
        }  # fmt: skip


def _ratios(sums: Floats, counts: Floats) -> list[float | None]:
    """Means, None where nothing was counted."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = sums / counts
    return [mean if count else None for mean, count in zip(found.tolist(), counts.tolist(), strict=True)]


def _numbers(values: Sequence[float | None]) -> Floats:
    """As an array, nan for None."""
    return np.array(values, np.float64)


def _excess(
    signal: str,
    mean: float | None,
    floor: float | None,
    bounds: tuple[float, float],
    reference: tuple[float, float],
) -> tuple[float | None, float | None, float | None]:
    """Candidate's excess with its bounds: over the floor where the signal has one and it is known."""
    if mean is None:
        return None, None, None
    null = SIGNALS[signal].null
    if null == "affine":  # x = (1 + gap) / 2
        return 2 * mean - 1, 2 * bounds[0] - 1, 2 * bounds[1] - 1
    if null in {"flip", "agreement", "none"} and floor is not None:
        return mean - floor, bounds[0] - reference[1], bounds[1] - reference[0]
    return mean, bounds[0], bounds[1]
