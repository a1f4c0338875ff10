"""JSON in an answer, with or without its envelope, and its leaves."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

LIMIT = 200_000
_ATTEMPTS = 12
_MAX_DEPTH = 60
_DECODER = json.JSONDecoder(strict=False)
_FENCED = re.compile(r"\A\s*```[\w+-]*[ \t]*\n(?P<body>.*?)\n?\s*```\s*\Z", re.DOTALL)
_FENCE = re.compile(r"```[\w+-]*[ \t]*\n(?P<body>.*?)```", re.DOTALL)

_OPEN = re.compile(r"[{\[]")

Envelope = Literal["bare", "fenced", "embedded", "none"]
Leaf = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Found:
    """JSON found in a text and how it was wrapped; `value` is meaningless where envelope is none."""

    envelope: Envelope
    value: Any = None


_NOTHING = Found("none")


def _load(text: str) -> Found:
    """The whole text as one JSON object or array."""
    try:
        value, end = _DECODER.raw_decode(text)
    except (ValueError, RecursionError):
        return _NOTHING
    whole = isinstance(value, dict | list) and not text[end:].strip()
    return Found("bare", value) if whole else _NOTHING


def _embedded(text: str) -> Found:
    """The largest of the first JSON objects inside prose; a lone `[1]` is a citation, not JSON."""
    best: Found = _NOTHING
    size = position = 0
    for _ in range(_ATTEMPTS):
        start = _OPEN.search(text, position)
        if start is None:
            break
        try:
            value, end = _DECODER.raw_decode(text, start.start())
        except (ValueError, RecursionError):
            position = start.start() + 1
            continue
        structured = isinstance(value, dict) or (
            isinstance(value, list) and any(isinstance(v, dict) for v in value)
        )
        if structured and value and end - start.start() > size:
            best, size = Found("embedded", value), end - start.start()
        position = end
    return best


@lru_cache(maxsize=64)
def find_json(text: str) -> Found:
    """JSON of an answer: bare, in a fence that is the whole answer, or embedded in prose."""
    stripped = text[:LIMIT].strip()
    if "{" not in stripped and "[" not in stripped:
        return _NOTHING
    if stripped[0] in "{[":
        bare = _load(stripped)
        if bare.envelope == "bare":
            return bare
    fenced = _FENCED.match(stripped)
    if fenced:
        inner = _load(fenced["body"].strip())
        if inner.envelope == "bare":
            return Found("fenced", inner.value)
    for block in list(_FENCE.finditer(stripped))[-3:][::-1]:
        inner = _load(block["body"].strip())
        if inner.envelope == "bare":
            return Found("embedded", inner.value)
    return _embedded(stripped)


def leaves(value: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, Leaf]]:
    """(path, leaf) of nested JSON, lists by index; empty containers are leaves too."""
    if isinstance(value, dict) and value and depth < _MAX_DEPTH:
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}", depth + 1)
    elif isinstance(value, list) and value and depth < _MAX_DEPTH:
        for index, inner in enumerate(value):
            yield from leaves(inner, f"{path}[{index}]", depth + 1)
    else:
        yield path, value if not isinstance(value, dict | list) else json.dumps(value)[:200]
