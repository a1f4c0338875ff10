from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.detector import Bank
from monitor.power import pairs_needed, smallest_drop
from monitor.records import ALL
from monitor.table import Row

STEP = 150.0
RATE = 1 / 300 / 604_800
ONE = Row(ALL, "error", "page", 0.0, False, 0.0, 0.0, 1_000, 0, 0.0, 0.0, False, 0.05, RATE)
TWO = replace(ONE, signal="answer", two_stream=True, replays=200, sum_x0=0.0)
NOW = 1_000 * STEP


def alarm_p90(row: Row, mean: float, floor: float, length: int) -> float:
    """Exchanges until nine of ten streams alarmed, by simulation."""
    rng, streams = np.random.default_rng(1), 200
    bank = Bank(two_stream=row.two_stream)
    bank.add(np.full(streams, row.null), 0.0, row.rate)
    rows, index = np.tile(np.arange(streams), length), np.repeat(np.arange(length), streams)
    x = (rng.random(len(rows)) < mean).astype(float)
    x0 = np.where(rng.random(len(rows)) < 0.2, (rng.random(len(rows)) < floor).astype(float), np.nan)
    first = np.full(streams, np.inf)
    for crossing in bank.feed(rows, np.asarray(STEP * (index + 1.0), np.float64), x, x0, index):
        if crossing.alarm:
            first[crossing.row] = min(first[crossing.row], index[crossing.index] + 1)
    return float(np.quantile(first, 0.9, method="higher"))


def test_one_stream_needs_about_what_a_simulation_needs() -> None:
    needed = pairs_needed(ONE, 0.15, NOW)
    assert needed is not None
    assert 0.8 <= needed / alarm_p90(ONE, 0.2, 0.0, 400) <= 1.3


def test_two_streams_need_no_less_than_a_simulation_and_not_twice_as_much() -> None:
    needed = pairs_needed(TWO, 0.15, NOW)
    assert needed is not None
    assert 1.0 <= needed / alarm_p90(TWO, 0.2, 0.0, 1_200) <= 2.0


def test_a_larger_drop_needs_fewer_pairs_and_a_noisy_floor_more() -> None:
    small, large = pairs_needed(ONE, 0.1, NOW), pairs_needed(ONE, 0.5, NOW)
    calm, noisy = pairs_needed(TWO, 0.15, NOW), pairs_needed(replace(TWO, sum_x0=20.0), 0.15, NOW)
    assert None not in {small, large, calm, noisy}
    assert large < small  # type: ignore[operator]
    assert calm < noisy  # type: ignore[operator]


@pytest.mark.parametrize(
    "row",
    [
        replace(ONE, pairs=0),
        replace(ONE, rate=0.0),
        replace(TWO, replays=0),
        replace(ONE, null=1.0),
        replace(TWO, sum_x0=200.0),
    ],
)
def test_what_cannot_be_seen_has_no_number(row: Row) -> None:
    assert pairs_needed(row, 0.15, NOW) is None


def test_the_lump_of_a_rollout_shortens_the_wait_for_ok_but_not_for_other_days() -> None:
    lump = replace(ONE, granted=5e-4)
    plain, helped = pairs_needed(ONE, 0.15, NOW), pairs_needed(lump, 0.15, NOW)
    assert plain is not None
    assert helped is not None
    assert helped < 0.8 * plain
    assert smallest_drop(lump, NOW) == smallest_drop(ONE, NOW)


def test_a_floor_that_is_known_already_needs_fewer_pairs() -> None:
    plain, helped = pairs_needed(TWO, 0.15, NOW), pairs_needed(replace(TWO, known=2_000), 0.15, NOW)
    assert plain is not None
    assert helped is not None
    assert helped < 0.5 * plain


def test_a_quiet_segment_reveals_only_a_large_drop_within_a_day() -> None:
    busy, quiet = smallest_drop(ONE, NOW), smallest_drop(ONE, 40 * NOW)
    assert busy is not None
    assert quiet is not None
    assert busy < 0.1 < quiet


def test_a_segment_with_a_pair_a_day_reveals_nothing_within_a_day() -> None:
    assert smallest_drop(replace(ONE, pairs=10), 10 * 86_400.0) is None
