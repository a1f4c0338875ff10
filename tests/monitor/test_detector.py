from __future__ import annotations

import numpy as np
import pytest

from monitor.detector import (
    BETS,
    CAP,
    RARE_BETS,
    SMALLEST_NULL,
    WINDOW_REPLAYS,
    YOUNG_REPLAYS,
    Bank,
    block_ids,
)
from monitor.noise_floor import KNOTS, knot_counts


def one(null: float, rate: float = 1e-6, *, two_stream: bool = False) -> Bank:
    bank = Bank(two_stream=two_stream)
    bank.add(np.array([null]), 0.0, rate)
    return bank


def feed(
    bank: Bank, x: list[float], start: float = 1.0, x0: list[float] | None = None
) -> list[tuple[int, bool]]:
    """One observation a second, each its own block."""
    times = start + np.arange(len(x), dtype=float)
    reference = None if x0 is None else np.array(x0)
    found = bank.feed(np.zeros(len(x), np.int64), times, np.array(x), reference, np.arange(len(x)))
    return [(c.index, c.alarm) for c in found]


def test_blocks_are_whole_seconds_split_every_256_scores() -> None:
    times = np.concatenate([[0.1, 0.9, 1.0], np.full(300, 2.5), [7.0]])
    ids = block_ids(times)
    assert ids[:3].tolist() == [0, 0, 1]
    assert np.bincount(ids).tolist() == [2, 1, 256, 44, 1]
    assert block_ids(np.zeros(0)).tolist() == []


def test_the_update_pays_first_and_then_multiplies() -> None:
    bank = one(0.1, rate=0.006)
    feed(bank, [1.0])
    assert bank.cells.wealth[0, :, 0] == pytest.approx(0.001 * (1 + BETS * 9))
    assert bank.paid == pytest.approx(0.006)


def test_rare_events_are_bet_on_more_carefully() -> None:
    assert one(0.01).cells.bets[0].tolist() == RARE_BETS.tolist()
    assert one(0.05).cells.bets[0].tolist() == BETS.tolist()
    assert 1 / one(0.0).cells.inverse_null[0, 0] == pytest.approx(SMALLEST_NULL)


def test_failures_alarm_once_stay_capped_and_clear_after_the_fix() -> None:
    bank = one(0.05)
    assert feed(bank, [0.0] * 100 + [1.0] * 30) == [(105, True)]
    assert bank.cells.evidence[0] == CAP
    ((index, alarm),) = feed(bank, [0.0] * 200, start=200.0)
    assert (alarm, 3 <= index <= 30) == (False, True)
    assert not bank.cells.firing[0]


def test_an_alarm_is_looked_for_at_block_ends_only() -> None:
    bank = one(0.05, rate=0.1)
    times, x = np.full(12, 5.0), np.array([1.0] * 8 + [0.0] * 4)
    found = bank.feed(np.zeros(12, np.int64), times, x)
    assert [c.index for c in found] == [11]


def test_time_running_backwards_pays_nothing() -> None:
    bank = one(0.05)
    feed(bank, [0.0], start=100.0)
    paid = bank.paid
    feed(bank, [0.0], start=50.0)
    assert bank.paid == paid


def test_counts_and_sums_start_at_the_candidate() -> None:
    bank = one(0.05, two_stream=True)
    nan = float("nan")
    feed(bank, [0.5, 1.0, nan], x0=[nan, 0.25, 0.75])
    cells = bank.cells
    assert (cells.pairs[0], cells.replays[0], cells.sum_x[0], cells.sum_x0[0]) == (2, 2, 1.5, 1.0)
    bank.restart(10.0)
    assert (cells.pairs[0], cells.replays[0], cells.born[0], cells.wealth.sum()) == (0, 0, 10.0, 0.0)


