"""The parts of the cliff benchmark that need no model."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.config import Config
from monitor.hypotheses import Settings
from monitor.observations import Observation
from monitor.records import ALL, Segment
from tests.benchmarks.cliff_alarms import until_alarm_of
from tests.benchmarks.cliff_figures import Compared, interval, is_json, own_script, spread


def compared(baseline: str, candidate: str) -> Compared:
    return Compared("p", "g", baseline, candidate, {}, None, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [('{"a": 1}', True), ("```json\n[1]\n```", True), ("12", False), ('Here: {"a": 1}', False), ("{", False)],
)
def test_an_answer_is_json_as_a_whole_or_not(text: str, *, expected: bool) -> None:
    assert is_json(text) == expected


def test_script_share_is_the_share_of_letters_in_the_baselines_script() -> None:
    assert own_script([compared("привет", "приvet"), compared("hello", "hell")]) == pytest.approx(7 / 10)


def test_groups_that_differ_have_a_small_p_and_equal_ones_do_not() -> None:
    rng = np.random.default_rng(1)
    same = {name: rng.normal(0.5, 0.1, 30).tolist() for name in "abcd"}
    apart = same | {"d": rng.normal(0.8, 0.1, 30).tolist()}
    found, none = spread(apart, rng), spread(same, rng)
    assert found is not None
    assert none is not None
    assert found["worst"] == "d"
    assert found["p"] < 0.001
    assert none["p"] > 0.01


def test_an_interval_holds_the_mean() -> None:
    found = interval([0.1, 0.2, 0.3], np.random.default_rng(1))
    assert found is not None
    assert found["low"] <= found["mean"] <= found["high"]


def test_a_louder_signal_needs_fewer_pairs() -> None:
    pairs = [
        Observation(
            float(n), (ALL, Segment("task=chat")), {"forced_drop": 0.7, "degenerate": float(n % 4 == 0)}
        )
        for n in range(60)
    ]
    found = until_alarm_of(
        pairs, Settings.of(Config()), {"forced": {"forced_drop"}, "generate": {"degenerate"}}, 5
    )
    assert 0 < found["forced"]["median"] < found["generate"]["median"]
    assert found["ratio"]["low"] > 1
