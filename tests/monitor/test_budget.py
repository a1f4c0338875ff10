from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.budget import CLOCK, LEVELS, LUMPS, NEWCOMERS, WEEK, Ledger, Member, equal_shares
from monitor.config import Config
from monitor.evidence import Engine, Observation, Settings
from monitor.records import ALL, Segment
from monitor.signals import Level

PAGE_LEAF, PAGE_PARENT, TICKET_LEAF = Member("page", False), Member("page", True), Member("ticket", False)


def test_shares_follow_level_and_class() -> None:
    shares = equal_shares([PAGE_LEAF, PAGE_LEAF, PAGE_PARENT, TICKET_LEAF])
    assert shares == pytest.approx([0.7 * 0.7 / 2, 0.7 * 0.7 / 2, 0.7 * 0.2, 0.3 * 0.7])


members = st.builds(Member, level=st.sampled_from(list(LEVELS)), parent=st.booleans())


@given(st.lists(members, max_size=40))
def test_shares_and_reserves_sum_to_at_most_one(known: list[Member]) -> None:
    assert equal_shares(known).sum() + NEWCOMERS * sum(LEVELS.values()) <= 1 + 1e-12


levels = st.sampled_from(list(LEVELS))


@given(st.lists(st.lists(levels, min_size=1, max_size=5), max_size=30))
def test_batches_of_newcomers_never_exhaust_the_reserve(batches: list[list[Level]]) -> None:
    ledger = Ledger(1.0, 0.0)
    given_away = sum((float(ledger.newcomers(batch).sum()) for batch in batches), start=0.0)
    assert given_away + sum(ledger.reserve.values()) == pytest.approx(NEWCOMERS)


def test_each_batch_of_newcomers_takes_half_of_what_is_left() -> None:
    ledger = Ledger(1.0, 0.0)
    first, second = ledger.newcomers(["page", "page"]), ledger.newcomers(["page"])
    assert first == pytest.approx([0.7 * 0.1 / 4] * 2)
    assert second == pytest.approx([0.7 * 0.1 / 4])


def test_lumps_are_halves_of_what_is_left_and_come_back_weekly() -> None:
    ledger = Ledger(1.0, 0.0)
    assert ledger.opening == pytest.approx(LUMPS / 2)
    assert [ledger.lump(), ledger.lump()] == pytest.approx([LUMPS / 4, LUMPS / 8])
    while ledger.week == 0:
        ledger.rebalanced(ledger.next_rebalance)
    assert ledger.lump() == pytest.approx(LUMPS / 2)


def test_rebalances_double_their_distance_and_then_come_weekly() -> None:
    ledger = Ledger(1.0, 100.0)
    moments = []
    for _ in range(20):
        moments.append(ledger.next_rebalance - 100.0)
        ledger.rebalanced(ledger.next_rebalance)
    assert moments[:4] == [4.0, 8.0, 16.0, 32.0]
    assert moments[-3:] == [4.0 * 2**17, WEEK, 2 * WEEK]


ENGINE_SETTINGS = Settings.of(Config())


def blocks_of(rng: np.random.Generator, count: int) -> list[Observation]:
    """Traffic in which ever new segments show up, with a pair on every week's start."""
    times = np.sort(np.concatenate([rng.random(count) * 3 * WEEK, WEEK * np.arange(4)]))
    return [
        Observation(
            float(time),
            (ALL, Segment(f"tenant={rng.integers(0, 1 + index // 4)}")),
            {"error": 0.0, "truncated": 0.0},
        )
        for index, time in enumerate(times)
    ]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.sets(st.integers(0, 120), max_size=12))
def test_no_week_pays_more_than_its_budget_whatever_appears_or_is_deployed(
    seed: int, deploys: set[int]
) -> None:
    engine = Engine(ENGINE_SETTINGS)
    paid_before, previous = 0.0, 0.0
    for index, observation in enumerate(blocks_of(np.random.default_rng(seed), 120)):
        engine.apply([observation])
        if observation.time % WEEK == 0 and observation.time > 0:
            assert engine.paid - paid_before <= ENGINE_SETTINGS.budget_per_week + 1e-9
            paid_before = engine.paid
        if index in deploys:
            engine.new_candidate(observation.time)
        assert engine.paid >= previous
        previous = engine.paid


def test_a_full_week_by_the_clock_pays_what_its_classes_are_due() -> None:
    engine = Engine(ENGINE_SETTINGS)
    for time in (0.0, 3600.0, WEEK):
        engine.apply([Observation(time, (ALL, Segment("language=th")), {"error": 0.0})])
    due = LEVELS["page"] * 0.9
    assert due * CLOCK * 0.99 <= engine.paid <= due * (CLOCK + LUMPS)
