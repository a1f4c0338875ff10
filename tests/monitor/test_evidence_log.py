"""Erasure where a log comes later than the request to forget: records on a topic outlive it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from random import Random

from monitor.errors import BadInput
from monitor.evidence_log import EvidenceLog
from monitor.judging import Judging
from monitor.ledger import Keys, Outcome
from monitor.score_records import encode, record_of
from monitor.settling import Account, Settled
from monitor.standing import Standing
from monitor.store import Store
from tests.monitor.test_standing import SECRET, configured, kept

ASKED = 1000.0


class Taken:
    """Where the log's records go."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []

    def expect(self) -> None:
        """Nothing to prepare."""

    async def take(self, settled: Settled) -> None:
        assert settled.outcome is not None
        self.outcomes.append(settled.outcome)


def read(store: Store, *received: float) -> list[str | None]:
    """Why the subject's pairs of these times were skipped by a monitor that has just started."""
    config, taken = configured(Path(store.path)), Taken()
    log = EvidenceLog(Standing(config, store, SECRET), {}, start=0, since=0.0)
    log.attach(taken)  # type: ignore[arg-type]  # all that the log asks of it
    judging, unreadable = Judging(config, Keys(SECRET)), list[BadInput]()
    for number, at in enumerate(received, 1):
        pair = replace(kept(judging, number, Random(number), at=at), subject_key="aa")
        settled = Settled(Account("w0", f"[1,{number},{number}]"), Outcome(f"p{number}", at, pair, sent=True))
        record = record_of(settled, (1, number - 1, number - 1), (1, number, number))
        asyncio.run(log.take(number, encode(record), unreadable.append))
    assert unreadable == []
    return [outcome.skipped for outcome in taken.outcomes]


def test_who_asked_is_kept_out_by_every_later_start_and_what_came_after_is_not(tmp_path: Path) -> None:
    store = Store(tmp_path / "t.duckdb")
    log = EvidenceLog(Standing(configured(tmp_path / "t.duckdb"), store, SECRET), {}, start=0, since=0.0)
    assert read(store, ASKED - 1) == [None]
    log.erase("aa", ASKED)
    assert read(store, ASKED - 1, ASKED, ASKED + 1) == ["erased", "erased", None]
    store.close()
