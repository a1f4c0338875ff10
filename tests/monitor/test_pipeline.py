"""One exchange that our own code cannot bear is counted; the others, and the monitor, go on."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import pytest

from monitor.judging import Judging
from monitor.ledger import Keys, Outcome
from monitor.pairing import Paired, Pairing
from monitor.pipeline import FAULT, Incoming, Pipeline
from monitor.records import Exchange
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


def settled(*exchanges: Exchange) -> list[Outcome]:
    """What became of them, with a judge that fails on the second one."""
    with running_standin() as url:
        config, kept = configured(url), Kept()
        judging = Judging(config, Keys(b"k" * 32))

        def judge(paired: Paired) -> Outcome:
            if paired.exchange.id == "x2":
                raise ValueError(PRIVATE)
            return judging.judge(paired)

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
