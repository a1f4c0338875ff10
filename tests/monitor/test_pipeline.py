"""Exchanges are scored one at a time, and one that our own code cannot bear is counted: the others go on."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from monitor.judging import Judging
from monitor.ledger import Keys, Outcome
from monitor.pairing import Paired, Pairing
from monitor.pipeline import FAULT, MOST_INLINE, Incoming, Pipeline
from monitor.records import Exchange, Message
from monitor.settling import Account, Settled
from tests.monitor.test_pairing import configured, exchange, with_leg
from tests.standin.process import running_standin

PRIVATE = "words of a request"


class Kept:
    """A settler that keeps what it is given."""

    def __init__(self) -> None:
        self.taken: list[Outcome] = []

    def expect(self) -> None:
        """Nothing to prepare."""

    async def take(self, settled: Settled) -> None:
        assert settled.outcome is not None
        self.taken.append(settled.outcome)

    async def flush(self) -> None:
        """Nothing to keep."""


Judge = Callable[[Paired], Outcome]


def failing_on_the_second(judge: Judge) -> Judge:
    """A scorer of ours with a defect."""

    def judged(paired: Paired) -> Outcome:
        if paired.exchange.id == "x2":
            raise ValueError(PRIVATE)
        return judge(paired)

    return judged


def settled(*exchanges: Exchange, defect: Callable[[Judge], Judge] = failing_on_the_second) -> list[Outcome]:
    """What became of them."""
    with running_standin() as url:
        config, kept = configured(url), Kept()
        judge = defect(Judging(config, Keys(b"k" * 32)).judge)

        async def run(candidate: object) -> list[Outcome]:
            pairing = Pairing(config, candidate, None, lambda: 1000, lambda: None)  # type: ignore[arg-type]
            pipeline = Pipeline(pairing=pairing, judge=judge, settler=kept, window=8)
            settling = asyncio.create_task(pipeline.settle())
            for number, each in enumerate(exchanges, 1):
                await pipeline.feed(Incoming(Account("w0", "[]", numbers=(number, number)), each))
            while len(kept.taken) < len(exchanges):
                assert not settling.done()
                await asyncio.sleep(0.01)
            settling.cancel()
            return kept.taken

        return with_leg(url, run)


def test_a_fault_of_ours_costs_one_exchange_and_tells_no_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        found = settled(*(exchange(number=number) for number in (1, 2, 3)))
    assert [(outcome.id, outcome.skipped) for outcome in found] == [("x1", None), ("x2", FAULT), ("x3", None)]
    assert "ValueError" in caplog.text
    assert "test_pipeline" in caplog.text
    assert PRIVATE not in caplog.text


@pytest.mark.parametrize(
    "given", ["caf\u00e9 \x9b2J", "\u7528\u6237", "line\r\nbreak: x", "x" * 20_000, "\ud800"]
)
def test_any_id_reaches_the_candidate(given: str) -> None:
    """A client may send any byte in x-request-id; the monitor once died of it, and of it again when it came back."""
    (outcome,) = settled(replace(exchange(), id=given))
    assert (outcome.skipped, outcome.failed) == (None, False)


def asking(exchange: Exchange, characters: int) -> Exchange:
    """The same with a question of so many characters."""
    question = Message("user", "why? " * (characters // 5))
    return replace(exchange, request=replace(exchange.request, messages=(question,)))


def test_long_pairs_are_scored_beside_the_loop_and_one_at_a_time() -> None:
    """Whichever thread scores, no other does meanwhile: scorers share scratch memory."""
    scored: list[tuple[str, bool, bool]] = []
    free = threading.Lock()

    def watched(judge: Judge) -> Judge:
        def judged(paired: Paired) -> Outcome:
            alone = free.acquire(blocking=False)
            in_loop = threading.current_thread() is threading.main_thread()
            time.sleep(0.02)
            scored.append((paired.exchange.id, in_loop, alone))
            if alone:
                free.release()
            return judge(paired)

        return judged

    lengths = {1: 100, 2: 2 * MOST_INLINE, 3: 100, 4: 2 * MOST_INLINE}
    settled(*(asking(exchange(number=n), length) for n, length in lengths.items()), defect=watched)
    assert sorted(scored) == [
        ("x1", True, True), ("x2", False, True), ("x3", True, True), ("x4", False, True),
    ]  # fmt: skip
