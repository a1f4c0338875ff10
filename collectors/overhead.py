"""What the sidecar added to requests, as a histogram. Pure.

Counted in a list and moved to the shared board now and then, which is cheaper per request.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from collectors.counters import CELL, OVERHEAD_BUCKETS

_BOUNDS_NS: Final = tuple(round(bound * 1e9) for bound in OVERHEAD_BUCKETS)
_FIRST, _SUM = CELL["overhead:0"], CELL["overhead_sum_ns"]


class Overhead:
    """From the read of a request's head until it was on its way to the upstream; nanoseconds."""

    __slots__ = ("_counts", "_total")

    def __init__(self) -> None:
        self._counts = [0] * (len(_BOUNDS_NS) + 1)
        self._total = 0

    def spent(self, nanoseconds: int) -> None:
        """Count one request."""
        self._counts[bisect_left(_BOUNDS_NS, nanoseconds)] += 1
        self._total += nanoseconds

    def publish(self, cells: memoryview[int]) -> None:
        """Move what was counted to the board."""
        for index, count in enumerate(self._counts):
            cells[_FIRST + index] += count
            self._counts[index] = 0
        cells[_SUM] += self._total
        self._total = 0
