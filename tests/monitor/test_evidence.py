from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.config import Config
from monitor.errors import StoreError
from monitor.evidence import Engine, Event, Observation, Row, Settings, cut, parents_of
from monitor.records import ALL, Segment

SETTINGS = Settings.of(Config())
THAI = Segment("language=th")
NAN = float("nan")


def traffic(
    seed: int, pairs: int, *, broken: float = 0.0, start: float = 1000.0, every: float = 0.4
) -> Iterator[Observation]:
    """Pairs of three languages with every kind of signal; Thai answers break with rate `broken`."""
    rng = np.random.default_rng(seed)
    for index in range(pairs):
        language = rng.choice(["en", "de", "th"], p=[0.6, 0.3, 0.1])
        replayed = bool(rng.random() < 0.3)
        bad = broken if language == "th" else 0.0
        yield Observation(
            start + index * every,
            (ALL, Segment(f"language={language}"), Segment("task=chat")),
            {
                "degenerate": float(rng.random() < bad),
                "format": float(rng.random() < 0.02 + bad),
                "answer": rng.random() / 5,
            },
            {"format": float(rng.random() < 0.02), "answer": rng.random() / 5} if replayed else {},
            {"latency": (rng.lognormal(), rng.lognormal() if replayed else None)},
            prompt=f"p{index}",
        )


def run(engine: Engine, observations: Iterator[Observation]) -> list[Event]:
    return [event for block in cut(observations) for event in engine.apply(block)]


def row(engine: Engine, segment: str, signal: str) -> Row:
    return next(r for r in engine.rows() if (r.segment, r.signal) == (segment, signal))


def test_blocks_end_with_the_second_or_after_256_pairs() -> None:
    times = [0.1, 0.9, 1.0, *[2.5] * 300, 2.4, 7.0]
    assert [len(block) for block in cut(Observation(t, (ALL,), {}) for t in times)] == [2, 1, 256, 45, 1]


def test_parents_are_the_parts_of_a_cross_and_all() -> None:
    assert parents_of(Segment("a=1,b=2")) == ("a=1", "b=2", ALL)
    assert (parents_of(THAI), parents_of(ALL)) == ((ALL,), ())


def test_the_broken_segment_alarms_and_healthy_ones_do_not() -> None:
    engine = Engine(SETTINGS)
    run(engine, traffic(1, 2_000))
    events = run(engine, traffic(2, 600, broken=0.9, start=2_000.0))
    assert {(e.kind, e.segment) for e in events if e.signal == "degenerate"} == {("alarm", THAI)}
    assert row(engine, THAI, "degenerate").firing


def test_only_page_and_ticket_signals_are_tested() -> None:
    engine = Engine(replace(SETTINGS, levels={"error": "page", "empty": "show", "truncated": "off"}))
    engine.apply([Observation(0.0, (ALL,), {"error": 0.0, "empty": 0.0, "truncated": 0.0, "length": 1.0})])
    assert [r.signal for r in engine.rows()] == ["error"]


def test_each_level_brings_its_allowed_drop() -> None:
    engine = Engine(SETTINGS)
    engine.apply(
        [
            Observation(
                0.0, (ALL,), {"error": 0.0, "truncated": 0.0, "forced_drop": 0.0, "calibration_gap": 0.5}
            )
        ]
    )
    assert {r.signal: r.null for r in engine.rows()} == pytest.approx(
        {"error": 0.05, "truncated": 0.02, "forced_drop": 0.12, "calibration_gap": 0.525}
    )


def test_a_repeat_within_the_hour_is_left_out_and_counted() -> None:
    engine = Engine(SETTINGS)
    pair = Observation(
        0.0, (ALL, THAI), {"error": 1.0, "answer": 1.0}, {}, {"latency": (1.0, 1.0)}, "s1/1", "p"
    )
    engine.apply([pair, replace(pair, prompt="other"), replace(pair, time=3600.0)])
    assert [row(engine, ALL, s).pairs for s in ("error", "answer", "latency_p50")] == [3, 2, 2]
    assert engine.repeated == 4


def test_the_provable_form_keeps_replayed_exchanges_out_of_x() -> None:
    for provable, pairs in ((False, 2), (True, 1)):
        engine = Engine(replace(SETTINGS, provable=provable))
        engine.apply(
            [
                Observation(0.0, (ALL,), {"answer": 1.0}, {"answer": 0.0}),
                Observation(0.0, (ALL,), {"answer": 1.0}),
            ]
        )
        assert (row(engine, ALL, "answer").pairs, row(engine, ALL, "answer").replays) == (pairs, 1)


