"""Fenced code blocks of Markdown (CommonMark 0.31, 4.5) as models write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

LIMIT = 60_000
_MAX_BLOCKS = 40
_FENCE = re.compile(r"^[ \t]*(?P<mark>`{3,}|~{3,})[ \t]*(?P<language>[\w+#.-]*)[^\n`]*\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block; `closed` is False where the answer ends inside it."""

    language: str
    body: str
    closed: bool


@lru_cache(maxsize=64)
def blocks(text: str) -> tuple[Block, ...]:
    """The fenced blocks of the first `LIMIT` characters, in order."""
    if "```" not in text and "~~~" not in text:
        return ()
    text = text[:LIMIT]
    found: list[Block] = []
    position = 0
    while len(found) < _MAX_BLOCKS:
        opening = _FENCE.search(text, position)
        if opening is None:
            break
        closing = re.compile(rf"^[ \t]*{opening['mark'][0]}{{{len(opening['mark'])},}}[ \t]*$", re.MULTILINE)
        end = closing.search(text, opening.end())
        body = text[opening.end() : end.start() if end else len(text)]
        found.append(Block(opening["language"].lower(), body, closed=end is not None))
        if end is None:
            break
        position = end.end()
    return tuple(found)
