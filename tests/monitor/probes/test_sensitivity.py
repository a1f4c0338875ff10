"""Changes that keep the meaning, and what is said about answers that change with them."""

from __future__ import annotations

import pytest

from monitor.openai_api import parse_request
from monitor.probes.checkers import passes
from monitor.probes.sensitivity import (
    CHANGES,
    OPTIONS,
    choices,
    corrected,
    flip_row,
    flip_rows,
    flipped,
    position_row,
    system_prompt,
)
from monitor.records import Completion
from monitor.standin.generation import generate
from monitor.standin.settings import Settings

CHOICES = choices(8, 0)


def answered(body: object) -> Completion:
    request = parse_request("chat", body)
    return Completion(generate(request, Settings(), 1).choices[0].answer.text)


def test_turning_moves_the_right_option_to_every_place() -> None:
    for choice in CHOICES:
        for places in range(OPTIONS):
            item = choice.turned(places)
            assert passes(item.check, answered(item.body))
        assert {choice.turned(places).check["expect"] for places in range(OPTIONS)} == set("ABCD")


def test_every_other_question_is_about_law_or_money() -> None:
    assert [choice.segment for choice in CHOICES[:4]] == ["legal_finance", "everyday"] * 2


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_another_request_with_the_same_answer(name: str) -> None:
    for choice in CHOICES:
        body = choice.turned(1).body
        changed = CHANGES[name](body)
        assert changed is not None
        assert changed != body
        assert flipped(body, answered(body), answered(changed)) is False


def test_a_changed_letter_is_a_flip_and_so_is_a_failure() -> None:
    body = CHOICES[0].turned(0).body
    assert flipped(body, Completion("A"), Completion("B")) is True
    assert flipped(body, Completion("A"), Completion(error_type="timeout")) is True


def test_open_text_has_nothing_to_flip() -> None:
    body = {"messages": [{"role": "user", "content": "Tell me about the sea."}]}
    assert flipped(body, Completion("It is blue and wide."), Completion("Waves roll in.")) is None


def test_the_courtesy_is_taken_away_where_it_is_all_there_is() -> None:
    body = CHOICES[0].turned(0).body
    added = system_prompt(body)
    assert added is not None
    assert system_prompt(added) == body
    own = {"messages": [{"role": "system", "content": "Be terse."}, {"role": "user", "content": "Hi"}]}
    assert system_prompt(own) is None


def test_flips_within_the_repeat_floor_are_no_finding() -> None:
    row = flip_row("whitespace", "all", [True] * 10 + [False] * 90, [True] * 10 + [False] * 90)
    assert row.excess == 0
    assert row.p_value == 1


def test_flips_beyond_the_floor_are_one_after_correction() -> None:
    row = flip_row("whitespace", "all", [True] * 40 + [False] * 60, [False] * 100)
    quiet = position_row([[0, 1, 2, 3]] * 50)
    (judged,), position = corrected([row], quiet)
    assert (judged.verdict, position.verdict) == ("worse", "ok")


def test_rows_are_per_segment_and_leave_out_what_was_not_compared() -> None:
    rows = list(
        flip_rows(["a", "b"], [{"repeat": False, "whitespace": True}, {"repeat": None, "whitespace": None}])
    )
    assert [(row.segment, row.change, row.flips, row.compared) for row in rows] == [("a", "whitespace", 1, 1)]


def test_always_choosing_the_right_option_has_no_bias() -> None:
    row = position_row([[0, 1, 2, 3]] * 60)
    assert (row.bias, row.consistency) == (0, 1)


def test_always_choosing_the_first_is_all_bias() -> None:
    row = position_row([[0, 0, 0, 0]] * 60)
    assert (row.bias, row.consistency) == (1, 0.25)
    assert row.p_value < 1e-9
