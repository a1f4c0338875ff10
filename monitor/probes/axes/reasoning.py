"""Steps to be worked out: chains of assignments, long sums."""

from __future__ import annotations

import itertools

from monitor.probes.draws import Draws
from monitor.probes.items import Axis, Item, asked, integers
from monitor.probes.words import NOUNS


def hops(level: float, draws: Draws) -> Item:
    """A chain of assignments, each from the one before."""
    names = draws.sample(NOUNS, int(level) + 1)
    value = draws.between(2, 20)
    lines = [f"{names[0]} = {value}"]
    for before, name in itertools.pairwise(names):
        step = draws.between(2, 20)
        up = value <= step or draws.unit() < 0.5
        value = value + step if up else value - step
        lines.append(f"{name} = {before} {'+' if up else '-'} {step}")
    question = f"What is the value of {names[-1]}? Reply with the number only."
    return asked(
        "\n".join([*lines, "", question]),
        {"type": "numeric_last", "expect": str(value)},
        level=level,
        max_tokens=32,
    )


def digits(level: float, draws: Draws) -> Item:
    """A sum of two numbers with so many digits each."""
    low = 10 ** (int(level) - 1)
    one, other = (sum(draws.between(0, 9) * 10**place for place in range(int(level) - 1)) for _ in range(2))
    one, other = one + low * draws.between(1, 9), other + low * draws.between(1, 9)
    return asked(
        f"What is {one} + {other}? Reply with the number only, digits without separators.",
        {"type": "numeric_last", "expect": str(one + other)},
        level=level,
        max_tokens=24 + 2 * int(level),
    )


AXES = (
    Axis("hops", "steps", "follows a chain of assignments", integers(1, 32), hops),
    Axis("digits", "digits", "adds two numbers", integers(1, 32), digits),
)
