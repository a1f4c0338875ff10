"""Much at once: tools to choose from, instructions to keep, languages that change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from monitor.probes.draws import Draws
from monitor.probes.items import Axis, Item, asked, integers
from monitor.probes.words import CITIES, NOUNS

_VERBS = ("book", "cancel", "count", "list", "move", "order", "paint", "repair", "send", "weigh")
Told = tuple[str, str, dict[str, Any]]
"""(instruction in words, registered id, arguments): the ids are those of IFEval."""


def tools(level: float, draws: Draws) -> Item:
    """One function to be called among `level` that are offered."""
    pairs = [(verb, noun) for verb in _VERBS for noun in NOUNS]
    offered = draws.sample(pairs, int(level))
    verb, noun = draws.choice(offered)
    count, city = draws.between(2, 99), draws.choice(CITIES)
    accepted = {f"{verb}_{noun}": {"count": [count], "city": [city]}}
    return asked(
        f"Please {verb} {count} of the {noun} items in {city}. Use the function that fits.",
        {"type": "tool_calls_ast", "expect": [accepted]},
        level=level,
        max_tokens=96,
        tools=[_tool(*pair) for pair in offered],
        tool_choice="auto",
    )


def _tool(verb: str, noun: str) -> dict[str, Any]:
    properties = {"count": {"type": "integer"}, "city": {"type": "string"}}
    return {
        "type": "function",
        "function": {
            "name": f"{verb}_{noun}",
            "description": f"{verb.capitalize()} {noun} items in a city.",
            "parameters": {"type": "object", "properties": properties, "required": ["count", "city"]},
        },
    }


def _word(word: str) -> Told:
    return f'Use the word "{word}".', "keywords:existence", {"keywords": [word]}


def _forbidden(draws: Draws) -> Told:
    word = draws.choice(("because", "however", "therefore", "really"))
    return f'Do not use the word "{word}".', "keywords:forbidden_words", {"forbidden_words": [word]}


def _long(draws: Draws) -> Told:
    least = draws.between(8, 16)
    arguments = {"relation": "at least", "num_words": least}
    return f"Write at least {least} words.", "length_constraints:number_words", arguments


_FIXED: tuple[Callable[[Draws], Told], ...] = (
    lambda _: ("Do not use any commas.", "punctuation:no_comma", {}),
    lambda _: ("Use lowercase letters only.", "change_case:english_lowercase", {}),
    _forbidden,
    _long,
)


def instructions(level: float, draws: Draws) -> Item:
    """So many instructions about one short text, all to be kept."""
    fixed = [make(draws) for make in draws.sample(_FIXED, min(int(level) // 2, len(_FIXED)))]
    told = fixed + [_word(word) for word in draws.sample(NOUNS, int(level) - len(fixed))]
    listed = "\n".join(f"- {words}" for words, _, _ in told)
    return asked(
        f"Write a short text about a day at work. Keep every instruction:\n{listed}",
        {
            "type": "ifeval",
            "instruction_id_list": [kind for _, kind, _ in told],
            "kwargs": [arguments for _, _, arguments in told],
        },
        level=level,
        max_tokens=96 + 16 * int(level),
    )


STATEMENTS = (
    "The {city} office has {n} desks.",
    "La oficina de {city} tiene {n} escritorios.",
    "Le bureau de {city} compte {n} tables de travail.",
    "Das Büro in {city} hat {n} Schreibtische.",
    "O escritório de {city} tem {n} mesas.",
    "L'ufficio di {city} ha {n} scrivanie.",
)
"""One fact in English, Spanish, French, German, Portuguese, Italian."""


def switches(level: float, draws: Draws) -> Item:
    """A document that changes its language `level` times; one fact from any part of it."""
    cities = draws.sample(CITIES, int(level) + 1)
    counts = [draws.between(11, 99) for _ in cities]
    start = draws.between(0, len(STATEMENTS) - 1)
    lines = [
        STATEMENTS[(start + i) % len(STATEMENTS)].format(city=city, n=n)
        for i, (city, n) in enumerate(zip(cities, counts, strict=True))
    ]
    wanted = draws.between(0, len(cities) - 1)
    question = f"How many desks are there in {cities[wanted]}? Reply with the number only."
    return asked(
        "\n".join([*lines, "", question]),
        {"type": "numeric_last", "expect": str(counts[wanted])},
        level=level,
        max_tokens=32,
    )


AXES = (
    Axis("tools", "functions", "calls the one function that fits", integers(1, 128), tools),
    Axis("instructions", "instructions", "keeps every instruction at once", integers(1, 24), instructions),
    Axis("languages", "switches", "reads a document whose language changes", integers(1, 48), switches),
)
