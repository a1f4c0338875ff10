"""One observation per (segment, signal, key, hour): repeats are counted, never bet on.

A retried, resumed or copied request is the same evidence twice. The bound on false alarms needs the
mean of the next score given the past to stay below the null, and a repeat of a bad score breaks it
(a burst of eight turns one false alarm a week into thousands). First of the hour wins; hours are
those of event time. Pure; bounded memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

HOUR = 3600.0
# About 15 MB; two keys per pair, hence an hour of 17 pairs per second.
MAX_KEYS = 120_000

Entries = tuple[tuple[tuple[str, ...], int], ...]
"""Segments and the mask of what they have counted."""

_NONE: Mapping[str, int] = {}


class Repeats:
    """Which (segment, signal) pairs each key has already counted for in this hour.

    Signals are bits of a mask. Repeats of one key nearly always carry the same segments, so a key
    holds one (segments, mask) entry and only rarely a second, and shares it with most other keys.
    Beyond `limit` keys the oldest are forgotten and counted.
    """

    def __init__(self, limit: int = MAX_KEYS) -> None:
        self.limit = limit
        self.hour = 0
        self.forgotten = 0
        self._seen: dict[str, Entries] = {}
        self._shared: dict[Entries, Entries] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def counted(
        self, time: float, key: str | None, segments: tuple[str, ...], mask: int
    ) -> Mapping[str, int]:
        """Mask per segment of what was already counted, and count `mask` from now on.

        `key` None is never a repeat. `time` must not run backwards.
        """
        if key is None:
            return _NONE
        hour = int(time // HOUR)
        if hour != self.hour:
            self._seen.clear()
            self._shared.clear()
            self.hour = hour
        entries = self._seen.get(key)
        if entries is None:
            self._remember(key, segments, mask)
            return _NONE
        before = {segment: _union(entries, segment) for segment in segments}
        if any(mask & ~seen for seen in before.values()):
            self._seen[key] = self._same((*entries, (segments, mask)))
        return before

    def _remember(self, key: str, segments: tuple[str, ...], mask: int) -> None:
        if len(self._seen) >= self.limit:
            del self._seen[next(iter(self._seen))]
            self.forgotten += 1
        self._seen[key] = self._same(((segments, mask),))

    def _same(self, entries: Entries) -> Entries:
        """One tuple for equal ones. Sharing starts anew at the limit: keys that are forgotten leave theirs behind."""
        if len(self._shared) >= self.limit:
            self._shared.clear()
        return self._shared.setdefault(entries, entries)

    def dump(self) -> dict[str, Any]:
        """JSON-able state."""
        return {"hour": self.hour, "forgotten": self.forgotten, "seen": list(self._seen.items())}

    def load(self, state: Mapping[str, Any]) -> None:
        """The inverse of `dump`."""
        self.hour, self.forgotten = state["hour"], state["forgotten"]
        self._seen = {
            key: self._same(tuple((tuple(s), mask) for s, mask in entries)) for key, entries in state["seen"]
        }


def _union(entries: Sequence[tuple[tuple[str, ...], int]], segment: str) -> int:
    seen = 0
    for segments, mask in entries:
        if segment in segments:
            seen |= mask
    return seen
