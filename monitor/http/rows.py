"""Which rows of the verdict the page shows, and in what order. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Final

from monitor.board import dimension_of
from monitor.errors import BadInput
from monitor.records import SegmentVerdict

MOST_ROWS: Final = 500
"""Rows of one page; the rest is counted and one filter away."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Filter and order of the table. `everything`: all signals of a segment, not only its worst."""

    text: str = ""
    verdict: str = ""
    sort: str = "worst"
    everything: bool = False


_WORDS: Final = {"diverged": "diverged", "inconclusive": "not yet", "ok": "ok"}


def _descending(value: float | None) -> float:
    return inf if value is None else -value


# The verdict comes sorted worst unexplained divergence first; `worst` keeps that order.
SORTS: dict[str, Callable[[SegmentVerdict], Any]] = {
    "worst": lambda _row: 0,
    "segment": lambda row: (row.segment, row.signal),
    "pairs": lambda row: -row.pairs,
    "effect": lambda row: _descending(row.effect),
    "evidence": lambda row: _descending(row.evidence),
}


def chosen(rows: Sequence[SegmentVerdict], choice: Choice) -> tuple[list[SegmentVerdict], int]:
    """The rows to show and how many more match. Raises BadInput for an unknown order."""
    if choice.sort not in SORTS:
        raise BadInput("sort", f"sort is one of {', '.join(SORTS)}")
    found = [row for row in _condensed(rows, choice) if _matches(row, choice)]
    found.sort(key=SORTS[choice.sort])
    return found[:MOST_ROWS], max(0, len(found) - MOST_ROWS)


def _condensed(rows: Sequence[SegmentVerdict], choice: Choice) -> Iterable[SegmentVerdict]:
    """Each segment's first row and every diverged one; all rows where they were asked for."""
    if choice.everything:
        return rows
    seen: set[str] = set()
    kept = []
    for row in rows:
        if row.segment not in seen or row.verdict == "diverged":
            kept.append(row)
        seen.add(row.segment)
    return kept


def _matches(row: SegmentVerdict, choice: Choice) -> bool:
    words = f"{row.segment} {row.signal}".casefold()
    return choice.verdict in {"", row.verdict} and all(
        word in words for word in choice.text.casefold().split()
    )


def within(rows: Iterable[SegmentVerdict], segment: str) -> list[SegmentVerdict]:
    """All rows of one segment, worst first."""
    return [row for row in rows if row.segment == segment]


def by_dimension(rows: Iterable[SegmentVerdict]) -> list[tuple[str, list[SegmentVerdict]]]:
    """The worst judged row of every segment, dimension by dimension: where the candidate's limits lie."""
    found: dict[str, dict[str, SegmentVerdict]] = {}
    for row in rows:
        if row.level in {"page", "ticket"}:
            found.setdefault(dimension_of(row.segment), {}).setdefault(row.segment, row)
    return [
        (dimension, [segments[name] for name in sorted(segments)])
        for dimension, segments in sorted(found.items())
    ]


def states(rows: Iterable[SegmentVerdict]) -> list[tuple[str, int]]:
    """How many segments diverged, are explained by another, wait, or are ok: each by its worst row."""
    worst: dict[str, str] = {}
    for row in rows:
        if row.level in {"page", "ticket"}:
            word = "explained" if row.explained_by else _WORDS[row.verdict]
            worst.setdefault(row.segment, word)
    counts = Counter(worst.values())
    return [(word, counts[word]) for word in (*_WORDS.values(), "explained") if counts[word]]
