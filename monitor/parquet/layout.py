"""Names of exported files. Pure.

    pairs/route=default/day=2026-11-22/<store>-<first seq>-<last seq>.parquet
    scores/…                the same names; written first, so that a pairs file always finds its scores
    events|labels|candidates|stores/route=default/<store>.parquet      whole, replaced at each export
    erased/<subject key>-<UNIX seconds>                                a request to forget

A file belongs to the store that wrote it: no two processes ever write one name. Its range of sequence
numbers is never used again, so a file whose range lies inside another's of the same store and day is
superseded: by its compaction, or by the export that a crash cut short and that was repeated.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, NamedTuple

RANGED: Final = ("pairs", "scores")
WHOLE: Final = ("events", "labels", "candidates", "stores")
HOUR, DAY = 3600, 86_400
_PART = re.compile(
    r"(?:pairs|scores)/route=(?P<route>[^/]+)/day=(?P<day>\d{4}-\d{2}-\d{2})/"
    r"(?P<store>[0-9a-f]+)-(?P<first>\d+)-(?P<last>\d+)\.parquet"
)
_ERASED = re.compile(r"erased/(?P<key>[0-9a-f]+)-(?P<at>\d+)")


class Part(NamedTuple):
    """The rows `first` to `last` of one store that were received on one day (UTC)."""

    route: str
    day: str
    store: str
    first: int
    last: int

    def name(self, table: str) -> str:
        """Where the part's rows of `table` lie."""
        file = f"{self.store}-{self.first:012d}-{self.last:012d}.parquet"
        return f"{table}/route={self.route}/day={self.day}/{file}"

    def covers(self, other: Part) -> bool:
        """Whether `other` is superseded by this part."""
        return (
            self != other
            and (self.route, self.day, self.store) == (other.route, other.day, other.store)
            and self.first <= other.first
            and other.last <= self.last
        )


class Erasure(NamedTuple):
    """Forget the subject behind `key` in everything received up to UNIX time `at`."""

    key: str
    at: int

    @property
    def name(self) -> str:
        return f"erased/{self.key}-{self.at}"


def whole_name(table: str, route: str, store: str) -> str:
    """Where a table that is exported whole lies."""
    return f"{table}/route={route}/{store}.parquet"


def parts(names: Iterable[str]) -> list[Part]:
    """The parts among `names`, ordered; other files are left alone."""
    found = (_PART.fullmatch(name) for name in names)
    return sorted(
        {Part(m["route"], m["day"], m["store"], int(m["first"]), int(m["last"])) for m in found if m}
    )


def erasures(names: Iterable[str]) -> list[Erasure]:
    """The requests to forget among `names`."""
    found = (_ERASED.fullmatch(name) for name in names)
    return sorted(Erasure(m["key"], int(m["at"])) for m in found if m)


def standing(found: Iterable[Part]) -> tuple[list[Part], list[Part]]:
    """Parts that count and parts that are superseded by one of those, both ordered."""
    counting: list[Part] = []
    superseded: list[Part] = []
    # By store and day the widest part comes first among those that begin alike.
    for part in sorted(found, key=lambda p: (*p[:3], p.first, -p.last)):
        covered = bool(counting) and counting[-1].covers(part)
        (superseded if covered else counting).append(part)
    return counting, superseded


def day_of(at: float) -> str:
    """The day of a UNIX time, UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


def start_of(day: str) -> float:
    """When a day began, UNIX seconds."""
    return datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()


def closed_until(newest: float, now: float, unit: int, patience: float) -> float:
    """Start of the oldest hour or day (`unit` seconds) that may still get rows.

    Event time never runs backwards, so a row received after a period closes it. `patience` seconds after
    its end an idle period is closed as well; what should still come is exported as a part of its own.
    """
    return max(newest // unit, (now - patience) // unit) * unit
