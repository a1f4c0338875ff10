"""Every axis makes the same items from the same seed, solvable ones, and harder ones further on."""

from __future__ import annotations

import json

import pytest

from monitor.openai_api import parse_request
from monitor.probes.axes import AXES
from monitor.probes.checkers import passes
from monitor.standin.tokens import pieces
from tests.monitor.probes.reference import right, wrong

pytestmark = pytest.mark.parametrize("name", AXES)


def levels(name: str) -> list[float]:
    every = AXES[name].scale.levels
    return [every[0], every[len(every) // 3], every[len(every) // 2]]


def test_same_seed_same_item(name: str) -> None:
    axis = AXES[name]
    assert axis.item(axis.scale.levels[0], 7, 3) == axis.item(axis.scale.levels[0], 7, 3)


def test_another_number_is_another_item(name: str) -> None:
    axis = AXES[name]
    prompts = {json.dumps(axis.item(levels(name)[1], 7, number).body) for number in range(5)}
    assert len(prompts) == 5


def test_the_reference_answer_passes_and_a_wrong_one_does_not(name: str) -> None:
    for level in levels(name):
        for number in range(5):
            item = AXES[name].item(level, 0, number)
            assert passes(item.check, right(item.check)), item
            assert not passes(item.check, wrong(item.check)), item


def test_bodies_are_chat_requests_that_json_can_carry(name: str) -> None:
    item = AXES[name].item(levels(name)[1], 0, 0)
    assert parse_request("chat", json.loads(json.dumps(item.body))).greedy


def test_harder_levels_ask_for_more(name: str) -> None:
    axis = AXES[name]
    sizes = [
        len(json.dumps([axis.item(level, 0, 0).body, axis.item(level, 0, 0).check])) for level in levels(name)
    ]
    assert sizes == sorted(sizes)


def test_counted_levels_are_near_their_number_of_tokens(name: str) -> None:
    axis = AXES[name]
    if not axis.counted:
        pytest.skip("levels are counted in something else than tokens")
    for level in (512.0, 4096.0):
        assert len(pieces(axis.item(level, 0, 0).prompt)) == pytest.approx(level, rel=0.5)
