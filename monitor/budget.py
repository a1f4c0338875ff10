"""Who is paid how much false-alarm budget, and when. Pure bookkeeping in event time.

Budget is what the detectors bet (detector.py): expected false alarms <= budget paid. A week of B:

    80 % by the clock       every row k earns 0.8 B f_k per week, continuously
    <= 20 % in lumps        a new candidate, root or configuration takes half of what is left

A row's share f_k: its level (page 0.7, ticket 0.3) times, split equally within it, its class (leaf
segments 0.7, parents and overall 0.2). The last 0.1 of a level is its reserve: segments that show
up later take half of what is left of it per batch, split equally, until the next rebalance turns
them into ordinary members. Rebalances come 4, 8, 16, ... seconds after the start, while segments are
first met, and then weekly.

**Budget paid in a week never exceeds B.** (1) After a rebalance the shares of a class sum to at most
its fraction, hence those of a level, reserve included, to at most the level's, hence all to at most
1; a batch of newcomers gets half of an unspent reserve, so the sum of shares plus reserves does not
change. So sum f_k <= 1 at every moment. (2) Rows are paid up to the moment (`Bank.settle`) before
shares change, and at every week's end, so the clock pays at most 0.8 B in any week. (3) Lumps are
halves of what is left of 0.2 B, refilled weekly, and are handed out in proportion to f_k. The opening
lump cannot be split before segments are known: each of the first rebalances hands out half of what
is left of it. []
Shares depend on which segments have traffic and on the calendar, never on a score: what is paid is
predictable, which is all the theorem asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from monitor.noise_floor import Floats
from monitor.signals import Level

WEEK = 604_800.0
CLOCK, LUMPS = 0.8, 0.2
LEVELS: dict[Level, float] = {"page": 0.7, "ticket": 0.3}
LEAVES, PARENTS, NEWCOMERS = 0.7, 0.2, 0.1
FIRST_REBALANCE = 4.0


@dataclass(frozen=True, slots=True)
class Member:
    """What decides a row's share: its signal's level, and whether its segment contains others."""

    level: Level
    parent: bool


def equal_shares(members: Sequence[Member]) -> Floats:
    """f_k of all rows right after a rebalance; sums to at most 1 less the reserves."""
    sizes: dict[Member, int] = {}
    for member in members:
        sizes[member] = sizes.get(member, 0) + 1
    return np.array(
        [LEVELS[m.level] * (PARENTS if m.parent else LEAVES) / sizes[m] for m in members], dtype=np.float64
    )


@dataclass(slots=True)
class Ledger:
    """Reserves and lumps of one route. Times are event times in seconds."""

    per_week: float
    start: float
    week: int = 0
    lump_left: float = field(init=False)
    opening: float = 0.0
    wait: float = FIRST_REBALANCE
    opened: float = field(init=False)
    reserve: dict[Level, float] = field(init=False)

    def __post_init__(self) -> None:
        self.lump_left = LUMPS * self.per_week
        self.refill()
        self.open(self.start)

    @property
    def rate(self) -> float:
        """Budget per second that a share of 1 would earn by the clock."""
        return CLOCK * self.per_week / WEEK

    @property
    def next_rebalance(self) -> float:
        """When shares are next made equal: soon after an opening, and at every week's end."""
        return min(self.opened + self.wait, self.start + (self.week + 1) * WEEK)

    def open(self, time: float) -> None:
        """Segments are unknown (start, new configuration): set a lump aside for whoever shows up."""
        self.opening += self.lump()
        self.opened, self.wait = time, FIRST_REBALANCE

    def resume(self, before: Mapping[str, Any]) -> None:
        """Go on in the week of an earlier ledger, whose lumps are spent even if its rules were others."""
        self.week = before["week"]
        self.opening = 0.0
        self.lump_left = min(before["lump_left"], LUMPS * self.per_week)

    def lump(self) -> float:
        """Half of what is left of this week's lumps."""
        taken = self.lump_left / 2
        self.lump_left -= taken
        return taken

    def newcomers(self, levels: Sequence[Level]) -> Floats:
        """f_k of a batch of new rows: half of what is left of each level's reserve."""
        given = {level: self.reserve[level] / 2 / levels.count(level) for level in set(levels)}
        for level in given:
            self.reserve[level] /= 2
        return np.array([given[level] for level in levels], dtype=np.float64)

    def rebalanced(self, time: float) -> float:
        """Note a rebalance at `time` (= `next_rebalance`); returns the opening money to hand out."""
        self.refill()
        if time >= self.start + (self.week + 1) * WEEK:
            self.week += 1
            self.lump_left = LUMPS * self.per_week
            self.opening = 0.0
        self.wait = 2 * self.wait if 2 * self.wait < WEEK else np.inf
        given = self.opening / 2
        self.opening -= given
        return given

    def refill(self) -> None:
        """Reserves are full again: their takers have become members."""
        self.reserve = {level: share * NEWCOMERS for level, share in LEVELS.items()}
