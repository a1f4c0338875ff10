"""The route's log applied in order: every reader of the topic of scores gets the same bits.

Offset, settled ranges, rows and evidence are committed in one DuckDB transaction (settling.py), so a crash
repeats what was not committed and nothing else; what comes twice is known by its position. Several
monitors may keep the evidence of one route, each in a store of its own: they agree.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from monitor import forgetting
from monitor.capabilities import capabilities_of
from monitor.errors import BadInput
from monitor.ranges import Ranges
from monitor.score_records import ScoreRecord, decode, settled_of
from monitor.settling import Settled, Settling
from monitor.standing import Standing

log = logging.getLogger("tailgate.log")

OFFSET, EPOCH = "kafka:scores", "kafka:scores:epoch"


class EvidenceLog:
    """`take` the values of the log one after the other, from `start` on; all methods from one task."""

    def __init__(self, standing: Standing, ranges: Mapping[str, Ranges], *, start: int, since: float) -> None:
        self._standing = standing
        self._ranges = dict(ranges)
        self._changed: set[str] = set()
        self._since = since
        self._settling: Settling | None = None
        self._mark = start
        self._erased = forgetting.marks(standing.store)
        self.next = start
        """Offset of the record that comes next."""
        self.epoch = ""
        """Which log of that name it belongs to."""
        self.repeats = 0

    def attach(self, settling: Settling) -> None:
        """Settling asks for `positions`, and is asked to settle."""
        self._settling = settling

    def reads(self, epoch: str) -> None:
        """What is taken from now on is of this log; offsets of another one say nothing."""
        if self.epoch and epoch != self.epoch:
            self.next = self._mark = 0
        self.epoch = epoch

    def positions(self) -> Mapping[str, str]:
        """What to commit beside the rows: everything taken so far. A change of candidate is committed with
        the first rows behind it and read again until then."""
        changed, self._changed = self._changed, set()
        offset = self._mark if self._standing.is_changing else self.next
        where = {OFFSET: str(offset), EPOCH: self.epoch}
        return {**where, **{name: self._ranges[name].dump() for name in changed}}

    def settled(self, names: Iterable[str]) -> Mapping[str, str]:
        """What of the named streams is settled, for the shippers."""
        return {name: self._ranges[name].dump() for name in names if name in self._ranges}

    @property
    def streams(self) -> Iterable[str]:
        """All that were ever seen."""
        return tuple(self._ranges)

    async def take(self, offset: int, value: bytes | None, dead: Callable[[BadInput], object]) -> None:
        """One record. `dead` is called for one that nobody can use."""
        try:
            record = decode(value)
        except BadInput as error:
            dead(error)
        else:
            await self._apply(record)
        self.next = offset + 1

    async def _apply(self, record: ScoreRecord) -> None:
        assert self._settling is not None, "attach first"  # noqa: S101
        if record.mark == "pause":
            await self._settling.flush()
        elif record.mark == "candidate":
            await self._settling.flush()
            await asyncio.to_thread(self._candidate, record)
        else:
            await self._settle(record, self._settling)

    async def _settle(self, record: ScoreRecord, settling: Settling) -> None:
        ranges = self._ranges.setdefault(record.stream, Ranges())
        if record.position in ranges:
            self.repeats += 1
            return
        settled = _counted_once(settled_of(record), ranges)
        settled = self._without_erased(settled)
        if settled.outcome is not None:
            settling.expect()
        # Taking it may commit what came before: the ranges must not run ahead of the rows.
        await settling.take(settled)
        ranges.add(record.after, record.position)
        self._changed.add(record.stream)

    def erase(self, subject_key: str, now: float) -> int:
        """Keep out what is still on the topics of a data subject: how many is not known. Any thread."""
        forgetting.mark(self._standing.store, subject_key, now)
        self._erased[subject_key] = now
        return 0

    def _without_erased(self, settled: Settled) -> Settled:
        outcome = settled.outcome
        if outcome is None or outcome.kept is None:
            return settled
        if outcome.received_at > self._erased.get(outcome.kept.subject_key or "", 0.0):
            return settled
        return replace(settled, outcome=replace(outcome, kept=None, skipped="erased"))

    def _candidate(self, record: ScoreRecord) -> None:
        """What serves at the candidate's address now; a monitor that saw it change late says nothing new."""
        if record.since < self._since:
            return
        self._since, self._mark = record.since, self.next
        if record.identity != self._standing.identity:
            log.info("candidate: %s", record.identity)
            self._standing.candidate_changed(record.identity, record.capabilities or "{}", record.since)
        if record.capabilities:
            self._standing.probed(capabilities_of(record.capabilities))


def _counted_once(settled: Settled, ranges: Ranges) -> Settled:
    """A gap counts the captures in it that nobody settled: some of a lost segment were sent before."""
    account = settled.account
    if settled.outcome is None and account.skipped and account.numbers and account.numbers[0]:
        return replace(settled, account=replace(account, skipped_count=ranges.missing(*account.numbers)))
    return settled
