"""Read, pair, score, settle: many exchanges in flight, one order.

Exchanges are paired and scored concurrently but settled in the order of the log, whoever settles them:
the process that owns the evidence (settling.py), or with Kafka the topic that it reads.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from monitor.errors import TailgateError
from monitor.ledger import Outcome
from monitor.pairing import Paired, Pairing
from monitor.records import Exchange
from monitor.settling import Account, Settled

log = logging.getLogger("tailgate.monitor")

IDLE_SECONDS = 1.0
MOST_INLINE = 1 << 13
"""Characters of a pair that is scored in the loop: these take it no longer than another thread may keep the GIL
(`sys.getswitchinterval`). Longer ones go to a thread."""
FAULT = "internal_error"
"""Why an exchange was not scored on which our own code failed."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One record of a source; `exchange` is None where it only counts something."""

    account: Account
    exchange: Exchange | None = None


class Settler(Protocol):
    """Takes records in the order of the log; `flush` makes durable what was taken."""

    def expect(self) -> None: ...
    async def take(self, settled: Settled) -> None: ...
    async def flush(self) -> None: ...


class Pipeline:
    """One route's flow. `feed` from one task, `settle` in another; `judge` runs in the loop or in a thread."""

    def __init__(
        self,
        *,
        pairing: Pairing,
        judge: Callable[[Paired], Outcome],
        settler: Settler,
        window: int,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._pairing, self._judge, self._settler = pairing, judge, settler
        self._idle = idle_seconds
        self._scoring = ThreadPoolExecutor(1, thread_name_prefix="scoring")
        # One at a time: scoring holds the GIL anyway, and its scratch memory is one pair's.
        self._turn = asyncio.Lock()
        self._queue: asyncio.Queue[tuple[Account, asyncio.Task[Outcome] | None]] = asyncio.Queue(window)

    async def warm_up(self, work: Callable[[], None]) -> None:
        """Run `work` in the scoring thread (loading models) before the first pair needs it."""
        await asyncio.get_running_loop().run_in_executor(self._scoring, work)

    async def feed(self, incoming: Incoming) -> None:
        """Take one record; waits while the window is full (the source holds the rest)."""
        task = None
        if incoming.exchange is not None:
            self._settler.expect()
            task = asyncio.create_task(self._handle(incoming.exchange))
        await self._queue.put((incoming.account, task))

    async def _handle(self, exchange: Exchange) -> Outcome:
        try:
            return await self._judged(await self._pairing.pair(exchange))
        except TailgateError:
            raise
        except Exception as error:  # noqa: BLE001  read again after a restart, a fault of ours would come for ever
            place = "".join(traceback.format_tb(error.__traceback__))
            # Its words may quote the request.
            log.error("an exchange cannot be scored: %s at\n%s", type(error).__name__, place)
            return Outcome(exchange.id, exchange.received_at, skipped=FAULT)

    async def _judged(self, paired: Paired) -> Outcome:
        """A short pair is scored between two turns of the loop. A thread would take the GIL at each of the loop's
        system calls, and each would wait to have it back: that convoy (python/cpython#89977) made three of four
        context switches and a sixth of what a pair costs."""
        async with self._turn:
            if _characters(paired) > MOST_INLINE:
                return await asyncio.get_running_loop().run_in_executor(self._scoring, self._judge, paired)
            outcome = self._judge(paired)
            await asyncio.sleep(0)  # what has come meanwhile is read before the next
            return outcome

    async def settle(self) -> None:
        """Settle records in order, for ever; on cancellation make durable what is whole."""
        try:
            while True:
                try:
                    async with asyncio.timeout(self._idle):
                        account, task = await self._queue.get()
                except TimeoutError:
                    await self._settler.flush()
                    continue
                await self._settler.take(Settled(account, await self._result(task) if task else None))
        finally:
            await asyncio.shield(self._settler.flush())

    async def _result(self, task: asyncio.Task[Outcome]) -> Outcome:
        """The head of the line. A hung candidate must not hold back what is already settled."""
        done, _ = await asyncio.wait({task}, timeout=5 * self._idle)
        if not done:
            await self._settler.flush()
        return await task


def _characters(paired: Paired) -> int:
    """Length of everything that scorers read of a pair."""
    if paired.pair is None:
        return 0
    answers = (paired.pair.baseline, paired.pair.candidate, paired.pair.replay)
    texts = [message.text for message in paired.exchange.request.messages]
    texts += [answer.text for answer in answers if answer is not None]
    return sum(map(len, texts))
