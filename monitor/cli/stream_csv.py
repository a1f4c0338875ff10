"""Reading `time,segment,signal,x[,arm]` into columns: a million rows in about a second.

Rows are converted column by column in chunks; only a chunk that does not convert is looked at row by
row, so that a bad row costs itself and is counted with its reason.
"""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

import numpy as np

from monitor.cells import Ints
from monitor.errors import UsageError
from monitor.noise_floor import Floats

CHUNK_ROWS = 65_536
COLUMNS = ("time", "segment", "signal", "x")
ARMS = {"candidate": False, "": False, "replay": True}

Row = Sequence[str]


@dataclass(frozen=True, slots=True)
class Stream:
    """Columns of equal length n in order of time; `rows` indexes `keys`. nan = the other arm's row."""

    keys: list[tuple[str, str]]
    rows: Ints
    times: Floats
    x: Floats
    x0: Floats
    bad: Counter[str]


def read_stream(source: BinaryIO, *, two_stream: bool) -> Stream:
    """All rows of a CSV. Without `two_stream`, replay rows are left out and counted.

    UsageError when a needed column is missing.
    """
    text = io.TextIOWrapper(source, "utf-8-sig", errors="replace", newline="")
    reader = csv.reader(text)
    header = [name.strip().lower() for name in next(reader, [])]
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise UsageError(
            f"the first line must name the columns {','.join(COLUMNS)}[,arm]; missing: {', '.join(missing)}"
        )
    if two_stream and "arm" not in header:
        raise UsageError("--two-stream needs the column arm (candidate or replay)")
    table = _Columns(header, two_stream=two_stream)
    rows = _readable(reader, table.bad)
    while chunk := list(islice(rows, CHUNK_ROWS)):
        table.add(chunk)
    return table.stream()


def _readable(reader: Iterator[Row], bad: Counter[str]) -> Iterator[Row]:
    """Rows of the reader; a line that is no CSV (a NUL, a field beyond 128 KiB) is counted."""
    while True:
        try:
            yield from reader
        except csv.Error:
            bad["not CSV"] += 1
        else:
            return


class _Columns:
    """Chunks as they were converted."""

    def __init__(self, header: Sequence[str], *, two_stream: bool) -> None:
        self._at = [header.index(name) for name in COLUMNS]
        self._arm = header.index("arm") if "arm" in header else None
        self._width = max(self._at) + 1
        self._two_stream = two_stream
        self._numbers: dict[tuple[str, str], int] = {}
        self._parts: list[tuple[Ints, Floats, Floats, Floats]] = []
        self.bad: Counter[str] = Counter()

    def add(self, chunk: list[Row]) -> None:
        """One chunk; the fast way when every row is good."""
        if not self._good(chunk):
            chunk = [row for row in map(self._padded, chunk) if self._keep(row)]
        if chunk:
            self._parts.append(self._convert(chunk))

    def stream(self) -> Stream:
        """Everything so far."""
        none = (np.zeros(0, np.int64), np.zeros(0), np.zeros(0), np.zeros(0))
        rows, times, x, x0 = (np.concatenate(column) for column in zip(none, *self._parts, strict=True))
        order = np.argsort(times, kind="stable")  # files are often written segment by segment
        return Stream(list(self._numbers), rows[order], times[order], x[order], x0[order], self.bad)

    def _good(self, chunk: list[Row]) -> bool:
        try:
            columns = [[row[at] for row in chunk] for at in self._at]
            times, x = np.array(columns[0], np.float64), np.array(columns[3], np.float64)
            arms = set() if self._arm is None else {row[self._arm] for row in chunk}
        except (ValueError, IndexError):
            return False
        named = all(columns[1]) and all(columns[2])
        return bool(
            named
            and np.isfinite(times).all()
            and ((x >= 0) & (x <= 1)).all()
            and arms <= self._allowed_arms()
        )

    def _allowed_arms(self) -> set[str]:
        return {arm for arm, replay in ARMS.items() if self._two_stream or not replay}

    def _padded(self, row: Row) -> Row:
        """A row that ends before `arm` is the candidate's."""
        return [*row, ""] if row and self._arm is not None and len(row) == self._arm else row

    def _keep(self, row: Row) -> bool:
        reason = self._fault(row)
        if reason is not None:
            self.bad[reason] += 1
        return reason is None

    def _fault(self, row: Row) -> str | None:
        """Why a row cannot be used."""
        if not row:
            return "empty line"
        if len(row) < max(self._width, (self._arm or 0) + 1):
            return "too few columns"
        time, segment, signal, x = (row[at] for at in self._at)
        if not segment or not signal:
            return "no segment or signal"
        if not math.isfinite(_number(time)):
            return "time is not a number"
        if not 0 <= _number(x) <= 1:
            return "x is not a number in [0, 1]"
        return None if self._arm is None else self._arm_fault(row[self._arm])

    def _arm_fault(self, arm: str) -> str | None:
        if arm not in ARMS:
            return "arm is neither candidate nor replay"
        return "replay row without --two-stream" if ARMS[arm] and not self._two_stream else None

    def _convert(self, chunk: list[Row]) -> tuple[Ints, Floats, Floats, Floats]:
        at_time, at_segment, at_signal, at_x = self._at
        numbers = self._numbers
        rows = [numbers.setdefault((row[at_segment], row[at_signal]), len(numbers)) for row in chunk]
        times = np.array([row[at_time] for row in chunk], np.float64)
        x = np.array([row[at_x] for row in chunk], np.float64)
        replay = np.zeros(len(chunk), np.bool_)
        if self._arm is not None:
            replay = np.array([ARMS[row[self._arm]] for row in chunk], np.bool_)
        nan = np.full(len(chunk), np.nan)
        return np.array(rows, np.int64), times, np.where(replay, nan, x), np.where(replay, x, nan)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
