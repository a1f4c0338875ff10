"""The theorem where it is sharp: scores whose mean is exactly m, and a budget large enough to count."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.detector import CAP, WEEK, Bank
from tests.benchmarks.alarm_engine import delay, first_of_each, per_week, watch, watch_paired
from tests.benchmarks.alarm_streams import (
    HEALTHY,
    PER_WEEK,
    SEGMENTS,
    Law,
    Paired,
    dropped,
    healthy,
    paired,
    repeated,
    resampled,
    scores,
)

WEEK_SHAPE = (SEGMENTS, PER_WEEK)


@pytest.mark.parametrize("law", ["mix", "bern"])
def test_a_hundred_paid_false_alarms_are_neither_exceeded_nor_wasted(law: Law) -> None:
    seen = watch(healthy(np.random.default_rng(1), law, WEEK_SHAPE), HEALTHY, budget=100)
    assert seen.paid == pytest.approx(100)
    assert 40 <= seen.alarms.sum() <= 100


def test_two_points_of_slack_silence_an_ordinary_budget() -> None:
    x = healthy(np.random.default_rng(2), "mix", WEEK_SHAPE)
    assert watch(x, HEALTHY + 0.02, budget=10).alarms.sum() <= 1


def test_an_unknown_floor_keeps_the_budget_in_wandering_traffic() -> None:
    streams = paired(np.random.default_rng(3), WEEK_SHAPE).with_share(np.random.default_rng(4), 0.2)
    assert watch_paired(streams, 0.02).alarms.sum() <= 4


def test_repeats_break_the_promise_and_their_first_ones_keep_it() -> None:
    rng = np.random.default_rng(5)
    starts = np.zeros((60, 2_000), dtype=bool)
    starts[:, ::8] = True
    x = repeated(scores(rng, HEALTHY, (60, 2_000)), starts)
    times = 100 + np.cumsum(np.where(starts, 1_186.0, 2.0), axis=1)
    counted = first_of_each(starts, times)
    assert np.array_equal(counted, starts)
    assert per_week(watch(x, HEALTHY).alarms) > 100
    assert watch(np.where(counted, x, np.nan), HEALTHY, times=times).alarms.sum() <= 1


def test_a_fifteen_point_drop_is_found_within_a_hundred_exchanges_or_so() -> None:
    x = dropped(6, "mix", 0.15, 100, before=1_000, after=600)
    found = delay(watch(x, HEALTHY + 0.02).alarms, 1_000)
    assert found.power == 1
    assert found.median <= 115


@pytest.mark.parametrize("m", [0.005, 0.02, 0.05])
def test_a_full_block_of_failures_leaves_finite_evidence_that_can_clear(m: float) -> None:
    bank = Bank(two_stream=False)
    bank.add(np.array([m]), 0.0, 1 / WEEK)
    rows = np.zeros(256, np.int64)
    (alarm,) = bank.feed(rows, np.full(256, 100.0), np.ones(256))
    assert (alarm.alarm, alarm.evidence) == (True, CAP)
    for second in range(200, 300):
        bank.feed(rows, np.full(256, float(second)), np.zeros(256))
    assert not bank.cells.firing[0]


def test_resampled_streams_draw_candidate_and_replay_from_one_pool() -> None:
    pools = [np.array([0.0, 0.0, 1.0]), np.array([0.25])]
    streams = resampled(np.random.default_rng(7), pools, (4, 3_000), 0.2)
    assert streams.candidate.mean(axis=1) == pytest.approx([1 / 3, 0.25, 1 / 3, 0.25], abs=0.05)
    assert np.isnan(streams.replay).mean() == pytest.approx(0.8, abs=0.02)
    assert isinstance(streams, Paired)
    assert watch_paired(streams, 0.02).alarms.sum() == 0
