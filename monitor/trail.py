"""Evidence over time, as steps: a row is kept only when a detector's evidence has moved. Pure.

Thousands of detectors stand still most of the time. A point is due once the evidence is a quarter of
a decade away from the last one kept; below `FLOOR` it counts as nothing. Between two points the value
was therefore known to a factor of 1.8, and an idle route keeps no rows at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from monitor.table import Key

FLOOR = 1e-3
STEP_DECADES = 0.25


class Trail:
    """Remembers the last point kept per detector of one table. `due` from one thread."""

    def __init__(self) -> None:
        self._kept: NDArray[np.float64] = np.empty(0)

    def due(self, keys: Sequence[Key], evidence: NDArray[np.float64]) -> Iterator[tuple[Key, float]]:
        """Detectors whose evidence has moved since their last point, with its value now.

        `keys` and `evidence` are rows of one table in the same order; rows are only ever added.
        """
        new = len(evidence) - len(self._kept)
        if new > 0:
            self._kept = np.concatenate([self._kept, np.full(new, np.log10(FLOOR))])
        now = np.log10(np.maximum(evidence, FLOOR))
        moved = np.flatnonzero(np.abs(now - self._kept) >= STEP_DECADES)
        self._kept[moved] = now[moved]
        for row in moved.tolist():
            yield keys[row], float(evidence[row])
