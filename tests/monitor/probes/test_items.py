"""Fresh items: new to both arms and different from each other."""

from __future__ import annotations

import pytest

from monitor.probes.axes import AXES


@pytest.mark.parametrize("name", ["hops", "digits", "instructions"])
def test_fresh_items_are_none_that_were_seen_and_all_different(name: str) -> None:
    axis = AXES[name]
    easiest = axis.scale.levels[0]
    seen = {axis.item(easiest, 0, number).prompt for number in range(10)}
    items = axis.fresh(0, 24, seen)
    prompts = {item.prompt for item in items}
    assert (len(items), len(prompts), prompts & seen) == (24, 24, set())
    assert {item.level for item in items} == {easiest}
    assert axis.fresh(0, 24, seen) == items


def test_a_level_with_too_few_items_gives_those_that_it_has() -> None:
    sums = AXES["digits"].fresh(0, 200, ())
    assert len({item.prompt for item in sums}) == len(sums) == 81
