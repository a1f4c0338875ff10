"""What the detectors remember, as columns. Pure."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from monitor.noise_floor import Floats

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(slots=True)
class Cells:
    """Every number the detectors remember; first axis = row. G = 1 (one stream) or 25 (two)."""

    wealth: Floats  # (K, 6, G)
    inverse_null: Floats  # (K, G) 1/m
    bets: Floats  # (K, 6)
    rate: Floats  # (K) budget per second
    last: Floats  # (K) event time up to which the row is paid
    evidence: Floats  # (K) at the end of the row's last block
    firing: Bools  # (K)
    since: Floats  # (K) event time of the last alarm or clear
    born: Floats  # (K) event time from which pairs, replays and sums count
    pairs: Ints  # (K) observations of x since the candidate changed
    replays: Ints  # (K)
    sum_x: Floats  # (K)
    sum_x0: Floats  # (K)
    counts: Floats  # (K, 2, knots) replays of the window in use and of the one being filled
    pool: Floats  # (K, knots) replays lent by the parent
    floor: Floats  # (K, G) E0
    cap: Floats  # (K, G) of R E0
    granted: Floats  # (K) paid beside the clock since `born`


def empty(bets: int, cells: int, knots: int) -> Cells:
    """No rows yet."""
    flat, count = np.zeros(0), np.zeros(0, np.int64)
    return Cells(
        np.zeros((0, bets, cells)), np.zeros((0, cells)), np.zeros((0, bets)),
        flat, flat, flat, np.zeros(0, np.bool_), flat, flat, count, count, flat, flat,
        np.zeros((0, 2, knots)), np.zeros((0, knots)), np.ones((0, cells)), np.ones((0, cells)), flat,
    )  # fmt: skip


def grown(cells: Cells, extra: int) -> Cells:
    """The same cells with `extra` zero rows at the end."""
    return Cells(
        *(
            np.concatenate([array, np.zeros((extra, *array.shape[1:]), array.dtype)])
            for array in (getattr(cells, field.name) for field in fields(cells))
        )
    )
