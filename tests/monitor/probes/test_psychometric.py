"""Thresholds from few calls, and what is said where there is none."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from monitor.probes.draws import Draws
from monitor.probes.items import integers, octaves
from monitor.probes.psychometric import (
    Belief,
    Precision,
    Scale,
    Trial,
    boundary,
    done,
    shift_interval,
    shift_p_value,
)

CONTEXT = octaves(256, 131_072)
DEPTH = integers(1, 24)
USUAL = Precision()
Model = Callable[[float], bool]


def measured(scale: Scale, model: Model, wanted: Precision = USUAL) -> Belief:
    belief = Belief(scale)
    while not done(belief, wanted):
        level = belief.next_level()
        belief = belief.after(Trial(level, model(level)))
    return belief


def up_to(limit: float) -> Model:
    return lambda level: level <= limit


def test_a_sharp_limit_is_found_within_a_third_of_an_octave() -> None:
    found = boundary(measured(CONTEXT, up_to(8000)), USUAL)
    assert found.status == "in range"
    assert found.threshold is not None
    assert abs(math.log2(found.threshold / 8000)) < 0.3
    assert found.lower <= 8000 <= found.upper


def test_an_integer_limit_lies_between_the_last_passed_and_the_first_failed() -> None:
    found = boundary(measured(DEPTH, up_to(3)), USUAL)
    assert found.threshold is not None
    assert 3 <= found.threshold <= 4


def test_a_model_that_fails_the_easiest_level_is_below_range_after_four_calls() -> None:
    found = boundary(measured(DEPTH, lambda _: False), USUAL)
    assert (found.status, found.threshold, found.calls) == ("below range", None, 4)


def test_two_of_three_at_the_easiest_level_is_below_range_too() -> None:
    draws = Draws("half")
    found = boundary(measured(DEPTH, lambda _: draws.unit() < 0.4), USUAL)
    assert found.status == "below range"


def test_a_model_without_limit_is_above_range() -> None:
    found = boundary(measured(DEPTH, lambda _: True), USUAL)
    assert (found.status, found.threshold) == ("above range", None)
    assert found.lower > 24


def test_one_slip_does_not_move_the_threshold() -> None:
    slips = iter([True] * 5 + [False] + [True] * 100)
    found = boundary(measured(CONTEXT, lambda level: next(slips) and level <= 8000), USUAL)
    assert found.threshold is not None
    assert abs(math.log2(found.threshold / 8000)) < 0.5


def test_too_few_calls_are_unclear() -> None:
    found = boundary(measured(CONTEXT, up_to(8000), Precision(calls=4)), USUAL)
    assert found.status == "unclear"


def test_guessing_is_not_ability() -> None:
    draws = Draws("coin")
    scale = integers(1, 24, guess=0.5)
    found = boundary(
        measured(scale, lambda level: level <= 6 or draws.unit() < 0.5, Precision(calls=60)), Precision()
    )
    assert found.threshold is not None
    assert 5 <= found.threshold <= 9


def test_the_servers_own_count_moves_the_threshold() -> None:
    belief = Belief(CONTEXT)
    while not done(belief, USUAL):
        level = belief.next_level()
        belief = belief.after(Trial(level * 1.5, level <= 8000), asked=level)
    assert belief.quantile(0.5) == pytest.approx(math.log2(12_000), abs=0.3)


def test_a_lost_octave_is_significant_and_no_loss_is_not() -> None:
    baseline, worse = measured(CONTEXT, up_to(32_000)), measured(CONTEXT, up_to(8000))
    assert shift_p_value(baseline, worse, 0.5) < 0.01
    assert shift_p_value(baseline, measured(CONTEXT, up_to(32_000)), 0.5) > 0.9
    assert shift_p_value(worse, baseline, 0.5) > 0.99


def test_the_interval_of_a_shift_holds_it() -> None:
    middle, low, high = shift_interval(measured(CONTEXT, up_to(32_000)), measured(CONTEXT, up_to(8000)))
    assert low < -2 < high
    assert middle == pytest.approx(-2, abs=0.4)


def test_integer_scales_thin_out_above_sixteen() -> None:
    assert integers(1, 64).levels[:17] == (*tuple(map(float, range(1, 17))), 18.0)
    assert len(integers(1, 128).levels) < 45
