"""Scored pairs that wait to be counted, by what they have in common.

Counting a pair in nine segments under a handful of labels each takes longer than asking the candidate;
traffic has few kinds of pairs, so labels are looked up once per kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from monitor.records import Arm, Completion


class Kind(NamedTuple):
    """What pairs have in common: segments, result, the signals that fired."""

    segments: tuple[str, ...]
    result: str
    fired: tuple[str, ...]


@dataclass(slots=True)
class Alike:
    """Pairs of one kind: how many, the newest one's id and time, and seconds per arm, in order."""

    pairs: int = 0
    newest: str = ""
    now: float = 0.0
    durations: list[tuple[Arm, float]] = field(default_factory=list)
    firsts: list[tuple[Arm, float]] = field(default_factory=list)

    def add(self, pair_id: str, now: float, timed: Mapping[Arm, Completion]) -> None:
        """One more pair; `timed` are the arms whose latencies may be compared."""
        self.pairs, self.newest, self.now = self.pairs + 1, pair_id, max(self.now, now)
        for role, completion in timed.items():
            if completion.error_type is None and completion.duration_seconds is not None:
                self.durations.append((role, completion.duration_seconds))
                if completion.time_to_first_token_seconds is not None:
                    self.firsts.append((role, completion.time_to_first_token_seconds))


class Waiting:
    """Kinds of pairs in the order in which they came."""

    def __init__(self) -> None:
        self._kinds: dict[Kind, Alike] = {}
        self._pairs = 0

    def __len__(self) -> int:
        return self._pairs

    def add(self, kind: Kind, pair_id: str, now: float, timed: Mapping[Arm, Completion]) -> None:
        """Take one pair."""
        alike = self._kinds.get(kind)
        if alike is None:
            alike = self._kinds[kind] = Alike()
        alike.add(pair_id, now, timed)
        self._pairs += 1

    def taken(self) -> Iterable[tuple[Kind, Alike]]:
        """Everything that waits, which then waits no longer."""
        kinds, self._kinds, self._pairs = self._kinds, {}, 0
        return kinds.items()
