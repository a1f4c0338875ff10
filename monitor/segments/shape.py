"""Dimensions that need no reading: prompt length, turn, streaming, model and load."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from monitor import scripts
from monitor.records import Exchange, Request
from monitor.segments.declared import UNKNOWN, clean

_CONTEXT: Final = (
    (1_000, 4_000, 8_000, 32_000, 128_000),
    ("<1k", "1k-4k", "4k-8k", "8k-32k", "32k-128k", ">128k"),
)
_LOAD: Final = ((2, 5, 17, 65), ("1", "2-4", "5-16", "17-64", ">64"))

# Characters per token of byte-pair vocabularies, an estimate for where the server reported no usage:
# scripts that dominate training data get whole words, tail scripts pieces of characters (Petrov et al.,
# arXiv 2305.15425, find lengths up to 15 times apart). A band is a factor of two to four wide.
_CHARACTERS_PER_TOKEN: Final[Mapping[str, float]] = MappingProxyType(
    {
        "latin": 4.0,
        "cyrillic": 2.6,
        "greek": 1.9,
        "arabic": 2.3,
        "hebrew": 1.9,
        "han": 1.3,
        "japanese": 1.4,
        "hangul": 1.4,
        "devanagari": 1.9,
        "thai": 1.7,
        UNKNOWN: 3.0,
    }
)
_TAIL_SCRIPT: Final = 1.0


def _band(value: float, bands: tuple[tuple[int, ...], tuple[str, ...]]) -> str:
    bounds, names = bands
    return names[bisect_right(bounds, value)]


def context(exchange: Exchange) -> str:
    """Band of prompt tokens: reported by the server, else estimated from characters per script."""
    reported = exchange.baseline.input_tokens
    return _band(reported if reported is not None else estimated_tokens(exchange.request), _CONTEXT)


def estimated_tokens(request: Request) -> int:
    """Prompt tokens, estimated: text by its script, tool definitions as JSON."""
    tokens = sum(_tokens(m.text) + 4 for m in request.messages)
    tools = request.body.get("tools")
    return round(tokens + (len(json.dumps(tools, default=str)) / 3.5 if tools else 0))


def _tokens(text: str) -> float:
    return len(text) / _CHARACTERS_PER_TOKEN.get(scripts.script(text), _TAIL_SCRIPT)


def turn(exchange: Exchange) -> str:
    """How many user messages the request carries."""
    turns = sum(m.role == "user" for m in exchange.request.messages)
    return "1" if turns <= 1 else "2-3" if turns <= 3 else "4+"


def stream(exchange: Exchange) -> str:
    """Whether the answer was streamed."""
    return "yes" if exchange.request.stream else "no"


def model(exchange: Exchange) -> str:
    """The model that the request names."""
    return clean(exchange.request.model or UNKNOWN)


def load(exchange: Exchange) -> str:
    """Band of requests in flight on the baseline when this one was sent."""
    in_flight = exchange.baseline.in_flight
    return UNKNOWN if in_flight is None else _band(in_flight, _LOAD)
