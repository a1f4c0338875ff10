"""What the evidence engine reads: one scored pair as numbers, and how a log is cut into blocks. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from monitor.detector import BLOCK_SCORES, BLOCK_SECONDS
from monitor.latency import Legs
from monitor.records import ALL, Segment


@dataclass(frozen=True, slots=True)
class Observation:
    """What one scored pair says. Scores are in [0, 1], 1 = bad; times are UNIX seconds.

    `scores` maps signals to x, `references` to x0 (the replay in the candidate's place), `latencies`
    `latency` and `ttft` to the seconds of candidate and replay. `segments` are all the pair belongs
    to, `all` included. `conversation` names one turn of one session, `prompt` the prompt: keys under
    which repeats within an hour are one observation; None = never a repeat.
    """

    time: float
    segments: tuple[Segment, ...]
    scores: Mapping[str, float]
    references: Mapping[str, float] = field(default_factory=dict)
    latencies: Mapping[str, Legs] = field(default_factory=dict)
    conversation: str | None = None
    prompt: str | None = None


def cut(observations: Iterable[Observation]) -> Iterator[list[Observation]]:
    """Blocks of a log: at most 256 observations, within one whole second of (monotone) event time."""
    block: list[Observation] = []
    now, start = float("-inf"), 0.0
    for observation in observations:
        now = max(now, observation.time)
        second = now // BLOCK_SECONDS
        if block and (len(block) >= BLOCK_SCORES or second != start):
            yield block
            block = []
        start = second
        block.append(observation)
    if block:
        yield block


def parents_of(segment: Segment) -> tuple[Segment, ...]:
    """Segments that contain it, nearest first: `a=1,b=2` lies in `a=1`, `b=2` and `all`."""
    if segment == ALL:
        return ()
    parts = segment.split(",")
    return (*(Segment(part) for part in parts if len(parts) > 1), ALL)
