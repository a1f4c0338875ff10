"""What a probe is: a request with a check, and the axis or family that made it."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import Any

from monitor.probes.draws import Draws
from monitor.probes.psychometric import Scale

_FRESH = 100_000
"""Numbers of fresh items start here: the ones that place a threshold are counted from nought."""
_DRAWS = 20
"""So many draws per fresh item: 1-digit sums are 81, and a level of few items runs out of new ones."""


@dataclass(frozen=True, slots=True)
class Item:
    """One generated request. `body` is a chat request without a model; `check` is data for `checkers`."""

    id: str
    body: Mapping[str, Any]
    check: Mapping[str, Any]
    level: float = 1.0
    group: str = ""
    """Topic or class within a family."""

    @property
    def prompt(self) -> str:
        return str(self.body["messages"][-1]["content"])


Make = Callable[[float, Draws], Item]


@dataclass(frozen=True, slots=True)
class Axis:
    """One capability with a difficulty; `make` is pure: level and draws in, item out.

    `counted`: the level is a number of prompt tokens, so the server's own count replaces ours.
    """

    name: str
    unit: str
    about: str
    scale: Scale
    make: Make
    counted: bool = False

    def item(self, level: float, seed: int, number: int) -> Item:
        """Item `number` at `level`; the same for every arm that is asked for it."""
        made = self.make(level, Draws(self.name, seed, level, number))
        return Item(f"{self.name}/{level:g}/{number}", made.body, made.check, made.level, made.group)

    def fresh(self, seed: int, count: int, seen: Container[str]) -> list[Item]:
        """Items at the easiest level whose prompts differ from each other and from those `seen`.

        Fewer than `count` where the level has no more: the same prompt twice is one greedy answer, not two.
        """
        found: dict[str, Item] = {}
        for number in range(_FRESH, _FRESH + _DRAWS * count):
            if len(found) == count:
                break
            item = self.item(self.scale.levels[0], seed, number)
            if item.prompt not in seen:
                found.setdefault(item.prompt, item)
        return list(found.values())


def asked(
    prompt: str,
    check: Mapping[str, Any],
    *,
    level: float = 1.0,
    max_tokens: int = 64,
    group: str = "",
    **body: Any,
) -> Item:
    """An item from the text of its one user message; greedy."""
    messages = [{"role": "user", "content": prompt}]
    request = {"messages": messages, "temperature": 0, "max_tokens": max_tokens, **body}
    return Item("", request, check, level, group)


def integers(low: int, high: int, guess: float = 0.0) -> Scale:
    """Every whole level; above 16 about eight to an octave."""
    levels = [n for n in range(low, high + 1) if n <= 16 or n % (1 << (n.bit_length() - 4)) == 0]
    return Scale(tuple(float(n) for n in levels), guess, integer=True)


def octaves(low: float, high: float, per_octave: int = 8) -> Scale:
    """Levels even in octaves from `low` to `high`."""
    steps = 0
    levels = []
    while (level := low * 2 ** (steps / per_octave)) <= high * 1.001:
        levels.append(float(round(level)))
        steps += 1
    return Scale(tuple(levels))
