"""Structure to be written: nested JSON, nested addresses, long lists."""

from __future__ import annotations

import itertools
from typing import Any

from monitor.probes.draws import Draws
from monitor.probes.items import Axis, Item, asked, integers
from monitor.probes.words import CITIES, COUNTRIES, NOUNS, STREETS, person


def json_depth(level: float, draws: Draws) -> Item:
    """Objects within objects, `level` deep."""
    keys = draws.sample(NOUNS, int(level))
    value: Any = draws.between(10, 99)
    steps = [f'the value of "{key}" is an object' for key in keys[:-1]]
    steps.append(f'the value of "{keys[-1]}" is {value}')
    for key in reversed(keys):
        value = {key: value}
    told = ". In it, ".join(steps)
    return asked(
        f"Write a JSON object and nothing else. In the object, {told}.",
        {"type": "json_equal", "expect": value},
        level=level,
        max_tokens=32 + 12 * int(level),
    )


def addresses(level: float, draws: Draws) -> Item:
    """A buyer, the buyer's contact, the contact's contact, and so on."""
    people = [(person(draws), _address(draws)) for _ in range(int(level))]
    told = [f"The buyer is {people[0][0]}, at {_said(people[0][1])}."]
    for (known, _), (name, address) in itertools.pairwise(people):
        told.append(f"The contact of {known} is {name}, at {_said(address)}.")
    value: dict[str, Any] = {}
    for name, address in reversed(people):
        value = {"name": name, "address": address, **({"contact": value} if value else {})}
    asks = (
        "Return only JSON with keys name, address{street,city,country} and contact{name,address,contact}, "
        "the contact only where one is stated."
    )
    return asked(
        f"{asks}\n\n{' '.join(told)}",
        {"type": "json_equal", "expect": value},
        level=level,
        max_tokens=48 + 72 * int(level),
    )


def _address(draws: Draws) -> dict[str, str]:
    street = f"{draws.between(1, 99)} {draws.choice(STREETS)}"
    return {"street": street, "city": draws.choice(CITIES), "country": draws.choice(COUNTRIES)}


def _said(address: dict[str, str]) -> str:
    return f"{address['street']}, {address['city']} ({address['country']})"


def copied(level: float, draws: Draws) -> Item:
    """A list to be written again, word for word."""
    lines = [f"{draws.choice(NOUNS)}-{draws.between(10, 99)}" for _ in range(int(level))]
    prompt = "Copy this list exactly: one item per line, same order, nothing else.\n\n" + "\n".join(lines)
    return asked(
        prompt, {"type": "lines_equal", "expect": lines}, level=level, max_tokens=32 + 8 * int(level)
    )


AXES = (
    Axis("json_depth", "levels", "writes objects within objects", integers(1, 64), json_depth),
    Axis("addresses", "levels", "extracts contacts of contacts as JSON", integers(1, 12), addresses),
    Axis("copy", "items", "copies a list word for word", integers(2, 256), copied),
)
