"""What of a stream is settled, as ranges of positions: the same record twice is one record. Pure.

A position is where a frame of the spool ends: (segment, offset, captures so far). It orders the frames of
one stream and is the same each time the stream is read, so it names a record whoever sends it, however
often and in whatever order.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

Point = tuple[int, int, int]
"""Segment, offset behind the frame, number of captures up to there."""
START: Point = (0, 0, 0)


class Ranges:
    """Disjoint, ascending (after, upto]; a stream that is read in order is one range."""

    def __init__(self, ranges: Iterable[tuple[Point, Point]] = ()) -> None:
        self._ranges = list(ranges)

    def __contains__(self, place: Point) -> bool:
        """Whether the record that ends at `place` is settled."""
        index = bisect_left(self._ranges, place, key=_upto)
        return index < len(self._ranges) and self._ranges[index][0] < place

    def __iter__(self) -> Iterator[tuple[Point, Point]]:
        return iter(self._ranges)

    def __len__(self) -> int:
        return len(self._ranges)

    def add(self, after: Point, upto: Point) -> None:
        """Settle what lies behind `after` up to `upto`; neighbours join."""
        first = bisect_left(self._ranges, after, key=_upto)
        last = first
        while last < len(self._ranges) and self._ranges[last][0] <= upto:
            last += 1
        joined = [(after, upto), *self._ranges[first:last]]
        self._ranges[first:last] = [(min(a for a, _ in joined), max(b for _, b in joined))]

    def missing(self, first: int, last: int) -> int:
        """How many of the captures numbered `first` to `last` are not settled."""
        settled = (min(last, upto[2]) - max(first - 1, after[2]) for after, upto in self._ranges)
        return last - first + 1 - sum(max(0, count) for count in settled)

    def resume(self) -> Point:
        """Where to read on: nothing behind it is settled without what lies before."""
        return self._ranges[0][1] if self._ranges else START

    def merged(self, other: Ranges) -> Ranges:
        """What either knows."""
        union = Ranges(self._ranges)
        for after, upto in other._ranges:
            union.add(after, upto)
        return union

    def dump(self) -> str:
        """As JSON."""
        return json.dumps(self._ranges, separators=(",", ":"))

    @classmethod
    def load(cls, text: str) -> Ranges:
        """The inverse of `dump`; the one position that a monitor without Kafka commits is a range, too."""
        found = json.loads(text)
        if found and isinstance(found[0], int):
            return cls([(START, _place(found))])
        return cls([(_place(after), _place(upto)) for after, upto in found])


def _upto(item: tuple[Point, Point]) -> Point:
    return item[1]


def _place(values: Sequence[int]) -> Point:
    segment, offset, number = values
    return int(segment), int(offset), int(number)
