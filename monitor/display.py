"""What is shown beside the evidence since the last candidate change: counts, rates, examples. Pure.

Travels in the evidence's snapshot, so that a restarted monitor shows what the one before it showed.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from monitor.means import Key, Means, Measured
from monitor.records import Score, Segment
from monitor.snapshot import pack, unpack

EXAMPLES = 5
FIRED = 0.5
UNHEALTHY = "baseline_"
"""Prefix of flags that say the baseline's own answer was unfit: agreeing with a loop proves nothing."""


@dataclass(frozen=True, slots=True)
class ShownPair:
    """One scored pair as far as the display cares."""

    id: str
    segments: tuple[Segment, ...]
    scores: tuple[Score, ...]
    references: Mapping[str, float]
    flags: tuple[str, ...]
    replayed: bool


@dataclass(slots=True)
class Display:
    """Grows with every block; emptied by a new candidate."""

    means: Means = field(default_factory=Means)
    counts: Counter[Segment] = field(default_factory=Counter)
    illness: Counter[tuple[Segment, str]] = field(default_factory=Counter)
    examples: dict[Key, deque[str]] = field(default_factory=dict)
    replayed: int = 0
    since: float | None = None
    first_seq: int = 0

    def add(self, pairs: Iterable[ShownPair]) -> None:
        """Pairs of one block, in log order."""
        measured: list[Measured] = []
        for pair in pairs:
            self.counts.update(pair.segments)
            self.replayed += pair.replayed
            self.illness.update((segment, ill) for segment in pair.segments for ill in _ills(pair.flags))
            measured += (self._measured(pair, score) for score in pair.scores)
        self.means.add(measured)

    def _measured(self, pair: ShownPair, score: Score) -> Measured:
        if score.value >= FIRED:
            for segment in pair.segments:
                self._example((segment, score.signal), pair.id)
        x0 = pair.references.get(score.signal)
        return Measured(pair.segments, score.signal, score.value, x0, score.baseline, score.candidate)

    def _example(self, key: Key, pair_id: str) -> None:
        self.examples.setdefault(key, deque(maxlen=EXAMPLES)).append(pair_id)

    def labelled(self, measured: Iterable[Measured], lost: Iterable[tuple[Key, str]]) -> None:
        """Labels that came after their pairs, with examples of what was lost."""
        self.means.add(measured)
        for key, pair_id in lost:
            self._example(key, pair_id)

    def forget(self, ids: Collection[str]) -> None:
        """Show these pairs no more; what they counted for stays counted."""
        for key, kept in self.examples.items():
            self.examples[key] = deque((i for i in kept if i not in ids), EXAMPLES)

    def restart(self, since: float, first_seq: int) -> None:
        """A new candidate: counting starts again."""
        self.means.clear()
        self.counts.clear()
        self.illness.clear()
        self.examples.clear()
        self.replayed, self.since, self.first_seq = 0, since, first_seq

    def dump(self) -> bytes:
        """Everything, as bytes for the snapshot."""
        header = {
            "counts": list(self.counts.items()),
            "illness": [[*key, count] for key, count in self.illness.items()],
            "examples": [[*key, list(ids)] for key, ids in self.examples.items()],
            "numbers": [self.replayed, self.since, self.first_seq],
            "keys": self.means.keys(),
        }
        return pack(header, self.means.arrays())

    @classmethod
    def load(cls, blob: bytes) -> Display:
        """The inverse of `dump`."""
        header, arrays = unpack(blob)
        replayed, since, first_seq = header["numbers"]
        return cls(
            means=Means.of(_keys(header["keys"]), arrays),
            counts=Counter({Segment(segment): count for segment, count in header["counts"]}),
            illness=Counter({(Segment(segment), ill): count for segment, ill, count in header["illness"]}),
            examples={(Segment(s), signal): deque(ids, EXAMPLES) for s, signal, ids in header["examples"]},
            replayed=replayed,
            since=since,
            first_seq=first_seq,
        )


def _keys(pairs: Iterable[Any]) -> list[Key]:
    return [(Segment(segment), signal) for segment, signal in pairs]


def _ills(flags: Iterable[str]) -> list[str]:
    return [flag.removeprefix(UNHEALTHY) for flag in flags if flag.startswith(UNHEALTHY)]
