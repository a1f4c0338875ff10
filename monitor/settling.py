"""Settled exchanges become blocks, blocks become transactions: one order, one commit.

A block (at most 256 pairs or one second of event time) is applied to the evidence and committed in one
transaction with its rows, its funnel and the positions behind it, so that evidence is a function of the
log alone and a restart repeats it bit for bit.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from monitor.errors import StoreError
from monitor.funnel import Tally
from monitor.ledger import Entry, Kept, Outcome
from monitor.store import Batch

log = logging.getLogger("tailgate.settling")

BLOCK_PAIRS = 256
KILLED = "capture_kills"
RETRY_SECONDS = (0.5, 1.0, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class Account:
    """One record of a source without its exchange: the position to commit, and what it counts.

    `numbers` are the first and last of the stream's captures that it settles; 0 stands for the end of
    a stream whose process was killed, None for a record that settles none.
    """

    stream: str
    position: str
    numbers: tuple[int, int] | None = None
    skipped: str | None = None
    skipped_count: int = 1
    unknown_since: float = 0.0
    """Non-zero: capture was killed; what came in the 100 ms behind this time is not counted."""
    counters_of: str = ""
    """Whose cumulative counters these are; a dead stream's are settled in its successor."""
    capture_skipped: Mapping[str, int] | None = None
    capture_excluded: Mapping[str, int] = field(default_factory=dict)
    counted_at: float = 0.0
    """When capture made these counters."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A record with what came of its exchange, if it held one."""

    account: Account
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive pairs of one second of event time."""

    number: int
    entries: tuple[Entry, ...]


Apply = Callable[[Block], Batch]
"""Applies a block to the evidence and returns the rows to commit. Runs in a thread."""


class Settling:
    """One route's log. All methods are called from one task; `apply`, `late` and `commit` run in threads.

    `positions` gives more positions to commit beside those of the accounts taken so far; `late` makes a
    block, with the number that it is given, of what came about pairs that are committed.
    """

    def __init__(
        self,
        *,
        observe: Callable[[Kept], None],
        apply: Apply,
        commit: Callable[[Batch], None],
        committed: Callable[[Mapping[str, str]], object],
        tally: Tally,
        seq: int = 0,
        block: int = 0,
        event_time: float = 0.0,
        positions: Callable[[], Mapping[str, str]] = dict,
        late: Callable[[int], Batch | None] = lambda _: None,
    ) -> None:
        self._positions, self._late = positions, late
        self._observe, self._apply, self._write, self._committed = observe, apply, commit, committed
        self.tally = tally
        self._seq, self._number, self._time = seq, block, event_time
        self._entries: list[Entry] = []
        self._outcomes: list[Outcome] = []
        self._offsets: dict[str, str] = {}
        self._dirty = False

    def expect(self) -> None:
        """An exchange is on its way."""
        with self.tally.lock:
            self.tally.in_flight += 1

    async def take(self, settled: Settled) -> None:
        """The next record of the log."""
        outcome, account = settled.outcome, settled.account
        if outcome is not None and outcome.kept is not None:
            await self._add(outcome, outcome.kept)  # counted with its block, when the evidence has it
        elif outcome is not None:
            self._count(outcome)
        with self.tally.lock:
            self._account(account)
        self._offsets[account.stream] = account.position
        self._dirty = True

    def _account(self, account: Account) -> None:
        if account.skipped:
            self.tally.count("read", account.skipped_count)
            for _ in range(account.skipped_count):
                self.tally.skip(account.skipped)
        if account.unknown_since:
            self.tally.count(KILLED)
        if account.capture_skipped is not None:
            self.tally.captured(account.counters_of, account.capture_skipped, account.capture_excluded)

    async def _add(self, outcome: Outcome, kept: Kept) -> None:
        moment = max(self._time, outcome.received_at)
        full = len(self._entries) >= BLOCK_PAIRS
        if self._entries and (full or math.floor(moment) != math.floor(self._entries[0].time)):
            await self.flush()
        self._time = moment
        self._seq += 1
        self._entries.append(Entry(self._seq, moment, outcome.id, kept))
        self._outcomes.append(outcome)
        self._observe(kept)

    def _count(self, outcome: Outcome) -> None:
        with self.tally.lock:
            self.tally.in_flight -= 1
            self._count_stages(outcome)

    def _count_stages(self, outcome: Outcome) -> None:
        self.tally.count("read")
        self.tally.count("sent", int(outcome.sent))
        if outcome.skipped:
            self.tally.skip(outcome.skipped)
            return
        self.tally.count("completed", int(not outcome.failed))
        self.tally.count("comparable")
        self.tally.count("scored")
        if outcome.replay_skipped:
            self.tally.count(f"replay_skipped:{outcome.replay_skipped}")
        if outcome.forced_skipped:
            self.tally.count(f"forced_skipped:{outcome.forced_skipped}")

    async def flush(self) -> None:
        """Close the open block and commit it with everything settled so far."""
        if self._entries or self._dirty:
            await self._flush()
        if batch := await asyncio.to_thread(self._late, self._number + 1):
            self._number += 1
            await self._commit(batch)

    async def _flush(self) -> None:
        batch = Batch()
        if self._entries:
            self._number += 1
            block, self._entries = Block(self._number, tuple(self._entries)), []
            batch = await asyncio.to_thread(self._apply, block)
            outcomes, self._outcomes = self._outcomes, []
            for outcome in outcomes:
                self._count(outcome)
        offsets, self._offsets, self._dirty = {**self._offsets, **self._positions()}, {}, False
        names, capture = dict(self.tally.names), dict(self.tally.capture)
        await self._commit(replace(batch, offsets=offsets, funnel=names, counters=capture))
        self._committed(offsets)

    async def _commit(self, batch: Batch) -> None:
        """Write until it is written: a full disk stops us, never production."""
        for attempt in range(1_000_000):
            try:
                await asyncio.to_thread(self._write, batch)
            except StoreError as error:
                pause = RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)]
                log.error("%s; trying again in %.1f s", error, pause)
                await asyncio.sleep(pause)
            else:
                return
