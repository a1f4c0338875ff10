"""Choices that depend on a key alone, so that a seed means the same items in every version of every library."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")


class Draws:
    """A stream of choices for one item; the same key gives the same stream."""

    __slots__ = ("_count", "_key")

    def __init__(self, *key: object) -> None:
        self._key = "\x1f".join(map(str, key))
        self._count = 0

    def unit(self) -> float:
        """A number in [0, 1)."""
        self._count += 1
        digest = blake2b(f"{self._key}\x1f{self._count}".encode(), digest_size=7).digest()
        return int.from_bytes(digest, "big") / (1 << 56)

    def between(self, low: int, high: int) -> int:
        """An integer from `low` to `high`, both included."""
        return low + int(self.unit() * (high - low + 1))

    def choice(self, options: Sequence[T]) -> T:
        """One of the options."""
        return options[self.between(0, len(options) - 1)]

    def sample(self, options: Sequence[T], count: int) -> list[T]:
        """`count` different options in random order; all of them where there are fewer."""
        rest = list(options)
        return [rest.pop(self.between(0, len(rest) - 1)) for _ in range(min(count, len(rest)))]
