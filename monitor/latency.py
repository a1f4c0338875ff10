"""Latency as rare events: how often is the candidate slower than the replay's quantile allows?

Per segment and measurement (`latency` = duration, `ttft`), four rungs p50, p90, p95, p99. From the
replays (same client, pool and clock, interleaved with the candidate's requests) comes a quantile q
(first half of them) and, on the other half, an upper confidence bound m on the share of replays
beyond q (Clopper-Pearson). The signal is x = 1 where the candidate exceeds max(1.2 q, q + 50 ms),
tested against m: "at most 1.2 times as slow". Bounding the share beyond a fixed threshold, never the
quantile itself, keeps heavy tails harmless: with 2,000 Pareto times the upper bound on p99 is twice
the p99, the bound on its share 0.016.

A rank test such as Mann-Whitney is blind to the tail (a p99 four times worse with an unchanged
median); the rungs are not. A p99 that is 1.5 times worse needs about 100 tail calls to be seen:
below some 10,000 exchanges look at p90 and p95.

A segment with fewer than 200 replays may borrow its parent's q, but never its m: what share of the
*segment's* replays lies beyond a borrowed q is counted in the segment (from 30 on). Before that p50
is judged pair by pair: x = 1 where the candidate exceeds the same limit on its own replay, m = 1/2.

m is estimated at replay counts 200, 400, ... fixed beforehand, each time at half the error rate left.
Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from monitor.intervals import rate_at_most
from monitor.records import Completion, Pair
from monitor.signals import RUNGS

QUANTILES = (0.5, 0.9, 0.95, 0.99)
FACTOR, FLOOR_SECONDS = 1.2, 0.05
FIRST_FIT, LAST_FIT = 200, 1600
BORROWED_FROM = 30
# One-off chance that an m is too low, over four rungs and some 300 segments together.
ERROR_RATE = 0.05 / (len(RUNGS) * 300)
# Beyond it a one-word answer's jitter would be blown up to a whole answer's duration.
LENGTH_RATIO = 4.0
# These end a slow answer rather than refuse a request: the latency is "longer than we waited".
ENDLESS = frozenset({"timeout", "reset", "truncated_stream"})

Legs = tuple[float | None, float | None]
"""Candidate's and replay's seconds on one pair; None where that leg has none."""


def limit(seconds: float) -> float:
    """The slowest candidate that `seconds` of the baseline still allow."""
    return max(FACTOR * seconds, seconds + FLOOR_SECONDS)


class Outcome(NamedTuple):
    """x per rung that applies, with the m that it is tested against."""

    rung: str
    x: float
    null: float


@dataclass(slots=True)
class Tail:
    """How many replays lie beyond fixed quantiles, and the bound on their share."""

    quantiles: tuple[float, ...]
    next_look: int
    n: int = 0
    beyond: list[int] = field(default_factory=lambda: [0] * len(RUNGS))
    nulls: tuple[float, ...] | None = None

    def add(self, seconds: float) -> None:
        self.n += 1
        for rung, quantile in enumerate(self.quantiles):
            self.beyond[rung] += seconds > quantile

    def look(self, error_rate: float) -> None:
        """Estimate m; the next look is at twice as many replays."""
        self.nulls = tuple(rate_at_most(k, self.n, error_rate) for k in self.beyond)
        self.next_look = 2 * self.n


class Reference:
    """The replays of one (segment, measurement). Holds at most 1,600 times, later only counts."""

    __slots__ = ("_looks", "replays", "seconds", "tail")

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.replays = 0
        self.tail: Tail | None = None
        self._looks = 0

    @property
    def ready(self) -> bool:
        """Whether all rungs can be judged."""
        return self.tail is not None and self.tail.nulls is not None

    def learn(self, seconds: float, parent: Reference | None = None) -> bool:
        """One more replay; True when the nulls changed, for the exchanges that follow."""
        self.replays += 1
        if self.tail is None and parent is not None and parent.tail is not None:
            self.tail = Tail(parent.tail.quantiles, BORROWED_FROM)
        if self.tail is not None:
            self.tail.add(seconds)
        if self.replays <= LAST_FIT:
            self.seconds.append(seconds)
            if self.replays in {FIRST_FIT << k for k in range(4)}:
                return self._fit()
        if self.tail is not None and self.tail.n >= self.tail.next_look:
            return self._look()
        return False

    def _fit(self) -> bool:
        half = len(self.seconds) // 2
        quantiles = np.quantile(self.seconds[:half], QUANTILES, method="inverted_cdf")
        self.tail = Tail(tuple(float(q) for q in quantiles), 0)
        for seconds in self.seconds[half:]:
            self.tail.add(seconds)
        if self.replays >= LAST_FIT:
            self.seconds = []
        return self._look()

    def _look(self) -> bool:
        assert self.tail is not None  # noqa: S101  both callers have one
        self._looks += 1
        self.tail.look(ERROR_RATE / 2**self._looks)
        return True

    def judge(self, legs: Legs) -> list[Outcome]:
        """x and m of every rung that can be judged on this pair."""
        candidate, replay = legs
        if candidate is None:
            return []
        if self.tail is not None and self.tail.nulls is not None:
            rungs = zip(RUNGS, self.tail.quantiles, self.tail.nulls, strict=True)
            return [Outcome(rung, float(candidate > limit(q)), m) for rung, q, m in rungs]
        if replay is not None:
            return [Outcome(RUNGS[0], float(candidate > limit(replay)), 0.5)]
        return []

    def limit(self, rung: str) -> float | None:
        """The slowest candidate that a rung allows, seconds; None before there is a reference."""
        return limit(self.tail.quantiles[RUNGS.index(rung)]) if self.tail and self.ready else None

    def dump(self) -> list[Any]:
        """JSON-able state."""
        tail = self.tail and [
            self.tail.quantiles, self.tail.next_look, self.tail.n, self.tail.beyond, self.tail.nulls
        ]  # fmt: skip
        return [self.seconds, self.replays, self._looks, tail]

    @classmethod
    def load(cls, state: list[Any]) -> Reference:
        """The inverse of `dump`."""
        made = cls()
        made.seconds, made.replays, made._looks, tail = state
        if tail is not None:
            quantiles, next_look, n, beyond, nulls = tail
            made.tail = Tail(tuple(quantiles), next_look, n, beyond, None if nulls is None else tuple(nulls))
        return made


def legs(pair: Pair, *, server_side: bool = False) -> Mapping[str, Legs]:
    """Comparable seconds of a pair: `latency` at the baseline's answer length, `ttft` as measured.

    The time after the first token is scaled to the baseline's number of tokens, so that a candidate
    which merely says more is not called slow (and one that says less is not excused).
    `server_side`: both servers report their own times, which replace the client's clock.
    """
    tokens = pair.baseline.output_tokens
    arms = (pair.candidate, pair.replay)
    durations = tuple(_duration(arm, tokens, server_side) for arm in arms)
    firsts = tuple(_first(arm, server_side) for arm in arms)
    return {"latency": (durations[0], durations[1]), "ttft": (firsts[0], firsts[1])}


def _first(arm: Completion | None, server_side: bool) -> float | None:  # noqa: FBT001  internal
    if arm is None:
        return None
    if arm.error_type is not None:
        stalled = arm.error_type in ENDLESS and arm.time_to_first_token_seconds is None
        return float("inf") if stalled else None
    return arm.server_time_to_first_token_seconds if server_side else arm.time_to_first_token_seconds


def _duration(arm: Completion | None, tokens: int | None, server_side: bool) -> float | None:  # noqa: FBT001
    if arm is None:
        return None
    if arm.error_type is not None:
        return float("inf") if arm.error_type in ENDLESS else None
    total = arm.server_duration_seconds if server_side else arm.duration_seconds
    first = _first(arm, server_side)
    if total is None or not tokens or not arm.output_tokens or first is None:
        return total
    ratio = min(max(tokens / arm.output_tokens, 1 / LENGTH_RATIO), LENGTH_RATIO)
    return first + max(total - first, 0.0) * ratio
