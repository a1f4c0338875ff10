"""The parts of the cliff benchmark that need no model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from monitor.config import Config
from monitor.hypotheses import Settings
from monitor.observations import Observation
from monitor.records import ALL, Segment
from tests.benchmarks import cliff_traffic as traffic
from tests.benchmarks.cliff import costs
from tests.benchmarks.cliff_alarms import until_alarm_of
from tests.benchmarks.cliff_figures import Compared, interval, is_json, own_script, spread
from tests.benchmarks.cliff_recording import recorded


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


def prompt(number: int, judged: str | None = "format") -> traffic.Prompt:
    asked = f'Who is buyer {number}? Reply with JSON only, like {{"answer": "..."}}'
    body = {"messages": [{"role": "user", "content": asked}], "max_tokens": 32}
    return traffic.Prompt(str(number), "json" if judged else "chat", body, judged=judged)


def said(text: str) -> traffic.Row:
    return {"choices": [{"message": {"content": text}}]}


@pytest.mark.parametrize(
    ("text", "expected"), [('{"answer": "Ada"}', True), ("It is Ada.", False), ('{"answer": "Ad', False)]
)
def test_a_request_is_kept_where_the_baselines_own_answer_is_not_at_fault(
    text: str, *, expected: bool
) -> None:
    assert traffic.good(prompt(1), said(text)) == expected


def test_a_group_without_a_rule_takes_any_answer() -> None:
    assert traffic.good(prompt(1, judged=None), said("It is Ada."))


def test_requests_are_taken_in_order_until_enough_were_answered_well() -> None:
    def ask(batch: Sequence[traffic.Prompt]) -> list[traffic.Row]:
        return [said('{"answer": "Ada"}' if int(one.id) % 2 else "It is Ada.") for one in batch]

    offered = {"json": [prompt(n) for n in range(60)], "chat": [prompt(n, judged=None) for n in (70, 71, 72)]}
    asked, looked_at = traffic.chosen(offered, 3, ask)
    assert [one.id for one in asked] == ["1", "70", "3", "71", "5", "72"]
    assert looked_at == {"json": traffic.AT_ONCE, "chat": 3}


def test_a_line_that_a_dying_run_tore_is_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "baseline.jsonl"
    path.write_text('{"key": "a", "arm": "answer", "answer": {}}\n{"key": "b", "ar')
    assert list(recorded(path)) == [("a", "answer")]
    assert path.read_text().count("\n") == 1


def test_costs_are_the_candidates_and_tell_forced_from_generated() -> None:
    page = """# TYPE tailgate_tokens counter
tailgate_tokens_total{route="r",role="candidate",token_type="forced"} 90.0
tailgate_tokens_total{route="r",role="replay",token_type="output"} 5.0
# TYPE tailgate_engine_seconds counter
tailgate_engine_seconds_total{route="r",role="forced"} 1.5
tailgate_engine_seconds_total{route="r",role="candidate"} 4.0
"""
    assert costs(page) == {"forced_tokens": 90.0, "forced_seconds": 1.5, "generate_seconds": 4.0}
