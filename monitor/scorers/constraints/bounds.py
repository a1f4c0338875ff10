"""Counts with a relation in running text: "at least 3 …", "3 to 5 …", "150+ …", "ne dépasse pas 17 …"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from monitor.scorers.constraints.model import Bound, Constraint, Tongue, Value, constraint, rx

_MAX_COUNT = 100_000


@lru_cache(maxsize=256)
def _pattern(tongue: Tongue, unit: str) -> re.Pattern[str]:
    numbers = "|".join(sorted(map(re.escape, tongue.numbers), key=len, reverse=True))
    number = rf"(?:\d{{1,6}}|(?:{numbers})\b)"
    relations = "|".join(
        f"(?P<{name}>{getattr(tongue, name)})" for name in ("above", "minimum", "maximum", "below", "exactly")
    )
    return re.compile(
        rf"(?:\b(?:{relations})(?:\s|(?<='))\s*(?:\w{{1,3}}\s)?)?"
        rf"(?<![\w.,])(?P<n>{number})\s?(?:(?:{tongue.to})\s?(?P<m>{number}))?(?P<plus>\+)?[\s-]"
        rf"\s*(?:(?:{tongue.or_more})\s+(?P<x>))?(?:(?:{tongue.or_less})\s+(?P<y>))?"
        rf"(?:[^\W\d_]+[\s-]){{0,2}}?(?:{unit})"
        rf"(?:\s+(?:(?P<after_more>{tongue.or_more})|(?P<after_less>{tongue.or_less})))?",
        re.IGNORECASE,
    )


def bounds(tongue: Tongue, unit: str, text: str) -> Iterator[Bound]:
    """Stated counts of `unit` (a regular expression) in a text, in order.

    Only the 90 characters before a unit are read: the relation stands there.
    """
    pattern, done = _pattern(tongue, unit), 0
    for found in rx(unit).finditer(text):
        if found.end() <= done:
            continue
        window_end = min(len(text), found.end() + 24)
        for match in pattern.finditer(text, max(done, found.start() - 90), window_end):
            yield _bound(tongue, match)
            done = match.end()


def _number(tongue: Tongue, word: str) -> int:
    return min(int(word), _MAX_COUNT) if word.isdecimal() else tongue.numbers[word.casefold()]


def _bound(tongue: Tongue, match: re.Match[str]) -> Bound:
    n = _number(tongue, match["n"])
    low, high = _range(match, n)
    if match["m"]:
        low, high = n, _number(tongue, match["m"])
    plain = low is None and high is None
    exact = bool(match["exactly"])
    return Bound(
        n if plain else low, n if plain else high, match.start(), match.end(), exact, plain and not exact
    )


def _range(match: re.Match[str], n: int) -> tuple[int | None, int | None]:
    """(low, high) inclusive of one number by its relation; (None, None) without one."""
    if match["above"]:
        return n + 1, None
    if match["below"]:
        return None, n - 1
    if match["maximum"] or match["y"] is not None or match["after_less"]:
        return None, n
    if match["minimum"] or match["plus"] or match["x"] is not None or match["after_more"]:
        return n, None
    return None, None


def limits(
    tongue: Tongue, kind: str, bound: Bound, count: str, relation: str, **more: Value
) -> Iterator[Constraint]:
    """A bound as registered constraints: at least, less than (or at most), or both."""
    if bound.low is not None:
        yield _limit(tongue, kind, (count, bound.low), (relation, tongue.at_least), more)
    if bound.high is not None:
        number = bound.high if tongue.inclusive else bound.high + 1
        yield _limit(tongue, kind, (count, number), (relation, tongue.at_most), more)


def _limit(
    tongue: Tongue, kind: str, count: tuple[str, int], relation: tuple[str, str], more: dict[str, Value]
) -> Constraint:
    arguments: dict[str, Value] = {**more, relation[0]: relation[1], count[0]: count[1]}
    return constraint(kind, tongue.code, **arguments)
