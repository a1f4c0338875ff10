"""Restarts: whatever moment a monitor dies at, the next one goes on with the same bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import standing as standing_module
from monitor.config import Config
from monitor.config_file import load
from monitor.judging import Judging
from monitor.ledger import Entry, Kept, Keys
from monitor.openai_api import parse_request
from monitor.outlook import verdict_of
from monitor.pairing import Paired
from monitor.records import Completion, Exchange, Pair, Score
from monitor.scoring import Scored
from monitor.settling import Block
from monitor.standing import Standing
from monitor.store import Store

SECRET = b"s" * 32


def kept(judging: Judging, number: int, rng: Random, *, at: float, broken: float = 0.05) -> Kept:
    body = {"model": "m", "messages": [{"role": "user", "content": f"question {number}"}]}
    baseline = Completion(text="yes", duration_seconds=0.2, output_tokens=5)
    candidate = replace(baseline, duration_seconds=rng.uniform(0.1, 0.4))
    exchange = Exchange(f"p{number}", at, parse_request("chat", body), baseline)
    replay = replace(baseline, duration_seconds=rng.uniform(0.1, 0.4)) if rng.random() < 0.3 else None
    pair = Pair(exchange, candidate, replay)
    names = ("degenerate", "answer", "format", "similarity")
    scores = {name: Score(name, float(rng.random() < broken)) for name in names}
    references = {name: float(rng.random() < 0.05) for name in names} if replay else {}
    dims = {"language": rng.choice(["en", "sw"]), "task": "chat"}
    return judging.kept(Paired(exchange, pair), pair, Scored(exchange.id, scores, references), dims)


def blocks(config: Config, count: int, *, seed: int = 1, broken: float = 0.05, most: int = 6) -> list[Block]:
    rng, judging = Random(seed), Judging(config, Keys(SECRET))
    made: list[Block] = []
    seq = 0
    for number in range(1, count + 1):
        entries: list[Entry] = []
        for _ in range(rng.randint(1, most)):
            seq += 1
            at = 1_000_000.0 + number + 0.1 * len(entries)
            entries.append(Entry(seq, at, f"p{seq}", kept(judging, seq, rng, at=at, broken=broken)))
        made.append(Block(number, tuple(entries)))
    return made


def configured(path: Path) -> Config:
    return load(overrides={"store.path": str(path), "candidate.url": "http://127.0.0.1:1"})


def play(config: Config, log: Sequence[Block], deaths: set[int], changes: set[int]) -> tuple[bytes, str]:
    """Apply a log, die after the blocks in `deaths`; the evidence's bits and the verdict."""
    store = Store(config.store.path)
    standing = Standing(config, store, SECRET)
    for block in log:
        if block.number in changes:
            standing.candidate_changed(f"candidate {block.number}", "{}", block.entries[0].time)
        store.commit(standing.apply(block))
        if block.number in deaths:
            store.close()
            store = Store(config.store.path)
            standing = Standing(config, store, SECRET)
    state, shown = standing.engine.snapshot(), str(verdict_of(standing, now=standing.event_time).segments)
    store.close()
    return state, shown


@given(st.sets(st.integers(1, 90), max_size=6), st.sets(st.integers(2, 90), max_size=2))
@settings(max_examples=4, deadline=None, derandomize=True)
def test_evidence_and_verdict_after_any_deaths_equal_those_of_one_life(
    deaths: set[int], changes: set[int]
) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        lived, died = (configured(Path(directory) / name) for name in ("lived.duckdb", "died.duckdb"))
        log = blocks(lived, 90, broken=0.2)
        assert play(died, log, deaths, changes) == play(lived, log, set(), changes)


def test_snapshots_were_taken_and_used(tmp_path: Path) -> None:
    """Otherwise the test above would only compare two replays of the whole log."""
    config = configured(tmp_path / "t.duckdb")
    play(config, blocks(config, 150), set(), set())
    store = Store(config.store.path)
    snapshot = store.snapshot()
    assert snapshot is not None
    assert snapshot.block == 2 * standing_module.SNAPSHOT_BLOCKS
    store.close()


def test_another_configuration_starts_from_zero_evidence(tmp_path: Path) -> None:
    config = configured(tmp_path / "t.duckdb")
    play(config, blocks(config, 100, broken=0.9), set(), set())
    store = Store(config.store.path)
    changed = config.model_copy(
        update={"evidence": config.evidence.model_copy(update={"detectable_drop": 0.2})}
    )
    standing = Standing(changed, store, SECRET)
    assert standing.engine.rows() == []
    assert standing.seq > 0
    store.close()


def test_a_broken_segment_is_named_with_examples_and_its_interval(tmp_path: Path) -> None:
    config = configured(tmp_path / "t.duckdb")
    store = Store(config.store.path)
    standing = Standing(config, store, SECRET)
    for block in blocks(config, 100, broken=0.9):
        store.commit(standing.apply(block))
    verdict = verdict_of(standing, now=standing.event_time)
    assert verdict.verdict == "diverged"
    worst = verdict.segments[0]
    assert worst.verdict == "diverged"
    assert worst.lower is not None
    assert worst.lower > 0.5
    assert worst.examples
    store.close()


def test_old_evidence_is_not_a_verdict(tmp_path: Path) -> None:
    config = configured(tmp_path / "t.duckdb")
    store = Store(config.store.path)
    standing = Standing(config, store, SECRET)
    for block in blocks(config, 30):
        store.commit(standing.apply(block))
    verdict = verdict_of(standing, now=standing.event_time + 2 * config.verdict.max_age_seconds)
    assert verdict.verdict == "inconclusive"
    assert any("verdict.max_age_seconds" in warning for warning in verdict.warnings)
    store.close()


def test_a_slow_segment_explains_the_segments_that_contain_it(tmp_path: Path) -> None:
    config = configured(tmp_path / "t.duckdb")
    store = Store(":memory:")
    standing = Standing(config, store, SECRET)
    for block in blocks(config, 175, broken=0.0, most=27):
        slow = tuple(
            _slowed(entry) if entry.kept.dims["language"] == "sw" else entry for entry in block.entries
        )
        store.commit(standing.apply(Block(block.number, slow)))
    verdict = verdict_of(standing, now=standing.event_time)
    diverged = [row for row in verdict.segments if row.verdict == "diverged" and row.level == "page"]
    assert {row.segment for row in diverged if row.explained_by is None} == {"language=sw"}
    assert {row.segment for row in diverged if row.explained_by == "language=sw"} >= {"all"}
    store.close()


def _slowed(entry: Entry) -> Entry:
    candidate, *others = entry.kept.legs
    legs = (None if candidate is None else 4 * candidate, *others)
    return replace(entry, kept=replace(entry.kept, legs=legs))
