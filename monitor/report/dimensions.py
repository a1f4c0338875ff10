"""Segments by dimension: which one each combination of dimension values is in. Pure.

A pair's combination of dimension values decides all of its segments, and ten million pairs have some thousands of
combinations. So whatever is counted per combination is known for every segment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.board import dimension_of


@dataclass(frozen=True, slots=True)
class Dimension:
    """The segments of one dimension; `numbers[combination]` is the one it is in, `len(segments)` where in none."""

    segments: tuple[str, ...]
    numbers: NDArray[np.unsignedinteger[Any]]

    @classmethod
    def of(cls, names: Sequence[str | None]) -> Dimension:
        """From the segment of every combination."""
        segments = tuple(sorted({name for name in names if name is not None}))
        number: dict[str | None, int] = {name: at for at, name in enumerate(segments)}
        # Small types on purpose: NumPy sorts 8 and 16 bits by radix, in linear time.
        kind = np.min_scalar_type(len(segments))
        return cls(segments, np.array([number.get(name, len(segments)) for name in names], kind))


def dimensions_of(combinations: Iterable[Sequence[str]]) -> list[Dimension]:
    """From the segments of every combination, at most one of each dimension."""
    found: dict[str, dict[int, str]] = {}
    count = 0
    for number, names in enumerate(combinations):
        count += 1
        for name in names:
            found.setdefault(dimension_of(name), {})[number] = name
    return [Dimension.of([column.get(number) for number in range(count)]) for column in found.values()]
