"""Exact quantiles of every segment from one sort: the database's own, whatever the segments."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import numpy as np
import pytest
from numpy.typing import NDArray

from monitor.report.dimensions import Dimension
from monitor.report.ladders import MEASUREMENTS, Ordered, ladders_of, ordered
from monitor.report.model import FEWEST, Ladder

LANGUAGES = ("language=en", "language=sw", None)
"""By combination: the third has no such dimension."""


def drawn(count: int, seed: int = 7) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Seconds with many ties, and combinations 0 to 2 of very different sizes."""
    rng = np.random.default_rng(seed)
    return rng.lognormal(0, 1, count).round(2), rng.choice(3, count, p=[0.9, 0.02, 0.08])


def by_database(seconds: NDArray[np.float64], combinations: NDArray[np.int64]) -> dict[int, list[float]]:
    rows = duckdb.connect().execute(
        "SELECT c, quantile_cont(s, [0.5, 0.99]) FROM (SELECT unnest($s) AS s, unnest($c) AS c) GROUP BY c",
        {"s": seconds.tolist(), "c": combinations.tolist()},
    )
    return dict(rows.fetchall())


def ladders(seconds: Sequence[float], combinations: Sequence[int], replays: int = 0) -> dict[str, Ladder]:
    """Of the languages and of all; the first `replays` answers were replayed, twice as fast."""
    values, numbers = np.array(seconds, np.float64), np.array(combinations, np.int32)
    replayed = Ordered.of(values[:replays] / 2, numbers[:replays])
    answers = dict(zip(MEASUREMENTS, (Ordered.of(values, numbers), replayed) * 2, strict=True))
    return {
        ladder.segment: ladder
        for ladder in ladders_of(answers, [Dimension.of(("all",) * 3), Dimension.of(LANGUAGES)])
    }


@pytest.mark.parametrize("count", [1, 2, 3, 100, 101, 5_000])
def test_quantiles_are_the_databases(count: int) -> None:
    seconds, combinations = drawn(count)
    sizes, found = Ordered.of(seconds, combinations).quantiles(np.arange(3, dtype=np.uint8), 3)
    assert sizes.tolist() == np.bincount(combinations, minlength=3).tolist()
    expected = by_database(seconds, combinations)
    assert {at: found[at].tolist() for at in range(3) if sizes[at]} == expected


def test_more_segments_than_a_byte_counts() -> None:
    seconds = np.arange(3_000.0)
    combinations = np.arange(3_000) % 1_000
    sizes, found = Ordered.of(seconds[::-1], combinations[::-1]).quantiles(
        np.arange(1_000, dtype=np.uint16), 1_000
    )
    assert sizes.tolist() == [3] * 1_000
    assert found[:, 0].tolist() == list(range(1_000, 2_000))


def test_a_segment_holds_all_of_its_combinations_and_no_other() -> None:
    found = ladders([1.0, 2.0, 3.0, 10.0], [0, 1, 1, 2])
    assert {name: ladder.candidates for name, ladder in found.items()} == {
        "all": 4,
        "language=en": 1,
        "language=sw": 2,
    }
    assert found["language=sw"].duration == pytest.approx((2.5, 2.99, None, None))
    assert found["all"].duration[0] == 2.5


def test_a_segment_that_only_the_replay_answered_has_no_ladder() -> None:
    answers = {name: Ordered.of(np.array([]), np.array([], np.int32)) for name in MEASUREMENTS}
    answers["replay"] = Ordered.of(np.array([1.0]), np.array([0]))
    assert ladders_of(answers, [Dimension.of(LANGUAGES)]) == []


def test_pairs_without_a_measurement_are_left_out_part_by_part() -> None:
    parts = [
        {
            "combination": np.array([0, 1]),
            **dict.fromkeys(MEASUREMENTS, np.ma.masked_array([3.0, 9.0], [False, True])),
        },
        {"combination": np.array([2]), **dict.fromkeys(MEASUREMENTS, np.array([1.0]))},
    ]
    made = ordered(parts)["replay"]
    assert (made.seconds.tolist(), made.combinations.tolist()) == ([1.0, 3.0], [2, 0])


def test_the_tail_ratio_is_each_arms_own_p99_over_its_p50() -> None:
    seconds = [1.0] * 98 + [5.0] * 2
    ladder = ladders(seconds, [0] * FEWEST, replays=FEWEST)["all"]
    assert ladder.duration == (1.0, 5.0, 0.5, 2.5)
    assert ladder.duration_tail == ladder.first_token_tail == (5.0, 5.0)
    assert ladder.ratio == 2.0


def test_below_a_hundred_answers_an_arm_has_no_tail_ratio() -> None:
    assert ladders([1.0] * FEWEST, [0] * FEWEST, replays=FEWEST - 1)["all"].duration_tail == (1.0, None)
