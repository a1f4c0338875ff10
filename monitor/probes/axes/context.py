"""Long documents: a fact, or a date, that stands somewhere in so many tokens."""

from __future__ import annotations

from monitor.probes.draws import Draws
from monitor.probes.items import Axis, Item, asked, octaves
from monitor.probes.words import MONTHS, NOUNS, filler

DEPTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Where the needle stands, as a share of the document: the dip in the middle is part of the axis."""
_OVERHEAD_TOKENS = 60
_DISTRACTORS = 3


def needle(level: float, draws: Draws) -> Item:
    """The access code of one thing among codes of others."""
    subject, *others = draws.sample(NOUNS, 1 + _DISTRACTORS)
    code = draws.between(100_000, 999_999)
    text = filler(draws, max(level - _OVERHEAD_TOKENS, 0))
    for other in others:
        text.insert(
            draws.between(0, len(text)),
            f"The access code of the {other} is {draws.between(100_000, 999_999)}.",
        )
    text.insert(_place(draws, text), f"The access code of the {subject} is {code}.")
    question = f"What is the access code of the {subject}? Answer with the code only."
    return asked(
        f"{' '.join(text)}\n\n{question}",
        {"type": "contains_normalised", "expect": str(code)},
        level=level,
        max_tokens=32,
    )


def _place(draws: Draws, text: list[str]) -> int:
    return round(draws.choice(DEPTHS) * len(text))


def dates(level: float, draws: Draws) -> Item:
    """The end of one contract among several, to be given in another notation than the text's."""
    numbers = [f"{draws.choice('ABCDEFGH')}{draws.between(100, 999)}" for _ in range(1 + _DISTRACTORS)]
    text = filler(draws, max(level - _OVERHEAD_TOKENS, 0))
    for number in numbers[1:]:
        written, _ = _date(draws)
        text.insert(draws.between(0, len(text)), f"The supply contract {number} expires on {written}.")
    written, iso = _date(draws)
    text.insert(_place(draws, text), f"The supply contract {numbers[0]} expires on {written}.")
    question = f"On which date does the supply contract {numbers[0]} expire? Answer as YYYY-MM-DD only."
    return asked(
        f"{' '.join(text)}\n\n{question}",
        {"type": "contains_normalised", "expect": iso},
        level=level,
        max_tokens=32,
    )


def _date(draws: Draws) -> tuple[str, str]:
    year, month, day = draws.between(2027, 2039), draws.between(1, 12), draws.between(1, 28)
    return f"{day} {MONTHS[month - 1]} {year}", f"{year}-{month:02d}-{day:02d}"


AXES = (
    Axis(
        "context",
        "tokens",
        "finds a stated code anywhere in a document",
        octaves(256, 131_072),
        needle,
        counted=True,
    ),
    Axis(
        "dates",
        "tokens",
        "finds and rewrites a date in a document",
        octaves(256, 131_072),
        dates,
        counted=True,
    ),
)
