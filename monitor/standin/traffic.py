"""Seeded, realistic demo traffic: many languages and tasks, every prompt unique, no I/O.

Most of it is English and European chat; each tail segment gets 2 to 4 %, the share at which an
average hides a segment that has collapsed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from monitor.errors import UsageError
from monitor.openai_api import parse_request
from monitor.records import Completion, Exchange
from monitor.segments import segments_of
from monitor.standin.phrases import PHRASES

Body = dict[str, Any]

_CITIES = ("Nairobi", "Lima", "Oslo", "Hanoi", "Quito", "Cairo", "Turin", "Porto", "Sofia", "Kyoto")
_GIVEN = ("Greta", "Samuel", "Imani", "Noor", "Lukas", "Elena", "Kwame", "Yuki", "Bruno", "Asha")
_FAMILY = ("Kovac", "Okafor", "Lindqvist", "Moreau", "Tanaka", "Silva", "Haddad", "Novak", "Reyes")
_FUNCTIONS = (
    ("count_vowels", "counts the vowels in a text"),
    ("is_prime", "says whether a number is prime"),
    ("reverse_items", "returns the items of a list in reverse order"),
    ("nth_fibonacci", "returns the n-th fibonacci number"),
    ("find_largest", "returns the largest number of a list"),
    ("count_words", "counts how often each of the words of a text occurs"),
)
_FILLER = (
    "The harbour office of {city} keeps a register of every ship that enters before noon.",
    "In the year {year} the council decided to widen the road between the mill and the bridge.",
    "A visitor from {city} described the library as quiet, well lit and open until late.",
    "The annual report lists {number} repairs, most of them to roofs and water pipes.",
    "Farmers bring apples and wool to the square, and carpenters offer chairs and tables.",
)


@dataclass(frozen=True, slots=True)
class Planned:
    """One request to send: body, path and headers."""

    body: Body
    headers: Mapping[str, str]
    recipe: str
    path: str = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class Recipe:
    """A kind of request with its share of the traffic (shares need not add up to one)."""

    name: str
    make: Callable[[Random], Body]
    weight: float


def _ask(text: str, max_tokens: int = 256) -> Body:
    return {"messages": [{"role": "user", "content": text}], "max_tokens": max_tokens}


def _chat(language: str) -> Callable[[Random], Body]:
    words = PHRASES[language]

    def make(rng: Random) -> Body:
        question = rng.choice(words.asks)
        return _ask(
            question.format(name=rng.choice(words.names), city=rng.choice(words.cities), n=rng.randint(2, 90))
        )

    return make


def _math(language: str) -> Callable[[Random], Body]:
    words = PHRASES[language]

    def make(rng: Random) -> Body:
        numbers = {"a": rng.randint(11, 99), "b": rng.randint(3, 9), "c": rng.randint(11, 49)}
        problem = words.problem.format(name=rng.choice(words.names), **numbers)
        return _ask(f"{problem}\n\n#### <number>" if rng.random() < 0.5 else problem)

    return make


def _sum(rng: Random) -> Body:
    a, b, c = rng.randint(10, 999), rng.randint(10, 99), rng.randint(2, 9)
    return _ask(f"How much is {a} + {b} * {c}?")


def _order(rng: Random) -> Body:
    customer = f"{rng.choice(_GIVEN)} {rng.choice(_FAMILY)}"
    price = f"{rng.randint(100, 99_999) / 100:.2f}"
    order = (
        f"Order PO-{rng.randint(10_000, 99_999)} from {customer} in {rng.choice(_CITIES)}: "
        f"{rng.randint(2, 60)} pieces at {price} each, due 2027-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}."
    )
    body = _ask(
        "Extract the order as JSON with the keys order_id, customer, city, quantity, unit_price and due. "
        f"Return only JSON.\n\n{order}"
    )
    return {**body, "response_format": {"type": "json_object"}} if rng.random() < 0.5 else body


def _function(rng: Random) -> Body:
    name, what = rng.choice(_FUNCTIONS)
    return _ask(
        f"Write a Python function `{name}_{rng.randint(2, 999)}` that {what}. Reply with one fenced code block."
    )


def _choice(rng: Random) -> Body:
    a, b = rng.randint(3, 99), rng.randint(3, 99)
    wrong = rng.sample([v for v in range(a * b - 12, a * b + 13) if v > 0 and v != a * b], 3)
    values = [a * b, *wrong]
    rng.shuffle(values)
    options = "\n".join(f"{letter}. {value}" for letter, value in zip("ABCD", values, strict=True))
    return _ask(f"Which of these is the result of {a} × {b}?\n{options}\nAnswer with one letter only.", 8)


def _tool(name: str, description: str, **properties: Mapping[str, Any]) -> Body:
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": parameters},
    }


_TOOLS = [
    _tool(
        "get_weather",
        "Weather forecast for a city at an hour of tomorrow",
        city={"type": "string"},
        hour={"type": "integer", "minimum": 0, "maximum": 23},
    ),
    _tool(
        "convert_currency",
        "Convert an amount of money",
        amount={"type": "number"},
        currency={"type": "string", "enum": ["EUR", "USD", "KES", "JPY"]},
    ),
]


def _tools(rng: Random) -> Body:
    if rng.random() < 0.5:
        asked = f"What will the weather forecast for {rng.choice(_CITIES)} be tomorrow at {rng.randint(0, 23)} o'clock?"
    else:
        asked = f"Convert an amount of {rng.randint(2, 9_999)} to EUR for {rng.choice(_GIVEN)}, please."
    return {**_ask(asked), "tools": _TOOLS, "tool_choice": "auto"}


def _document(characters: int) -> Callable[[Random], Body]:
    """A long text with one fact in it, which the question is about."""

    def make(rng: Random) -> Body:
        lines: list[str] = []
        while sum(map(len, lines)) < characters:
            line = rng.choice(_FILLER)
            lines.append(
                line.format(
                    city=rng.choice(_CITIES), year=rng.randint(1801, 1999), number=rng.randint(3, 900)
                )
            )
        city = rng.choice(_CITIES)
        lines.insert(
            rng.randrange(len(lines)), f"The access code of {city} is {rng.randint(10_000, 99_999)}."
        )
        return _ask(f"{' '.join(lines)}\n\nWhat is the access code of {city}?")

    return make


def _conversation(turns: int) -> Callable[[Random], Body]:
    words = PHRASES["en"]

    def make(rng: Random) -> Body:
        body = _chat("en")(rng)
        earlier: list[Body] = [{"role": "system", "content": "You are a friendly travel assistant."}]
        for _ in range(turns - 1):
            earlier += _chat("en")(rng)["messages"]
            earlier.append({"role": "assistant", "content": " ".join(rng.sample(words.says, 2))})
        return {**body, "messages": earlier + body["messages"]}

    return make


RECIPES: tuple[Recipe, ...] = (
    Recipe("chat-en", _chat("en"), 0.20),
    Recipe("math-en", _math("en"), 0.07),
    Recipe("sum-en", _sum, 0.05),
    Recipe("code-en", _function, 0.07),
    Recipe("choice-en", _choice, 0.06),
    Recipe("json-en", _order, 0.04),
    Recipe("tools-en", _tools, 0.035),
    Recipe("turns-3", _conversation(3), 0.03),
    Recipe("turns-5", _conversation(5), 0.025),
    Recipe("document-2k", _document(8_000), 0.03),
    Recipe("document-5k", _document(22_000), 0.02),
    *(
        Recipe(f"chat-{code}", _chat(code), share)
        for code, share in (("de", 0.05), ("fr", 0.05), ("es", 0.05))
    ),
    *(Recipe(f"chat-{code}", _chat(code), 0.03) for code in ("pt", "zh", "ja", "hi", "ar", "ru", "th")),
    *(
        Recipe(f"chat-{code}", _chat(code), share)
        for code, share in (("sw", 0.03), ("am", 0.02), ("ti", 0.015))
    ),
    *(Recipe(f"math-{code}", _math(code), 0.01) for code in ("de", "zh", "es")),
)


def traffic(
    seed: int, *, model: str = "standin", segment_share: Mapping[str, float] | None = None
) -> Iterator[Planned]:
    """Endless requests, the same for the same arguments; about half of them streamed.

    `segment_share` sets the share of all traffic that a segment gets, e.g. `{"language=sw": 0.04}`.
    Raises UsageError for a segment that no recipe makes.
    """
    rng = Random(f"traffic {seed}")  # noqa: S311  realistic, not secret
    weights = shares(segment_share or {})
    for number, recipe in enumerate(_draws(rng, weights)):
        body = {"model": model, **recipe.make(rng), "temperature": 0, "stream": rng.random() < 0.5}
        headers = {"x-request-id": f"demo-{seed}-{number}", "x-session-id": f"session-{rng.randrange(10**6)}"}
        yield Planned(body, headers, recipe.name)


def _draws(rng: Random, weights: Sequence[float]) -> Iterator[Recipe]:
    while True:
        yield from rng.choices(RECIPES, weights, k=256)


def shares(segment_share: Mapping[str, float]) -> list[float]:
    """Share of each recipe of `RECIPES`, after giving the named segments theirs."""
    weights = [recipe.weight for recipe in RECIPES]
    for segment, share in segment_share.items():
        inside = [matches(recipe, segment) for recipe in RECIPES]
        total = sum(w for w, yes in zip(weights, inside, strict=True) if yes)
        rest = sum(weights) - total
        if not total or not 0.0 < share < 1.0:
            raise UsageError(
                f"no demo traffic falls into {segment!r}; try language=sw, script=ethiopic, task=json"
            )
        if rest:
            weights = [
                w * (share / total if yes else (1 - share) / rest)
                for w, yes in zip(weights, inside, strict=True)
            ]
    return weights


def matches(recipe: Recipe, segment: str) -> bool:
    """Whether most requests of a recipe are in a segment, by the product's own segmenters."""
    rng = Random(recipe.name)  # noqa: S311
    hits = 0
    for number in range(6):
        body = {"model": "standin", **recipe.make(rng), "stream": number % 2 == 0}
        request = parse_request("chat", body)
        dims = segments_of(Exchange("", 0.0, request, Completion()))
        hits += all(dims.get(part.partition("=")[0]) == part.partition("=")[2] for part in segment.split(","))
    return hits >= 3
