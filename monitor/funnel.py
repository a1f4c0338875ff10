"""Where every eligible request ended: exactly one counted state each. Pure.

    eligible = scored + sum(skipped) + pending

Capture counts what it did not hand over (not sampled, dropped by reason) in cumulative records that
travel in the spool; the monitor counts what it read. Both are committed with the pairs, so the sums
reconcile across restarts of either side.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from monitor.records import Funnel

STAGES = ("read", "sent", "completed", "comparable", "scored")
_SKIP = "skipped:"
_EXCLUDED = "excluded:"


@dataclass(slots=True)
class Tally:
    """The monitor's own counts (`names`) and capture's cumulative ones per stream (`capture`).

    Who settles an exchange holds `lock`, so that nobody else sees it half way.
    """

    names: Counter[str] = field(default_factory=Counter)
    capture: dict[tuple[str, str], int] = field(default_factory=dict)
    in_flight: int = 0
    """Exchanges that were read and are not settled; never committed."""
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def count(self, stage: str, amount: int = 1) -> None:
        """Count a stage of `STAGES` or anything else that only grows."""
        self.names[stage] += amount

    def skip(self, reason: str) -> None:
        """Count the final state of one exchange that will not be scored."""
        self.names[_SKIP + reason] += 1

    def captured(self, stream: str, skipped: Mapping[str, int], excluded: Mapping[str, int]) -> None:
        """Take capture's cumulative counters; an older record never lowers a newer one."""
        named = {**skipped, **{_EXCLUDED + reason: value for reason, value in excluded.items()}}
        for name, value in named.items():
            key = (stream, name)
            self.capture[key] = max(value, self.capture.get(key, 0))

    def funnel(self) -> Funnel:
        """The funnel as of now."""
        with self.lock:
            names, totals, in_flight = Counter(self.names), _totals(self.capture), self.in_flight
        excluded = {
            name.removeprefix(_EXCLUDED): n for name, n in totals.items() if name.startswith(_EXCLUDED)
        }
        before = Counter({name: n for name, n in totals.items() if not name.startswith(_EXCLUDED)})
        own = {name.removeprefix(_SKIP): n for name, n in names.items() if name.startswith(_SKIP)}
        read, scored = names["read"] + in_flight, names["scored"]
        skipped = before + Counter(own)
        return Funnel(
            eligible=read + before.total(),
            sampled=read + before.total() - skipped["not_sampled"],
            sent=names["sent"],
            completed=names["completed"],
            comparable=names["comparable"],
            scored=scored,
            pending=read - scored - sum(own.values()),
            skipped=dict(sorted((+skipped).items())),
            excluded=dict(sorted(excluded.items())),
        )


def _totals(capture: Mapping[tuple[str, str], int]) -> Counter[str]:
    total: Counter[str] = Counter()
    for (_, name), value in capture.items():
        total[name] += value
    return total


def restored(names: Mapping[str, int], capture: Iterable[tuple[str, str, int]]) -> Tally:
    """The tally as committed: rows of `funnel` and of `capture_counters`."""
    return Tally(Counter(dict(names)), {(stream, name): value for stream, name, value in capture})


def reconciles(funnel: Funnel) -> bool:
    """The invariant; a test and a health check hold it."""
    return funnel.eligible == funnel.scored + sum(funnel.skipped.values()) + funnel.pending
