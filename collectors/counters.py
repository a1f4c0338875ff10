"""The capture process's counts, in anonymous memory that parent, workers and admin share.

One page per worker, written by that worker alone (its loop and its writer thread touch different
cells), read by everybody; one page for the switches. Anonymous and never file-backed: a page under
writeback can stall the writer of a mapped file, and a full disk would be SIGBUS in the data path.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence

# A request that was parsed ends in exactly one of EXCLUDED, not_sampled, sampled.
EXCLUDED = ("endpoint_unsupported", "marked")
# A sampled request that is not written ends in exactly one of these.
DROPPED = (
    "no_log",
    "thinned",
    "in_flight_full",
    "queue_full",
    "memory_full",
    "too_large",
    "pipelined",
    "ambiguous",
    "upgrade",
    "unparseable",
    "request_incomplete",
    "observer_error",
    "shutdown",
    "spool_full",
    "spool_error",
    "worker_died",
)
# What only the other ways in can say (`tailgate collect`): the data path's budget of series is without them.
EXCLUDED_ELSEWHERE = ("not_genai", "not_an_exchange")
DROPPED_ELSEWHERE = ("no_content", "unsupported_content", "unreadable", "cut_off", "packets_lost")
EVERY_EXCLUDED = EXCLUDED + EXCLUDED_ELSEWHERE
EVERY_DROPPED = DROPPED + DROPPED_ELSEWHERE
# A connection that is forwarded without being followed.
UNOBSERVED = (
    "unparseable",
    "h2",
    "tunnel",
    "pipelined",
    "head_too_large",
    "unsolicited_response",
    "observer_error",
    "packets_lost",
)
UPSTREAM_ERRORS = (
    "refused",
    "timeout",
    "unresolved",
    "certificate",
    "tls",
    "unreachable",
    "reset",
    "closed_early",
    "rewrite_out_of_sync",
)
GAUGES = ("in_flight", "queue_items", "queue_bytes", "connections", "spool_bytes", "heartbeat")
# Seconds; corpora of proxies put their own time between 0.1 and 50 ms.
OVERHEAD_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05)

_NAMES = (
    "not_sampled",
    "sampled",
    "written",
    "unkeyed",
    "captured_bytes",
    "restarts",
    "overhead_sum_ns",
    *(f"excluded:{name}" for name in EVERY_EXCLUDED),
    *(f"dropped:{name}" for name in EVERY_DROPPED),
    *(f"unobserved:{name}" for name in UNOBSERVED),
    *(f"upstream:{name}" for name in UPSTREAM_ERRORS),
    *(f"gauge:{name}" for name in GAUGES),
    *(f"overhead:{i}" for i in range(len(OVERHEAD_BUCKETS) + 1)),
)
CELL = {name: index for index, name in enumerate(_NAMES)}
_PAGE = 4096
_CELLS = _PAGE // 8


class Board:
    """Shared counts of all workers and the sampling fraction (the kill switch)."""

    def __init__(self, workers: int, fraction: float) -> None:
        self._memory = mmap.mmap(-1, _PAGE * (workers + 1))
        self._view = memoryview(self._memory)
        self.pages = tuple(self._page(1 + i).cast("Q") for i in range(workers))
        self.switches = self._page(0).cast("d")
        self.switches[0] = fraction

    def _page(self, index: int) -> memoryview:
        return self._view[index * _PAGE : index * _PAGE + len(CELL) * 8]

    @property
    def fraction(self) -> float:
        """The sampling fraction in force; 0 switches mirroring off, boosts included."""
        return self.switches[0]

    @fraction.setter
    def fraction(self, value: float) -> None:
        self.switches[0] = value

    def total(self, name: str) -> int:
        """Sum of one cell over the workers."""
        index = CELL[name]
        return sum(page[index] for page in self.pages)


def by_reason(cells: Sequence[int], base: Sequence[int], group: str, names: Sequence[str]) -> dict[str, int]:
    """The non-zero counts of one group since `base`."""
    counts = {name: cells[CELL[f"{group}:{name}"]] - base[CELL[f"{group}:{name}"]] for name in names}
    return {name: count for name, count in counts.items() if count}