def test_a_new_candidate_keeps_the_floor_and_a_changed_baseline_does_not() -> None:
    bank = one(0.05, two_stream=True)
    feed(bank, [0.0] * 400, x0=[0.0] * 400)
    floor = bank.cells.floor.copy()
    bank.restart(500.0)
    np.testing.assert_array_equal(bank.cells.floor, floor)
    assert (bank.known()[0], bank.cells.replays[0]) == (400, 0)
    bank.restart(600.0, forget_floor=True)
    assert (bank.known()[0], bank.cells.floor.max()) == (0, 1.0)


def test_a_lump_meets_no_evidence_gathered_before() -> None:
    bank = one(0.05, two_stream=True)
    feed(bank, [0.0] * 400, x0=[0.0] * 400)
    bank.restart(500.0)
    bank.pay(np.array([0.1]))
    assert (bank.cells.wealth[0].sum(axis=0) * bank.cells.floor[0]).max() <= 0.1 * (1 + 1e-12)
    assert bank.cells.granted[0] == 0.1


def test_without_replays_a_two_stream_row_cannot_alarm() -> None:
    assert feed(one(0.05, two_stream=True), [1.0] * 2_000) == []


def test_replays_let_a_two_stream_row_alarm_and_a_noisy_baseline_keeps_it_quiet() -> None:
    rng = np.random.default_rng(1)
    x = (rng.random(3_000) < 0.4).astype(float).tolist()
    calm, noisy = (rng.random((2, 3_000)) < [[0.05], [0.4]]).astype(float).tolist()
    assert [alarm for _, alarm in feed(one(0.05, two_stream=True), x, x0=calm)][:1] == [True]
    assert feed(one(0.05, two_stream=True), x, x0=noisy) == []


def test_a_window_ends_only_when_it_is_full_and_old_replays_stop_counting() -> None:
    bank = one(0.05, two_stream=True)
    feed(bank, [0.0] * (WINDOW_REPLAYS - 1), x0=[0.0] * (WINDOW_REPLAYS - 1))
    bank.rotate()
    assert bank.cells.counts[0].sum(axis=1).tolist() == [499, 499]
    feed(bank, [0.0], x0=[1.0], start=2_000.0)
    bank.rotate()
    feed(bank, [0.0], x0=[1.0], start=3_000.0)
    assert bank.cells.counts[0].sum(axis=1).tolist() == [501, 1]


def test_changing_the_source_of_the_floor_never_raises_evidence() -> None:
    rng = np.random.default_rng(2)
    bank = one(0.05, rate=1e-3, two_stream=True)
    bank.lend(np.array([0]), knot_counts(np.zeros(300)).sum(axis=0)[None])
    for index in range(YOUNG_REPLAYS + 5):
        feed(bank, [float(rng.random() < 0.3)], start=float(index + 1), x0=[float(rng.random() < 0.05)])
        product = bank.cells.wealth[0].sum(axis=0) * bank.cells.floor[0]
        assert np.isfinite(product).all()
        before = product
    bank.cells.counts[0, 1] = np.eye(len(KNOTS))[0] * WINDOW_REPLAYS
    bank.rotate()
    assert (bank.cells.wealth[0].sum(axis=0) * bank.cells.floor[0] <= before * (1 + 1e-12)).all()


def test_lent_replays_make_a_young_row_sensitive() -> None:
    lent, alone = one(0.05, two_stream=True), one(0.05, two_stream=True)
    lent.lend(np.array([0]), knot_counts(np.zeros(400)).sum(axis=0)[None])
    failures = [1.0] * 60
    assert [alarm for _, alarm in feed(lent, failures)] == [True]
    assert feed(alone, failures) == []
    assert (lent.has_floor()[0], alone.has_floor()[0]) == (True, False)


def test_a_null_may_change_between_observations() -> None:
    bank = one(0.5)
    bank.set_nulls(np.array([0]), np.array([0.9]))
    assert 1 / bank.cells.inverse_null[0, 0] == pytest.approx(0.9)
