"""The stand-in answers every generated probe rightly, up to where a boundary is planted."""

from __future__ import annotations

import pytest

from monitor.errors import UsageError
from monitor.openai_api import parse_request
from monitor.probes.axes import AXES
from monitor.probes.checkers import passes
from monitor.probes.families import FAMILIES
from monitor.probes.items import Item
from monitor.records import Completion
from monitor.standin.generation import generate
from monitor.standin.probed import Limit, parse_limit
from monitor.standin.settings import Settings

HEALTHY = Settings()


def answered(item: Item, settings: Settings = HEALTHY) -> bool:
    given = generate(parse_request("chat", dict(item.body)), settings, 1).choices[0].answer
    return passes(item.check, Completion(given.text, given.tool_calls))


@pytest.mark.parametrize("name", AXES)
def test_healthy_it_passes_every_axis(name: str) -> None:
    levels = [level for level in AXES[name].scale.levels if level <= 1024]
    items = [AXES[name].item(level, 0, number) for level in levels[::4] for number in range(3)]
    assert [item.id for item in items if not answered(item)] == []


@pytest.mark.parametrize("name", FAMILIES)
def test_healthy_it_passes_every_family(name: str) -> None:
    assert [item.id for item in FAMILIES[name].items(5, 0) if not answered(item)] == []


@pytest.mark.parametrize("name", AXES)
def test_a_planted_boundary_ends_the_ability_there(name: str) -> None:
    axis = AXES[name]
    low, high = axis.scale.levels[1], axis.scale.levels[min(24, len(axis.scale.levels) - 1)]
    planted = Settings(boundaries=(Limit(name, low * 1.9),))
    assert answered(axis.item(low, 0, 0), planted)
    assert not answered(axis.item(high, 0, 0), planted)


def test_a_soft_boundary_keeps_half_of_the_prompts_at_its_level() -> None:
    limit = Limit("hops", 4, 0.5)
    kept = sum(limit.keeps(4, f"prompt {i}", 0) for i in range(400))
    assert 150 < kept < 250


@pytest.mark.parametrize("text", ["telepathy=3", "hops", "hops=x", "hops=-1", "hops=3:x"])
def test_an_unusable_boundary_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--boundary"):
        parse_limit(text)


def test_a_boundary_is_written_axis_level_octaves() -> None:
    assert parse_limit("context=8000:0.2") == Limit("context", 8000.0, 0.2)
