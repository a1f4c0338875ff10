"""Read, pair, score, commit: many exchanges in flight, one order.

Exchanges are paired and scored concurrently but settled in the order of the log, so that evidence
is a function of the log alone and a restart repeats it bit for bit. A block (at most 256 pairs or one
second of event time) is applied to the evidence and committed in one transaction with its rows, its
funnel and the offsets behind it.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from monitor.errors import StoreError
from monitor.funnel import Tally
from monitor.ledger import Entry
from monitor.pairing import Paired, Pairing
from monitor.records import Exchange
from monitor.scoring import Scored
from monitor.store import Batch

log = logging.getLogger("tailgate.pipeline")

BLOCK_PAIRS = 256
IDLE_SECONDS = 1.0
KILLED = "capture_kills"
RETRY_SECONDS = (0.5, 1.0, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class Incoming:
    """One record of a source, with the position to commit once it is settled."""

    stream: str
    position: str
    exchange: Exchange | None = None
    skipped: str | None = None
    skipped_count: int = 1
    unknown_since: float = 0.0
    """Non-zero: capture was killed; what came in the 100 ms behind this time is not counted."""
    account: str = ""
    """Whose cumulative counters these are; a dead stream's are settled in its successor."""
    capture_skipped: Mapping[str, int] | None = None
    capture_excluded: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judged:
    """A paired exchange with its scores (None where it was skipped)."""

    paired: Paired
    scored: Scored | None
    dims: Mapping[str, str]
    health: str | None


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive pairs of one second of event time."""

    number: int
    entries: tuple[Entry, ...]

    @property
    def second(self) -> int:
        return math.floor(self.entries[0].time)


Judge = Callable[[Paired], Judged]
MakeEntry = Callable[[int, float, Judged], Entry]
Apply = Callable[[Block], Batch]
"""Applies a block to the evidence and returns the rows to commit. Runs in a thread."""


class Pipeline:
    """One route's flow. `feed` from one task, `settle` in another; `apply` and `commit` in threads."""

    def __init__(
        self,
        *,
        pairing: Pairing,
        judge: Judge,
        entry: MakeEntry,
        apply: Apply,
        commit: Callable[[Batch], None],
        committed: Callable[[Mapping[str, str]], None],
        tally: Tally,
        window: int,
        seq: int = 0,
        block: int = 0,
        event_time: float = 0.0,
    ) -> None:
        self._pairing, self._judge, self._entry = pairing, judge, entry
        self._apply, self._write, self._committed = apply, commit, committed
        self.tally = tally
        # One thread: scoring holds the GIL anyway, and the language detectors load their models once.
        self._scoring = ThreadPoolExecutor(1, thread_name_prefix="scoring")
        self._queue: asyncio.Queue[tuple[Incoming, asyncio.Task[Judged] | None]] = asyncio.Queue(window)
        self._seq, self._number, self._time = seq, block, event_time
        self._entries: list[Entry] = []
        self._offsets: dict[str, str] = {}
        self._dirty = False
        self.in_flight = 0
        """Exchanges that were fed and are not settled."""

    async def warm_up(self, work: Callable[[], None]) -> None:
        """Run `work` in the scoring thread (loading models) before the first pair needs it."""
        await asyncio.get_running_loop().run_in_executor(self._scoring, work)

    async def feed(self, incoming: Incoming) -> None:
        """Take one record; waits while the window is full (the spool holds the rest)."""
        task = None
        if incoming.exchange is not None:
            self.in_flight += 1
            task = asyncio.create_task(self._handle(incoming.exchange))
        await self._queue.put((incoming, task))

    async def _handle(self, exchange: Exchange) -> Judged:
        paired = await self._pairing.pair(exchange)
        return await asyncio.get_running_loop().run_in_executor(self._scoring, self._judge, paired)

    async def settle(self) -> None:
        """Settle records in order, for ever; on cancellation commit what is whole."""
        try:
            while True:
                try:
                    async with asyncio.timeout(IDLE_SECONDS):
                        incoming, task = await self._queue.get()
                except TimeoutError:
                    await self._flush()
                    continue
                await self._settle_one(incoming, await self._result(task) if task else None)
        finally:
            await asyncio.shield(self._flush())

    async def _result(self, task: asyncio.Task[Judged]) -> Judged:
        """The head of the line. A hung candidate must not hold back what is already settled."""
        done, _ = await asyncio.wait({task}, timeout=5 * IDLE_SECONDS)
        if not done:
            await self._flush()
        return await task

    async def _settle_one(self, incoming: Incoming, judged: Judged | None) -> None:
        if judged is not None and judged.scored is not None:
            await self._add(judged)  # counted with its block, when the evidence has it
        elif judged is not None:
            self._count(judged.paired)
        if incoming.skipped:
            self.tally.count("read", incoming.skipped_count)
            for _ in range(incoming.skipped_count):
                self.tally.skip(incoming.skipped)
        if incoming.unknown_since:
            self.tally.count(KILLED)
        if incoming.capture_skipped is not None:
            self.tally.captured(incoming.account, incoming.capture_skipped, incoming.capture_excluded)
        self._offsets[incoming.stream] = incoming.position
        self._dirty = True

    async def _add(self, judged: Judged) -> None:
        moment = max(self._time, judged.paired.exchange.received_at)
        full = len(self._entries) >= BLOCK_PAIRS
        if self._entries and (full or math.floor(moment) != math.floor(self._entries[0].time)):
            await self._flush()
        self._time = moment
        self._seq += 1
        self._entries.append(self._entry(self._seq, moment, judged))

    def _count(self, paired: Paired) -> None:
        self.in_flight -= 1
        self.tally.count("read")
        self.tally.count("sent", int(paired.sent))
        if paired.skipped:
            self.tally.skip(paired.skipped)
            return
        failed = paired.pair is not None and paired.pair.candidate.error_type is not None
        self.tally.count("completed", int(not failed))
        self.tally.count("comparable")
        self.tally.count("scored")
        if paired.replay_skipped:
            self.tally.count(f"replay_skipped:{paired.replay_skipped}")
        if paired.forced_skipped:
            self.tally.count(f"forced_skipped:{paired.forced_skipped}")

    async def _flush(self) -> None:
        """Close the open block and commit it with everything settled so far."""
        if not self._entries and not self._dirty:
            return
        batch = Batch()
        if self._entries:
            self._number += 1
            block, self._entries = Block(self._number, tuple(self._entries)), []
            batch = await asyncio.to_thread(self._apply, block)
            for entry in block.entries:
                self._count(entry.paired)
        offsets, self._offsets, self._dirty = dict(self._offsets), {}, False
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
