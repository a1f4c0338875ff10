"""The values of the constraint miner: a constraint, a language's phrases, a stated bound."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

Value = str | int | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Constraint:
    """`kind` is the registered id without language prefix, `arguments` the registered kwargs as pairs."""

    kind: str
    arguments: tuple[tuple[str, Value], ...] = ()
    language: str = "en"

    @property
    def args(self) -> dict[str, Any]:
        """The kwargs as JSON would hold them."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in self.arguments}


def constraint(kind: str, tongue: str, /, **arguments: Value) -> Constraint:
    """A constraint found by the phrases of the language `tongue` (ISO 639-1)."""
    return Constraint(kind, tuple(arguments.items()), tongue)


@dataclass(frozen=True, slots=True)
class Bound:
    """A stated count: `low` and `high` inclusive, None where open; the place of the phrase."""

    low: int | None
    high: int | None
    start: int
    end: int
    exact: bool = False
    plain: bool = False
    """A bare number without any relation ("3 bullet points")."""


@dataclass(frozen=True, slots=True, eq=False)
class Tongue:
    """Phrases of one language as regular expressions; empty where it has no natural form.

    `cues` are substrings (small letters) without which a family of rules cannot apply: most prompts state
    no constraint and cost only these look-ups. `at_least` and `at_most` are the registered relation words; `inclusive` says that `at_most`
    includes its number (Spanish), elsewhere it is "less than".
    """

    code: str
    gate: str
    cues: Mapping[str, tuple[str, ...]]
    numbers: Mapping[str, int]
    ordinals: Mapping[str, int]
    minimum: str
    above: str
    maximum: str
    below: str
    exactly: str
    or_more: str
    or_less: str
    to: str
    at_least: str
    at_most: str
    words: str
    sentences: str
    characters: str
    paragraphs: str
    sections: str
    bullets: str
    placeholders: str
    parts: str
    times: str
    once: Mapping[str, int]
    highlight: str
    capital_words: str
    all_capital: str
    all_lower: str
    case_name: str
    no_comma: str
    keyword: str
    letter: str
    negation: str
    edge: str
    usage: str
    title: str
    quotation: str
    ending: str
    starting: str
    two_responses: str
    repeat: str
    section_mark: str
    paragraph_start: str
    only_language: str
    language_names: Mapping[str, str]
    options: str
    one_word: str
    yes_no: str
    split: str
    inclusive: bool = False
    placeholder_relation: bool = False

    def cued(self, family: str, small: str) -> bool:
        """Whether a family's rules are worth trying on a text (given in small letters)."""
        return any(cue in small for cue in self.cues[family])


@cache
def rx(pattern: str) -> re.Pattern[str]:
    """A phrase compiled once, letters of either case."""
    return re.compile(pattern, re.IGNORECASE)
