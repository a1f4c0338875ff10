"""One observation per (segment, signal, key, hour): repeats are counted, never bet on.

A retried, resumed or copied request is the same evidence twice. The bound on false alarms needs the
mean of the next score given the past to stay below the null, and a repeat of a bad score breaks it
(a burst of eight turns one false alarm a week into thousands). First of the hour wins; hours are
those of event time. Pure; memory is bounded, and taken at once: three megabytes that do not grow with the hour.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any

HOUR = 3600.0
# Two keys per pair: the last 30,000 to 60,000 pairs, an hour of 8 to 17 per second.
MAX_KEYS = 120_000

Entries = tuple[tuple[tuple[str, ...], int], ...]
"""Segments and the mask of what they have counted."""

_NONE: Mapping[str, int] = {}


class _Keys:
    """Entries by 64-bit digest, in flat arrays with linear probing: no object per key, never more than half full.

    Nearly all keys share their entries with others, so a key holds the number of its own.
    """

    def __init__(self, limit: int) -> None:
        slots = 1 << (2 * limit).bit_length()
        self._mask = slots - 1
        self._digests = array("Q", bytes(8 * slots))
        self._places = array("I", bytes(4 * slots))  # 0 = free, else behind the entry's index
        self._entries: list[Entries] = []
        self._index: dict[Entries, int] = {}
        self.count = 0

    def _slot(self, digest: int) -> int:
        slot = digest & self._mask
        while self._places[slot] and self._digests[slot] != digest:
            slot = (slot + 1) & self._mask
        return slot

    def get(self, digest: int) -> Entries | None:
        place = self._places[self._slot(digest)]
        return self._entries[place - 1] if place else None

    def put(self, digest: int, entries: Entries) -> None:
        slot = self._slot(digest)
        self.count += not self._places[slot]
        index = self._index.setdefault(entries, len(self._entries))
        if index == len(self._entries):
            self._entries.append(entries)
        self._digests[slot], self._places[slot] = digest, index + 1

    def items(self) -> Iterator[tuple[int, Entries]]:
        for digest, place in zip(self._digests, self._places, strict=True):
            if place:
                yield digest, self._entries[place - 1]


class Repeats:
    """Which (segment, signal) pairs each key has already counted for in this hour.

    Signals are bits of a mask. Repeats of one key nearly always carry the same segments, so a key
    holds one (segments, mask) entry and only rarely a second. Keys live in two generations of half of `limit`: where the
    younger is full, the elder is forgotten and counted.
    """

    def __init__(self, limit: int = MAX_KEYS) -> None:
        self._half = max(1, limit // 2)
        self.hour = 0
        self.forgotten = 0
        self._young, self._old = _Keys(self._half), _Keys(0)

    def __len__(self) -> int:
        return self._young.count + self._old.count

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
            self._young, self._old = _Keys(self._half), _Keys(0)
            self.hour = hour
        digest = _digest(key)
        entries = self._young.get(digest) or self._old.get(digest)
        if entries is None:
            self._remember(digest, ((segments, mask),))
            return _NONE
        before = {segment: _union(entries, segment) for segment in segments}
        if any(mask & ~seen for seen in before.values()):
            self._remember(digest, (*entries, (segments, mask)))
        return before

    def _remember(self, digest: int, entries: Entries) -> None:
        if self._young.count >= self._half:
            self.forgotten += self._old.count
            self._young, self._old = _Keys(self._half), self._young
        self._young.put(digest, entries)

    def dump(self) -> dict[str, Any]:
        """JSON-able state."""
        generations = {"old": sorted(self._old.items()), "young": sorted(self._young.items())}
        return {"hour": self.hour, "forgotten": self.forgotten, **generations}

    def load(self, state: Mapping[str, Any]) -> None:
        """The inverse of `dump`."""
        self.hour, self.forgotten = state["hour"], state["forgotten"]
        self._young, self._old = _Keys(self._half), _Keys(self._half)
        for generation, name in ((self._old, "old"), (self._young, "young")):
            for digest, entries in state.get(name, ()):
                generation.put(digest, tuple((tuple(segments), mask) for segments, mask in entries))


def _digest(key: str) -> int:
    """Of 120,000 keys two share one with a chance of one in a billion."""
    return int.from_bytes(blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _union(entries: Sequence[tuple[tuple[str, ...], int]], segment: str) -> int:
    seen = 0
    for segments, mask in entries:
        if segment in segments:
            seen |= mask
    return seen
