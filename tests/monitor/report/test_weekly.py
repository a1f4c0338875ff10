"""The week as a closed sample: the same numbers as the functions that bet and count one by one."""

from __future__ import annotations

from collections import Counter
from math import exp

import numpy as np
import pytest

from monitor import hypotheses
from monitor.betting import log_e_value, log_excess_e_value
from monitor.intervals import clopper_pearson, newcombe
from monitor.report.weekly import Arm, Sample, weeks
from monitor.signals import SIGNALS

TESTS = hypotheses.tests_of(
    hypotheses.Settings(levels={name: signal.level for name, signal in SIGNALS.items()})
)


def of(signal: str, x: list[float], x0: list[float] | None = None) -> dict[tuple[str, str], Sample]:
    return {("all", signal): Sample(arm(x), arm(x0 or []))}


def arm(values: list[float]) -> Arm:
    return Arm(dict(Counter(values)), len(values), sum(values), sum(value * value for value in values))


def test_one_stream_is_betting_and_clopper_pearson() -> None:
    x = [1.0] * 9 + [0.0] * 51
    week = weeks(of("script", x), TESTS)["all", "script"]
    assert week.e_value == pytest.approx(exp(log_e_value(x, TESTS["script"].m)))
    assert (week.lower, week.upper) == clopper_pearson(9, 60)


def test_two_streams_are_the_excess_bet_and_newcombe() -> None:
    x, x0 = [1.0] * 30 + [0.0] * 70, [0.0] * 38 + [1.0] * 2
    week = weeks(of("answer", x, x0), TESTS)["all", "answer"]
    assert week.e_value == pytest.approx(exp(log_excess_e_value(x, x0, TESTS["answer"].m)))
    assert (week.lower, week.upper) == newcombe(30, 100, 2, 40)
    assert week.noise_floor == 0.05


def test_graded_intervals_cover_their_mean() -> None:
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(200):
        week = weeks(of("similarity", np.round(rng.beta(2, 6, 50), 2).tolist()), TESTS)["all", "similarity"]
        covered += week.lower <= 0.25 <= week.upper
    assert covered >= 190


def test_a_two_stream_signal_without_replays_is_not_listed() -> None:
    week = weeks(of("answer", [1.0] * 100), TESTS)["all", "answer"]
    assert (week.e_value, week.listed) == (None, False)


def test_shown_signals_and_latency_are_never_listed() -> None:
    assert weeks(of("length", [1.0] * 100), TESTS)["all", "length"].e_value is None


def test_a_clean_segment_says_what_it_could_have_seen() -> None:
    few, many = (weeks(of("script", [0.0] * n), TESTS)["all", "script"].visible for n in (60, 600))
    assert few is not None
    assert many is not None
    assert 0 < many < few < 1
