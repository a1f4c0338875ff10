"""Settled exchanges go to the route's log on Kafka: the scoring side of a monitor that keeps no evidence.

Outcomes are published in the order in which they were read, then the offsets behind them are committed. A
monitor that dies in between leaves both to the next one, which publishes them again: readers of the log
know repeats by their positions.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from monitor.errors import Unreachable
from monitor.ranges import Point
from monitor.score_records import PAUSE, ScoreRecord, encode, record_of
from monitor.settling import Settled

log = logging.getLogger("tailgate.publishing")

BATCH = 64
BATCH_SECONDS = 0.25
RETRY_SECONDS = (0.5, 1.0, 2.0, 5.0)


def position(partition: int, offset: int, after: Point | None = None, upto: Point | None = None) -> str:
    """An account's position: where the record lay on the topic, and what of its stream it is."""
    return json.dumps([partition, offset, after, upto])


class Publishing:
    """A `Settler`. `send` blocks and runs in a thread; `commit` takes the next offset per partition."""

    def __init__(
        self,
        send: Callable[[Sequence[bytes]], object],
        commit: Callable[[Mapping[int, int]], Awaitable[None]],
    ) -> None:
        self._send_all, self._commit = send, commit
        self._records: list[bytes] = []
        self._offsets: dict[int, int] = {}
        self._since = 0.0
        self._open = False
        self.scored = 0
        self.in_flight = 0
        self._closing = False

    def close(self) -> None:
        """From now on, what cannot be published at once is left to the next monitor."""
        self._closing = True

    def expect(self) -> None:
        """An exchange is on its way."""
        self.in_flight += 1

    async def take(self, settled: Settled) -> None:
        """The next record; one that is nobody's (a dead letter) only moves the offset."""
        partition, offset, after, upto = json.loads(settled.account.position)
        if upto is not None:
            self._add(record_of(settled, tuple(after), tuple(upto)))
            self._open = True
        if settled.outcome is not None:
            self.in_flight -= 1
            self.scored += settled.outcome.kept is not None
        self._offsets[partition] = offset + 1
        if len(self._records) >= BATCH or time.monotonic() - self._since > BATCH_SECONDS:
            await self._publish()

    def announce(self, record: ScoreRecord) -> None:
        """Put a mark into the log, at the latest with the next flush."""
        self._add(record)
        self._open = True

    async def flush(self) -> None:
        """Publish everything, and that it was everything for now."""
        if self._open:
            self._open = False
            self._add(PAUSE)
        await self._publish()

    def _add(self, record: ScoreRecord) -> None:
        if not self._records:
            self._since = time.monotonic()
        self._records.append(encode(record))

    async def _publish(self) -> None:
        records, self._records = self._records, []
        offsets, self._offsets = self._offsets, {}
        self._since = time.monotonic()
        if records:
            await self._sent(records)
        if offsets:
            await self._commit(offsets)

    async def _sent(self, records: Sequence[bytes]) -> None:
        """Until they are acknowledged: what waits meanwhile waits on the topic."""
        for attempt in itertools.count():
            try:
                await asyncio.to_thread(self._send_all, records)
            except Unreachable as error:
                if self._closing:
                    raise
                pause = RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)]
                log.warning("%s; trying again in %.1f s", error, pause)
                await asyncio.sleep(pause)
            else:
                return
