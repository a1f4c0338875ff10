"""What is said of an axis where an arm has no threshold on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from monitor.intervals import mcnemar_p_value
from monitor.probes.axes import AXES
from monitor.probes.findings import (
    AxisRow,
    Fresh,
    Outcome,
    axis_row,
    corrected,
    fell_off,
    item_rows,
    looks_lost,
    rate_rows,
)
from monitor.probes.psychometric import Belief, Precision, Trial, done

HOPS = AXES["hops"]
USUAL = Precision()
ASKED = 24


def up_to(limit: float) -> Belief:
    """A model that passes every level up to `limit`."""
    return answering(lambda level: level <= limit)


def answering(model: Callable[[float], bool]) -> Belief:
    belief = Belief(HOPS.scale)
    while not done(belief, USUAL):
        level = belief.next_level()
        belief = belief.after(Trial(level, model(level)))
    return belief


def answers(passed: Sequence[bool]) -> list[Outcome]:
    return [Outcome(f"hops/1/{number}", right, 1.0) for number, right in enumerate(passed)]


def fresh(candidate: int, baseline: int, answered: int = ASKED) -> Fresh:
    """So many of the first items pass."""
    arms = ([number < passed for number in range(answered)] for passed in (candidate, baseline))
    return Fresh(1.0, ASKED, *map(answers, arms))


def judged(candidate: Belief, baseline: Belief, asked: Fresh | None = None) -> AxisRow:
    row = axis_row(HOPS, USUAL, candidate, baseline, floor=False, fresh=asked)
    return corrected([row], [])[0][0]


NOTHING, FOUR, TWELVE, ALL = (up_to(limit) for limit in (0, 4, 12, 99))


def test_a_candidate_that_fell_off_the_axis_is_judged_by_fresh_items_alone() -> None:
    row = judged(NOTHING, FOUR, fresh(9, 22))
    assert (row.verdict, row.p_value) == ("worse", mcnemar_p_value(13, 0))
    assert (row.shift, row.shift_interval) == (None, None)
    assert row.easiest is not None
    assert (row.easiest.candidate, row.easiest.baseline, row.easiest.items) == (9, 22, ASKED)
    assert row.easiest.examples[0] == "hops/1/9"


def test_fresh_items_that_both_pass_alike_are_no_finding_whatever_the_thresholds_look_like() -> None:
    row = judged(NOTHING, ALL, fresh(20, 21))
    assert (row.verdict, row.p_value) == ("ok", 0.5)


@pytest.mark.parametrize("asked", [None, fresh(0, 0, 0), fresh(2, 3, 3)], ids=["none", "empty", "few"])
def test_without_its_fresh_items_a_fall_is_unclear(asked: Fresh | None) -> None:
    row = judged(NOTHING, FOUR, asked)
    assert (row.verdict, row.candidate.status) == ("unclear", "below range")


@pytest.mark.parametrize("candidate", [NOTHING, FOUR, ALL], ids=["below", "in", "above"])
def test_a_baseline_below_the_axis_has_nothing_to_lose(candidate: Belief) -> None:
    row = judged(candidate, NOTHING)
    assert (row.verdict, row.p_value, row.shift, row.easiest) == ("ok", 1.0, None, None)


def test_two_arms_above_the_axis_have_no_shift() -> None:
    row = judged(ALL, ALL)
    assert (row.verdict, row.shift) == ("ok", None)
    assert row.p_value == pytest.approx(1.0, abs=0.01)


def test_a_loss_from_above_the_axis_is_at_least_what_lies_within_it() -> None:
    row = judged(FOUR, ALL)
    assert (row.verdict, row.bound) == ("worse", "at most")
    assert row.shift == pytest.approx(-2.83, abs=0.3)  # 4.5 to 32 steps, not to the 128 of the grid's margin


def test_a_gain_beyond_the_axis_is_at_least_what_lies_within_it() -> None:
    row = judged(ALL, FOUR)
    assert (row.verdict, row.bound) == ("ok", "at least")
    assert row.shift == pytest.approx(2.83, abs=0.3)


def test_thresholds_of_both_are_compared_without_a_bound() -> None:
    row = judged(FOUR, TWELVE)
    assert (row.verdict, row.bound) == ("worse", None)
    assert row.shift == pytest.approx(-1.5, abs=0.3)


def test_only_a_candidate_that_falls_alone_is_asked_for_more_at_the_easiest_level() -> None:
    fell = [(before, own) for before in (NOTHING, FOUR, ALL) for own in (NOTHING, FOUR, ALL)]
    assert [pair for pair in fell if fell_off(*pair, USUAL)] == [(FOUR, NOTHING), (ALL, NOTHING)]
    assert [pair for pair in fell if looks_lost(*pair, USUAL)] == [(ALL, FOUR)]


def test_a_baseline_that_failed_four_of_ten_by_bad_luck_can_still_lose() -> None:
    slips = iter([False, False, True, True, True, True, False, True, True, False])
    shaky = answering(lambda _: next(slips))
    row = judged(NOTHING, shaky, fresh(3, 21))
    assert fell_off(shaky, NOTHING, USUAL)
    assert row.baseline is not None
    assert (row.baseline.status, row.verdict) == ("below range", "worse")


@pytest.mark.parametrize("baseline", [None, NOTHING, FOUR], ids=["alone", "below", "in"])
def test_a_floor_holds_whatever_the_baseline_does(baseline: Belief | None) -> None:
    row = axis_row(HOPS, USUAL, NOTHING, baseline, floor=True, fresh=fresh(20, 20))
    assert corrected([row], [])[0][0].verdict == "below range"


def test_a_family_is_compared_on_the_items_that_both_answered() -> None:
    (row,) = rate_rows("refusal", answers([True, True, False, False]), answers([True, False, True]))
    assert (row.items, row.candidate, row.baseline, row.lost, row.won) == (3, 2, 2, 1, 1)


@pytest.mark.parametrize(
    ("baseline", "verdict"),
    [(None, "worse"), ([True], "worse"), ([False], "ok"), ([], "unclear")],
    ids=["alone", "passes", "fails", "not asked"],
)
def test_an_own_item_fails_unless_the_baseline_fails_it_too(
    baseline: list[bool] | None, verdict: str
) -> None:
    before = None if baseline is None else answers(baseline)
    assert [row.verdict for row in item_rows(answers([False]), before)] == [verdict]
