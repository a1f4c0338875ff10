"""A vocabulary without a table: a token's id spells the token, so ids mean the same everywhere.

Two stand-ins (baseline and candidate) agree on every id without sharing state, and any id can be
turned back into text, which teacher forcing by token ids needs. Ids stay below 2**53, the largest
integer that JSON readers keep exact.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from hashlib import blake2b

_WIDE = 1 << 50
_CODE_POINT_BITS = 21
# Up to six ASCII characters, a leading blank included, or up to two others.
_PIECES = re.compile(r" ?[A-Za-z]{1,5}|[0-9]{1,3}|[\x01-\x7f]|[^\x01-\x7f]{1,2}")
_SPECIALS = ("<|user|>", "<|assistant|>", "<|end|>")


def pieces(text: str) -> list[str]:
    """Tokens of a text; joined they are the text."""
    return _PIECES.findall(text)


@lru_cache(maxsize=65536)
def token_id(token: str) -> int:
    """The id that spells a token of `pieces`."""
    if token.isascii() and "\0" not in token:
        return int.from_bytes(token.encode(), "big")
    number = 0
    for character in token:
        number = number << _CODE_POINT_BITS | (ord(character) + 1)
    return _WIDE | number


def token_text(number: int) -> str:
    """The token of an id; an id of no token is the replacement character."""
    if number & _WIDE:
        return _wide_text(number ^ _WIDE)
    try:
        return number.to_bytes(6, "big").lstrip(b"\0").decode("ascii")
    except (OverflowError, UnicodeDecodeError):
        return "\N{REPLACEMENT CHARACTER}"


def _wide_text(number: int) -> str:
    points = []
    while number:
        points.append((number & ((1 << _CODE_POINT_BITS) - 1)) - 1)
        number >>= _CODE_POINT_BITS
    try:
        return "".join(map(chr, reversed(points)))
    except (ValueError, OverflowError):
        return "\N{REPLACEMENT CHARACTER}"


def ids(text: str) -> list[int]:
    """Token ids of a text."""
    return [token_id(piece) for piece in pieces(text)]


def text_of(numbers: list[int]) -> str:
    """The text that token ids spell."""
    return "".join(map(token_text, numbers))


def unit(*parts: object) -> float:
    """A number in [0, 1) that depends on `parts` alone."""
    digest = blake2b("\x1f".join(map(str, parts)).encode("utf-8", "surrogatepass"), digest_size=7).digest()
    return int.from_bytes(digest, "big") / (1 << 56)


def logprob(previous: int, current: int, role: str, damage: float) -> float:
    """A stand-in for log p(current | previous): deterministic, same for both roles up to rounding.

    A healthy candidate differs by about 0.02 nats, as an int8 copy does (measured 0.025 mean
    absolute drop on SmolLM2-135M); `damage` nats are taken off where a fault is planted.
    """
    base = math.log(0.55 + 0.45 * unit(previous, current))
    if role == "baseline":
        return base
    return min(0.0, base + 0.08 * (unit(previous, current, role) - 0.5)) - damage * unit(current, previous)