def test_a_new_candidate_starts_at_zero_ends_alarms_and_is_paid_a_lump() -> None:
    engine = Engine(SETTINGS)
    run(engine, traffic(3, 800, broken=0.9))
    paid = engine.paid
    events = engine.new_candidate(5_000.0)
    assert ("clear", THAI, "degenerate") in {(e.kind, e.segment, e.signal) for e in events}
    assert all((r.pairs, r.firing, r.born) == (0, False, 5_000.0) for r in engine.rows())
    assert 0.02 < engine.paid - paid < 0.06


def test_a_young_segment_borrows_replays_of_flip_prone_signals_only() -> None:
    engine = Engine(SETTINGS)
    pairs = [Observation(float(t), (ALL,), {}, {"format": 0.0, "answer": 0.0}) for t in range(100)]
    pairs += [Observation(100.0 + t, (ALL, THAI), {"format": 1.0, "answer": 1.0}) for t in range(80)]
    alarms = {(e.segment, e.signal) for e in run(engine, iter(pairs)) if e.kind == "alarm"}
    assert (THAI, "format") in alarms
    assert (THAI, "answer") not in alarms
    assert (row(engine, THAI, "format").ready, row(engine, THAI, "answer").ready) == (True, False)


def test_slow_answers_alarm_on_every_rung_and_equal_ones_on_none() -> None:
    rng = np.random.default_rng(4)

    def pairs(factor: float, start: float, count: int) -> Iterator[Observation]:
        for index in range(count):
            candidate, replay = rng.lognormal(sigma=0.5, size=2)
            yield Observation(start + index, (ALL,), {}, {}, {"ttft": (factor * candidate, replay)})

    engine = Engine(SETTINGS)
    assert run(engine, pairs(1.0, 0.0, 3_000)) == []
    alarms = {e.signal for e in run(engine, pairs(4.0, 3_000.0, 300)) if e.kind == "alarm"}
    assert alarms == {"ttft_p50", "ttft_p90", "ttft_p95", "ttft_p99"}


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 200))
def test_a_restart_anywhere_changes_no_bit(seed: int, block: int) -> None:
    blocks = list(cut(traffic(seed, 900, broken=0.5)))
    whole, first = Engine(SETTINGS), Engine(SETTINGS)
    expected = [event for b in blocks for event in whole.apply(b)]
    found = [event for b in blocks[:block] for event in first.apply(b)]
    second = Engine(SETTINGS)
    assert second.restore(first.snapshot())
    assert second.blocks == block
    found += [event for b in blocks[second.blocks :] for event in second.apply(b)]

    assert found == expected
    assert second.snapshot() == whole.snapshot()


def test_another_configuration_starts_at_zero_but_keeps_the_budget() -> None:
    before = Engine(SETTINGS)
    run(before, traffic(5, 300))
    after = Engine(replace(SETTINGS, config_hash="other"))
    assert not after.restore(before.snapshot())
    assert (after.rows(), after.paid, after.blocks) == ([], before.paid, before.blocks)
    assert after.ledger is not None
    assert before.ledger is not None
    assert after.ledger.lump_left == pytest.approx(before.ledger.lump_left / 2)


def test_changing_the_configuration_back_and_forth_earns_no_more_than_the_weeks_lumps() -> None:
    engine = Engine(SETTINGS)
    run(engine, traffic(6, 300))
    for number in range(20):
        again = Engine(replace(SETTINGS, config_hash=str(number)))
        again.restore(engine.snapshot())
        run(again, traffic(number, 100, start=engine.now))
        engine = again
    assert engine.paid <= 0.2 + 0.8 * (engine.now - 1000.0) / 604_800


@pytest.mark.parametrize("blob", [b"", b"PK\x03\x04", b"not a snapshot"])
def test_a_damaged_snapshot_is_refused(blob: bytes) -> None:
    with pytest.raises(StoreError, match="snapshot"):
        Engine(SETTINGS).restore(blob)


def test_a_thousand_segments_of_twelve_signals_fit_into_fifty_megabytes() -> None:
    engine = Engine(SETTINGS)
    names = [
        "format",
        "code",
        "tool_call",
        "constraint",
        "refusal",
        "answer",
        "number_scale",
        "error",
        "empty",
        "degenerate",
        "script",
        "language",
    ]
    scores = dict.fromkeys(names, 0.0)
    engine.apply([Observation(0.0, (Segment(f"tenant={i}"),), scores) for i in range(1000)])
    assert len(engine.rows()) == 12_000
    assert len(engine.snapshot()) <= 50_000_000
