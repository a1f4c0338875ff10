"""Delayed labels move the evidence once, in a place of the log of their own."""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import archive
from monitor.config import Config
from monitor.funnel import Tally
from monitor.outlook import verdict_of
from monitor.settling import Account, Block, Settled, Settling
from monitor.standing import Standing
from monitor.store import Store
from tests.monitor.test_standing import SECRET, blocks, configured

Truth = Callable[[str, str], tuple[bool | None, bool | None]]
"""(pair's id, its language) to whether baseline and candidate were right."""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return configured(tmp_path / "t.duckdb")


def tell(standing: Standing, log: Sequence[Block], truth: Truth, at: float = 1.0) -> None:
    """Labels for every pair of the log."""
    entries = [entry for block in log for entry in block.entries]
    rows = [(e.id, at, "test", *truth(e.id, e.kept.dims["language"])) for e in entries]
    archive.store_labels(standing.store, rows)
    standing.labels_waiting = True


def count(standing: Standing, number: int) -> int:
    """Count what waits as blocks from `number` on, one per second; the next free number."""
    for second in itertools.count(1):
        batch = standing.label(number, standing.event_time + second)
        if batch is None:
            return number
        standing.store.commit(batch)
        number += 1
    raise AssertionError


def lost_in_swahili(_: str, language: str) -> tuple[bool, bool]:
    return True, language != "sw"


def samples(standing: Standing) -> int:
    rows = standing.store.query("SELECT count(*) FROM scores WHERE signal = 'label'")
    return int(rows[0][0])


def test_labels_of_one_segment_alarm_there_and_nowhere_else(config: Config) -> None:
    log, store = blocks(config, 120), Store(config.store.path)
    standing = Standing(config, store, SECRET)
    for block in log:
        store.commit(standing.apply(block))
    tell(standing, log, lost_in_swahili)
    count(standing, 121)
    verdict = verdict_of(standing, now=standing.event_time)
    diverged = {
        (str(r.segment), r.explained_by is None)
        for r in verdict.segments
        if r.verdict == "diverged" and r.signal == "label"
    }
    assert ("language=sw", True) in diverged
    assert "language=en" not in {segment for segment, _ in diverged}
    store.close()


def test_a_label_is_counted_once_however_often_it_is_told(config: Config) -> None:
    log, store = blocks(config, 5), Store(config.store.path)
    standing = Standing(config, store, SECRET)
    for block in log:
        store.commit(standing.apply(block))
    pairs = sum(len(block.entries) for block in log)
    tell(standing, log, lost_in_swahili)
    number = count(standing, 6)
    tell(standing, log, lambda *_: (True, True), at=2.0)
    assert (count(standing, number), samples(standing)) == (number, pairs)
    store.close()


def test_a_label_may_come_before_its_pair_and_one_arm_after_the_other(config: Config) -> None:
    log, store = blocks(config, 5), Store(config.store.path)
    standing = Standing(config, store, SECRET)
    tell(standing, log, lambda *_: (True, None))
    assert standing.label(1, 0.0) is None
    for block in log:
        store.commit(standing.apply(block))
    tell(standing, log, lambda *_: (None, False), at=2.0)
    count(standing, 6)
    assert samples(standing) == sum(len(block.entries) for block in log)
    store.close()


def test_labels_of_the_candidate_before_are_not_held_against_this_one(config: Config) -> None:
    log, store = blocks(config, 6), Store(config.store.path)
    standing = Standing(config, store, SECRET)
    for block in log[:5]:
        store.commit(standing.apply(block))
    standing.candidate_changed("another", "{}", standing.event_time)
    store.commit(standing.apply(log[5]))
    tell(standing, log, lost_in_swahili)
    count(standing, 7)
    assert samples(standing) == len(log[5].entries)
    store.close()


def lived(config: Config, log: Sequence[Block], told: set[int], deaths: set[int]) -> tuple[bytes, str]:
    """Apply the log with labels after the blocks in `told`, die after those in `deaths`."""
    store = Store(config.store.path)
    standing, number = Standing(config, store, SECRET), 1
    for index, block in enumerate(log):
        store.commit(standing.apply(Block(number, block.entries)))
        number += 1
        if index in told:
            tell(standing, log[: index + 1], lost_in_swahili)
            number = count(standing, number)
        if index in deaths:
            store.close()
            store = Store(config.store.path)
            standing = Standing(config, store, SECRET)
            assert standing.engine.blocks == number - 1
    state, shown = standing.engine.snapshot(), str(verdict_of(standing, now=standing.event_time).segments)
    store.close()
    return state, shown


@given(st.sets(st.integers(0, 49), max_size=5), st.sets(st.integers(0, 49), min_size=1, max_size=5))
@settings(max_examples=2, deadline=None, derandomize=True)
def test_evidence_with_labels_survives_any_deaths(told: set[int], deaths: set[int]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        once, often = (configured(Path(directory) / name) for name in ("once.duckdb", "often.duckdb"))
        log = blocks(once, 50)
        assert lived(often, log, told, deaths) == lived(once, log, told, set())


def test_settling_counts_labels_in_a_block_behind_the_pairs(config: Config) -> None:
    log, store = blocks(config, 3), Store(config.store.path)
    standing = Standing(config, store, SECRET)
    settling = Settling(
        observe=lambda _: None,
        apply=standing.apply,
        commit=store.commit,
        committed=lambda _: None,
        tally=Tally(),
        late=lambda number: standing.label(number, standing.event_time),
    )
    for block in log:
        store.commit(standing.apply(block))
    tell(standing, log, lost_in_swahili)

    async def flush() -> None:
        await settling.take(Settled(Account("s", "1")))
        await settling.flush()

    asyncio.run(flush())
    assert standing.engine.blocks == 4
    assert samples(standing) == sum(len(block.entries) for block in log)
    store.close()
