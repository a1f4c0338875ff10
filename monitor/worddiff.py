"""Two texts side by side, cut down to where they differ. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

# One ideograph, kana or letter of a script without spaces is a word of its own: a whole sentence
# as one token would be "changed" by a comma.
_WORD = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]|\w+|\s+|[^\w\s]")
_CONTEXT = 12  # tokens kept on both sides of a change
_LONGEST = 240  # tokens shown per side
_EXAMINED = 4_000  # tokens compared per side; the alignment is quadratic


@dataclass(frozen=True, slots=True)
class Span:
    """A run of text; `changed` where the other side has something else."""

    text: str
    changed: bool


Side = tuple[Span, ...]
GAP = Span(" … ", changed=False)


def side_by_side(left: str, right: str) -> tuple[Side, Side]:
    """Both texts as spans, equal stretches shortened to their edges."""
    a, b = _words(left), _words(right)
    sides: tuple[list[Span], list[Span]] = ([], [])
    blocks = list(Levenshtein.opcodes(a, b))
    for at, block in enumerate(blocks):
        if block.tag == "equal":
            first, last = at == 0, at == len(blocks) - 1
            for side in sides:
                side.extend(_shortened(a[block.src_start : block.src_end], first=first, last=last))
        else:
            sides[0].append(Span("".join(a[block.src_start : block.src_end]), changed=True))
            sides[1].append(Span("".join(b[block.dest_start : block.dest_end]), changed=True))
    return _cut(sides[0]), _cut(sides[1])


def _words(text: str) -> list[str]:
    words = []
    for match in _WORD.finditer(text):
        words.append(match.group())
        if len(words) == _EXAMINED:
            break
    return words


def _shortened(words: Sequence[str], *, first: bool, last: bool) -> Iterator[Span]:
    """An equal stretch: its end before a change, its start after one."""
    if first and last:
        yield Span("".join(words), changed=False)
        return
    head = 0 if first else _CONTEXT
    tail = 0 if last else _CONTEXT
    if len(words) <= head + tail:
        yield Span("".join(words), changed=False)
        return
    yield Span("".join(words[:head]), changed=False)
    yield GAP
    yield Span("".join(words[len(words) - tail :]), changed=False)


def _cut(spans: Sequence[Span]) -> Side:
    """At most `_LONGEST` tokens."""
    kept: list[Span] = []
    left = _LONGEST
    for span in spans:
        words = _WORD.findall(span.text)
        if len(words) > left:
            kept += [Span("".join(words[:left]), span.changed), GAP]
            break
        left -= len(words)
        if span.text:
            kept.append(span)
    return tuple(kept)
