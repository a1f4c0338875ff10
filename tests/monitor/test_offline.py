"""The fixed-sample rule: what diverges, what is ok, what waits, and how many hypotheses count."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.offline import Judgement, Recorded, Rule, judge, with_examples
from monitor.records import ALL, Score, Segment, SegmentVerdict
from monitor.scoring import Scored
from monitor.signals import SIGNALS, Level

TAIL, HEAD = Segment("lang=th"), Segment("lang=en")


def _level(signal: str) -> Level:
    return SIGNALS[signal].level


RULE = Rule(_level, {"page": 0.05, "ticket": 0.02})


def _row(
    signal: str, x: float, *segments: Segment, x0: float | None = None, healthy: bool = True
) -> Recorded:
    scores = {signal: Score(signal, x, baseline=0.0, candidate=x)}
    references = {} if x0 is None else {signal: x0}
    return Recorded(Scored("p", scores, references), segments or (ALL,), baseline_healthy=healthy)


def _rows(signal: str, bad: int, n: int, *segments: Segment) -> list[Recorded]:
    return [_row(signal, float(i < bad), *segments) for i in range(n)]


def _only(judgement: Judgement, segment: Segment = ALL) -> SegmentVerdict:
    (row,) = (row for row in judgement.rows if row.segment == segment)
    return row


def test_a_segment_that_breaks_always_diverges_with_five_pairs() -> None:
    rows = _rows("degenerate", 0, 200, ALL, HEAD) + _rows("degenerate", 5, 5, ALL, TAIL)
    assert _only(judge(rows, [], RULE), TAIL).verdict == "diverged"


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_fewer_pairs_are_never_ok(n: int) -> None:
    assert _only(judge(_rows("degenerate", 0, n), [], RULE)).verdict == "inconclusive"


def test_many_healthy_pairs_are_ok() -> None:
    row = _only(judge(_rows("degenerate", 1, 200), [], RULE))
    assert row.verdict == "ok"
    assert row.pairs_needed is not None
    assert row.pairs_needed <= row.pairs


def test_ok_takes_as_many_pairs_as_the_row_says() -> None:
    needed = _only(judge(_rows("degenerate", 0, 10), [], RULE)).pairs_needed
    assert needed is not None
    assert _only(judge(_rows("degenerate", 0, needed - 1), [], RULE)).verdict == "inconclusive"
    assert _only(judge(_rows("degenerate", 0, needed), [], RULE)).verdict == "ok"


def test_a_loss_that_only_the_correction_hides_is_no_all_clear() -> None:
    others = [Segment(f"lang={i}") for i in range(200)]
    small = [row for other in others for row in _rows("degenerate", 0, 1, other)]
    row = _only(judge(_rows("degenerate", 21, 200) + small, [], RULE))
    assert row.p_value is not None
    assert row.p_value > 0.05
    assert row.verdict == "inconclusive"


def test_segments_with_the_same_pairs_are_one_hypothesis() -> None:
    judgement = judge(_rows("degenerate", 12, 60, ALL, HEAD, Segment("stream=no")), [], RULE)
    assert judgement.hypotheses == 1
    assert len({row.p_value for row in judgement.rows}) == 1


def test_a_shown_signal_never_diverges() -> None:
    row = _only(judge(_rows("similarity", 200, 200), [], RULE))
    assert (row.verdict, row.level, row.p_value) == ("inconclusive", "show", None)


def test_a_ticket_tolerates_less_than_a_page() -> None:
    rows = _rows("truncated", 22, 400)
    as_page = Rule(lambda _: "page", RULE.allowed)
    assert _only(judge(rows, [], RULE)).verdict == "diverged"
    assert _only(judge(rows, [], as_page)).verdict != "diverged"


def test_the_control_arm_raises_the_bar_of_an_agreement_signal() -> None:
    rows, control = _rows("answer", 30, 150), _rows("answer", 27, 150)
    assert _only(judge(rows, [], RULE)).verdict == "diverged"
    row = _only(judge(rows, control, RULE))
    assert row.verdict == "inconclusive"
    assert row.noise_floor == pytest.approx(0.18)
    assert row.effect == pytest.approx(0.02)


def test_a_replay_inside_the_pair_is_a_control_arm() -> None:
    rows = [_row("answer", float(i < 30), x0=float(i < 27)) for i in range(150)]
    assert _only(judge(rows, [], RULE)).noise_floor == pytest.approx(0.18)


def test_an_excess_over_a_noisy_baseline_diverges() -> None:
    assert _only(judge(_rows("answer", 90, 150), _rows("answer", 27, 150), RULE)).verdict == "diverged"


def test_in_open_text_a_small_segment_must_stand_out_from_the_rest() -> None:
    open_text = [Recorded(Scored("p", {}, {}), (ALL,)) for _ in range(200)]
    noisy = _rows("answer", 60, 80, ALL, HEAD) + _rows("answer", 6, 6, ALL, TAIL) + open_text
    quiet = _rows("answer", 1, 80, ALL, HEAD) + _rows("answer", 6, 6, ALL, TAIL) + open_text
    assert _only(judge(noisy, [], RULE), TAIL).verdict == "inconclusive"
    assert _only(judge(quiet, [], RULE), TAIL).verdict == "diverged"


def test_in_a_checkable_route_a_small_segment_is_tested_alone() -> None:
    rows = _rows("answer", 16, 80, ALL, HEAD) + _rows("answer", 6, 20, ALL, TAIL)
    assert _only(judge(rows, [], RULE), TAIL).verdict == "diverged"


def test_without_a_floor_stray_answers_in_open_text_decide_nothing() -> None:
    open_text = [Recorded(Scored("p", {}, {}), (ALL,)) for _ in range(60)]
    row = _only(judge(_rows("answer", 25, 40) + open_text, [], RULE))
    assert (row.verdict, row.p_value) == ("inconclusive", None)
    assert _only(judge(_rows("answer", 25, 40), [], RULE)).verdict == "diverged"


def test_integrity_has_one_stream_whatever_the_control_does() -> None:
    row = _only(judge(_rows("script", 30, 100), _rows("script", 30, 100), RULE))
    assert row.verdict == "diverged"
    assert row.noise_floor == pytest.approx(0.3)


def test_few_references_of_a_flip_prone_signal_are_pooled_from_all() -> None:
    control = _rows("format", 0, 5, ALL, TAIL) + _rows("format", 15, 45, ALL, HEAD)
    row = _only(judge(_rows("format", 10, 40, ALL, TAIL), control, RULE), TAIL)
    assert row.noise_floor == pytest.approx(0.3)


def test_an_agreement_signal_without_references_of_its_own_waits() -> None:
    control = _rows("answer", 0, 100, ALL, HEAD)
    row = _only(judge(_rows("answer", 100, 100, ALL, TAIL), control, RULE), TAIL)
    assert (row.verdict, row.noise_floor) == ("inconclusive", None)


def test_a_baseline_that_loops_is_no_reference_for_agreement() -> None:
    rows = [_row("answer", 0.0, healthy=False) for _ in range(100)] + _rows("answer", 0, 10)
    assert _only(judge(rows, [], RULE)).pairs == 10


def test_repeats_in_one_conversation_count_once() -> None:
    rows = [
        Recorded(_row("answer", 1.0).scored, (ALL,), conversation="s1 t1", prompt=str(i)) for i in range(50)
    ]
    assert _only(judge(rows, [], RULE)).pairs == 1


def test_graded_scores_are_tested_by_a_bet() -> None:
    assert _only(judge([_row("answer", 0.5) for _ in range(100)], [], RULE)).verdict == "diverged"
    assert _only(judge([_row("answer", 0.02) for _ in range(200)], [], RULE)).verdict != "diverged"


def test_an_affine_signal_has_its_null_at_one_half() -> None:
    rows = [Recorded(Scored("p", {"calibration_gap": Score("calibration_gap", 0.5)}, {}), (ALL,))] * 400
    row = _only(judge(rows, [], RULE))
    assert row.verdict != "diverged"
    assert row.effect == pytest.approx(0.0)


def test_labels_are_tested_exactly_and_shown_net() -> None:
    def scored(baseline: float, candidate: float) -> Recorded:
        score = Score("label", (1 + candidate - baseline) / 2, baseline=baseline, candidate=candidate)
        return Recorded(Scored("p", {"label": score}, {}), (ALL,))

    row = _only(judge([scored(0, 1)] * 30 + [scored(1, 0)] * 6 + [scored(0, 0)] * 84, [], RULE))
    assert row.verdict == "diverged"
    assert row.effect == pytest.approx(0.2)


def test_mcnemar_counts_the_fault_in_one_arm_alone() -> None:
    def scored(baseline: float, candidate: float) -> Recorded:
        score = Score("format", max(0.0, candidate - baseline), baseline=baseline, candidate=candidate)
        return Recorded(Scored("p", {"format": score}, {}), (ALL,))

    rows = [scored(0, 1)] * 8 + [scored(1, 0)] * 2 + [scored(1, 1)] * 5
    test = judge(rows, [], RULE).mcnemar[ALL, "format"]
    assert (test.worse, test.better) == (8, 2)
    assert test.p_value == pytest.approx(56 / 1024)


def test_examples_are_the_worst_pairs_first() -> None:
    rows = [_row("answer", x) for x in (0.0, 0.3, 1.0, 0.6)]
    judgement = judge(rows, [], RULE)
    row = with_examples(judgement.rows[0], judgement.cells[ALL, "answer"], ["a", "b", "c", "d"])
    assert row.examples == ("c", "d", "b")


def test_no_pairs_no_rows() -> None:
    assert judge([], [], RULE).rows == ()


def test_healthy_files_rarely_alarm_over_many_segments() -> None:
    """Family-wise error at the exact null: at most 5 % of files, here with 2 standard errors."""
    random_ = random.Random(7)
    files = 200
    alarms = sum(_alarms(random_) for _ in range(files))
    assert alarms <= files * 0.05 + 2 * (files * 0.05 * 0.95) ** 0.5


def _alarms(random_: random.Random) -> bool:
    rows = [
        _row("degenerate", float(random_.random() < 0.05), ALL, Segment(f"g={i % 12}")) for i in range(240)
    ]
    return any(row.verdict == "diverged" for row in judge(rows, [], RULE).rows)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 1), st.none() | st.floats(0, 1)), min_size=1, max_size=30),
    st.sampled_from(list(SIGNALS)),
)
def test_every_row_is_bounded_whatever_the_scores(
    values: Sequence[tuple[float, float | None]], signal: str
) -> None:
    for row in judge([_row(signal, x, x0=x0) for x, x0 in values], [], RULE).rows:
        assert row.effect is not None
        assert row.lower is not None
        assert row.upper is not None
        assert -1 <= row.lower <= row.effect + 1e-3
        assert row.effect - 1e-3 <= row.upper <= 1
        assert row.p_value is None or 0 <= row.p_value <= 1


def _flip(baseline: float, candidate: float) -> Recorded:
    score = Score("constraint", max(0.0, candidate - baseline), baseline=baseline, candidate=candidate)
    return Recorded(Scored("p", {"constraint": score}, {}), (ALL,))


def test_the_effect_of_a_directional_signal_is_the_net_difference() -> None:
    row = _only(judge([_flip(0, 1)] * 40 + [_flip(1, 0)] * 10 + [_flip(0, 0)] * 50, [], RULE))
    assert row.verdict == "diverged"
    assert row.effect == pytest.approx(0.3)
    assert row.lower is not None
    assert row.lower > 0


def test_who_mends_as_much_as_he_breaks_is_not_worse() -> None:
    row = _only(judge([_flip(0, 1)] * 40 + [_flip(1, 0)] * 40 + [_flip(0, 0)] * 120, [], RULE))
    assert row.verdict == "inconclusive"
    assert row.effect == pytest.approx(0.0)
