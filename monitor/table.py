"""Names and numbers side by side: the rows of one bank, the block's columns, what people see. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from monitor.detector import Bank
from monitor.noise_floor import Floats
from monitor.records import Segment
from monitor.signals import Level

Key = tuple[Segment, str]
MAX_KNOWN = 50_000


@dataclass(frozen=True, slots=True)
class Event:
    """An alarm was latched or cleared at `time` (event time)."""

    kind: Literal["alarm", "clear"]
    time: float
    segment: Segment
    signal: str
    evidence: float


@dataclass(frozen=True, slots=True)
class Row:
    """One detector as people see it. Counts and sums start at `born`: creation or the last candidate.

    `null` is m, with `two_stream` the allowed drop; `rate` is budget per second, `granted` what came in lumps since `born`; `known`
    counts the replays its floor rests on, those before `born` included; `ready` says that the
    arm it is judged against exists; `references` counts the segment's latency replays (None for
    other signals).
    """

    segment: Segment
    signal: str
    level: Level
    wealth: float
    firing: bool
    since: float
    born: float
    pairs: int
    replays: int
    sum_x: float
    sum_x0: float
    two_stream: bool
    null: float
    rate: float
    granted: float = 0.0
    known: int = 0
    ready: bool = True
    references: int | None = None


@dataclass(frozen=True, slots=True)
class Columns:
    """One pair's signals of one bank, ready to be counted in each of its segments."""

    names: tuple[str, ...]
    nulls: tuple[float, ...]
    bits: tuple[int, ...]
    x: list[float]
    x0: list[float]

    @property
    def mask(self) -> int:
        """All bits together."""
        return sum(self.bits)

    def without(self, seen: int) -> Columns:
        """Less the signals that were counted before."""
        kept = [i for i, bit in enumerate(self.bits) if not seen & bit]
        return Columns(
            tuple(self.names[i] for i in kept),
            tuple(self.nulls[i] for i in kept),
            tuple(self.bits[i] for i in kept),
            [self.x[i] for i in kept],
            [self.x0[i] for i in kept],
        )


class Table:
    """The rows of one bank by name, and the block's columns for it."""

    def __init__(self, *, two_stream: bool) -> None:
        self.bank = Bank(two_stream=two_stream)
        self.keys: list[Key] = []
        self.rows: dict[Key, int] = {}
        self.nulls: list[float] = []
        # Rows of a segment by the signals of a pair: most pairs repeat one of few combinations.
        self._known: dict[tuple[Segment, tuple[str, ...]], list[int]] = {}
        self.clear()

    def clear(self) -> None:
        """Forget the block's columns."""
        self.row: list[int] = []
        self.time: list[float] = []
        self.x: list[float] = []
        self.x0: list[float] = []
        self.latency_nulls: dict[int, float] = {}

    def put(self, key: Key, null: float, time: float, x: float, x0: float) -> int:
        """One observation; returns its row."""
        row = self._row_of(key, null)
        self._extend([row], time, [x], [x0])
        return row

    def put_all(self, segment: Segment, columns: Columns, time: float) -> None:
        """All signals of one pair in one segment."""
        key = (segment, columns.names)
        rows = self._known.get(key)
        if rows is None:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            named = zip(columns.names, columns.nulls, strict=True)
            rows = self._known[key] = [self._row_of((segment, name), null) for name, null in named]
        self._extend(rows, time, columns.x, columns.x0)

    def _row_of(self, key: Key, null: float) -> int:
        """An unknown key becomes a row once the block's newcomers are admitted."""
        row = self.rows.get(key)
        if row is None:
            row = self.rows[key] = len(self.keys)
            self.keys.append(key)
            self.nulls.append(null)
        return row

    def _extend(self, rows: list[int], time: float, x: list[float], x0: list[float]) -> None:
        self.row += rows
        self.time += [time] * len(rows)
        self.x += x
        self.x0 += x0

    @property
    def newcomers(self) -> list[Key]:
        return self.keys[len(self.bank) :]

    def admit(self, time: float, rates: Floats) -> None:
        """Newcomers become rows at zero evidence, paid from `time` on."""
        self.bank.add(np.array(self.nulls[len(self.bank) :]), time, rates)

    def feed(self) -> Iterator[Event]:
        """The block's columns through the bank."""
        if self.latency_nulls:
            rows = np.fromiter(self.latency_nulls, np.int64)
            self.bank.set_nulls(rows, np.fromiter(self.latency_nulls.values(), np.float64))
        times = np.array(self.time)
        found = self.bank.feed(np.array(self.row, np.int64), times, np.array(self.x), np.array(self.x0))
        for crossing in found:
            kind: Literal["alarm", "clear"] = "alarm" if crossing.alarm else "clear"
            segment, signal = self.keys[crossing.row]
            yield Event(kind, float(times[crossing.index]), segment, signal, crossing.evidence)
