from __future__ import annotations

import json

import numpy as np
import pytest

from monitor.intervals import rate_at_most
from monitor.latency import ERROR_RATE, LAST_FIT, Reference, legs, limit
from monitor.records import Completion, Exchange, Pair, Request
from monitor.signals import RUNGS


def learnt(seconds: list[float] | np.ndarray, parent: Reference | None = None) -> Reference:
    reference = Reference()
    for value in seconds:
        reference.learn(float(value), parent)
    return reference


def made(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.exp(0.6 * rng.standard_normal(n))


def pair(candidate: Completion, replay: Completion | None = None, baseline_tokens: int | None = 100) -> Pair:
    request = Request("chat", {}, ())
    return Pair(Exchange("1", 0.0, request, Completion(output_tokens=baseline_tokens)), candidate, replay)


def test_the_limit_is_twenty_percent_but_at_least_fifty_milliseconds() -> None:
    assert [limit(0.1), limit(0.25), limit(10.0)] == pytest.approx([0.15, 0.3, 12.0])


def test_nothing_is_judged_without_a_reference_or_a_replay() -> None:
    assert Reference().judge((1.0, None)) == []
    assert learnt([1.0] * 199).judge((1.0, None)) == []


def test_before_there_is_a_reference_p50_is_judged_pair_by_pair() -> None:
    (outcome,) = Reference().judge((1.3, 1.0))
    assert outcome == ("p50", 1.0, 0.5)
    assert Reference().judge((1.1, 1.0))[0].x == 0.0


def test_two_hundred_replays_open_all_four_rungs() -> None:
    reference = learnt(made(np.random.default_rng(1), 200))
    outcomes = reference.judge((100.0, None))
    assert [o.rung for o in outcomes] == list(RUNGS)
    assert [o.x for o in outcomes] == [1.0] * 4
    assert reference.ready


def test_quantiles_come_from_the_first_half_and_nulls_from_the_second() -> None:
    values = made(np.random.default_rng(2), 200)
    reference = learnt(values)
    first, second = values[:100], values[100:]
    q50 = float(np.quantile(first, 0.5, method="inverted_cdf"))
    slow, fast = reference.judge((limit(q50) + 1e-9, None))[0], reference.judge((limit(q50), None))[0]
    assert (slow.x, fast.x) == (1.0, 0.0)
    assert slow.null == rate_at_most(int((second > q50).sum()), 100, ERROR_RATE / 2)


def test_the_bound_tightens_with_more_replays_and_memory_stays_bounded() -> None:
    rng = np.random.default_rng(3)
    young, old = learnt(made(rng, 200)), learnt(made(rng, 20_000))
    assert old.judge((1.0, None))[3].null < young.judge((1.0, None))[3].null / 4
    assert old.seconds == []
    assert old.replays == 20_000 > LAST_FIT


def test_the_bound_holds_at_every_look_in_many_worlds() -> None:
    """Shares of healthy calls beyond the quantile, known exactly because the times are uniform."""
    rng = np.random.default_rng(4)
    wrong = 0
    for _ in range(60):
        reference = learnt(rng.random(1_700))
        assert reference.tail is not None
        assert reference.tail.nulls is not None
        wrong += sum(1 - q > m for q, m in zip(reference.tail.quantiles, reference.tail.nulls, strict=True))
    assert wrong == 0


def test_a_young_segment_borrows_quantiles_but_counts_its_own_share() -> None:
    rng = np.random.default_rng(5)
    parent = learnt(made(rng, 200))
    slow = learnt(3 * made(rng, 40), parent)
    assert parent.tail is not None
    assert slow.tail is not None
    assert slow.tail.quantiles == parent.tail.quantiles
    assert slow.judge((100.0, None))[0].null > 0.9


def test_the_limit_of_a_rung_is_what_it_judges_by() -> None:
    reference = learnt(made(np.random.default_rng(8), 200))
    p95 = reference.limit("p95")
    assert p95 is not None
    assert [reference.judge((seconds, None))[2].x for seconds in (p95, p95 * 1.001)] == [0.0, 1.0]
    assert Reference().limit("p95") is None


def test_state_survives_a_dump_through_json() -> None:
    reference = learnt(made(np.random.default_rng(6), 300))
    again = Reference.load(json.loads(json.dumps(reference.dump())))
    for value in made(np.random.default_rng(7), 2_000):
        assert reference.learn(float(value)) == again.learn(float(value))
    assert reference.dump() == again.dump()


def test_the_part_after_the_first_token_is_scaled_to_the_baselines_length() -> None:
    longer = Completion(duration_seconds=2.1, time_to_first_token_seconds=0.1, output_tokens=200)
    assert legs(pair(longer))["latency"][0] == pytest.approx(1.1)
    assert legs(pair(longer, longer))["ttft"] == (0.1, 0.1)


def test_a_one_word_answer_is_not_blown_up() -> None:
    short = Completion(duration_seconds=0.2, time_to_first_token_seconds=0.1, output_tokens=1)
    assert legs(pair(short))["latency"][0] == pytest.approx(0.5)


def test_without_tokens_or_first_token_the_duration_stays_as_measured() -> None:
    assert legs(pair(Completion(duration_seconds=2.0, output_tokens=7)))["latency"][0] == 2.0


def test_a_timeout_is_slower_than_anything_and_a_refusal_is_no_latency() -> None:
    found = [
        legs(pair(Completion(error_type=kind, duration_seconds=9.0)))["latency"][0]
        for kind in ("timeout", "shed")
    ]
    assert found == [float("inf"), None]


def test_the_servers_own_clock_replaces_ours_where_both_report() -> None:
    arm = Completion(
        duration_seconds=9.0,
        server_duration_seconds=1.0,
        server_time_to_first_token_seconds=0.1,
        output_tokens=100,
    )
    assert legs(pair(arm, arm), server_side=True)["latency"] == (1.0, 1.0)
