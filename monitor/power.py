"""How many pairs until a fault would have been found: what makes "no alarm" mean something. Pure.

`pairs_needed` answers for the verdict (`ok` needs that many), `smallest_drop` for a quiet segment: the
smallest rise that its traffic reveals within a day. Both count from zero wealth with the money of ten
exchanges, about what a Shiryaev-Roberts sum has working for it when a growing bet takes off. A fault
that came with the candidate also meets the lump of the rollout; one of another day does not.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil, inf, log, log2, log10

import numpy as np

from monitor.betting import betting_pairs_needed
from monitor.detector import BETS
from monitor.noise_floor import CEILINGS, FLOORS, IDLE, KAPPAS, Floats
from monitor.table import Row

POWER = 0.9
_QUANTILE = 1.2816  # of the standard normal at POWER
WORKING_EXCHANGES = 10
DAY = 86_400.0
LARGEST = 1_000_000


def pairs_needed(row: Row, detectable: float, now: float) -> int | None:
    """Pairs after which a rise of `detectable` above the allowance that came with the candidate would
    have alarmed with probability 0.9 at the row's budget and traffic; None where it cannot be seen."""
    return _needed(row, detectable, now, row.granted)


def _needed(row: Row, detectable: float, now: float, granted: float) -> int | None:
    if not row.pairs or row.rate <= 0:
        return None
    capital = granted + WORKING_EXCHANGES * row.rate * max(now - row.born, 1.0) / row.pairs
    capital = 10 ** (round(4 * log10(capital)) / 4)
    if not row.two_stream:
        return _one_stream(round(row.null, 3), detectable, capital)
    if not row.replays:
        return None
    floor, share = row.sum_x0 / row.replays, row.replays / row.pairs
    known = 0 if row.known <= row.replays else 2 ** int(log2(row.known - row.replays))
    return _two_stream(
        round(floor, 2), round(row.null, 3), detectable, max(round(share, 2), 0.01), capital, known=known
    )


def smallest_drop(row: Row, now: float) -> float | None:
    """The smallest rise above the allowance (to 0.01) that a day of the row's traffic reveals."""
    if not row.pairs or now <= row.born:
        return None
    day = row.pairs / max(now - row.born, 1.0) * DAY
    low, high = 1, 100
    if not _within(_needed(row, high / 100, now, 0.0), day):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (
            (low, middle) if _within(_needed(row, middle / 100, now, 0.0), day) else (middle + 1, high)
        )
    return low / 100


def _within(needed: int | None, pairs: float) -> bool:
    return needed is not None and needed <= pairs


@lru_cache(maxsize=4096)
def _one_stream(null: float, detectable: float, capital: float) -> int | None:
    return betting_pairs_needed(null, min(null + detectable, 1.0), min(capital, 0.5), POWER, LARGEST)


@lru_cache(maxsize=4096)
def _two_stream(
    floor: float, allowed: float, detectable: float, share: float, capital: float, *, known: int = 0
) -> int | None:
    """The slowest cell decides; in each the luckiest pair of bets. Normal approximation for 0/1 scores.

    A cell is overcome by candidate bets, by replay bets, or by both: axis 1 holds the six bets and
    "none", axis 2 the kappas and "none". `known` replays were there before counting started.
    """
    mean = min(floor + allowed + detectable, 1.0)
    nulls, floors = np.minimum(CEILINGS + allowed, 1.0)[:, None], FLOORS[:, None]
    up, up_spread = _moments(np.log1p(-BETS) + 0 * nulls, np.log1p(BETS * (1 / nulls - 1)), mean)
    down, down_spread = _moments(
        np.log1p(KAPPAS * floors / (1 - floors)), np.log1p(-KAPPAS) + 0 * floors, floor
    )
    gain = _with_none(up)[:, :, None] + share * _with_none(down)[:, None, :]
    # The number of replays varies too, hence the second moment of their share.
    spread = _with_none(up_spread)[:, :, None] + share * _with_none(down_spread + down**2)[:, None, :]
    credit = _with_none(np.maximum(known * down - _QUANTILE * np.sqrt(known * down_spread), 0.0))[:, None, :]
    debt = -log(min(capital, 0.5) / len(BETS)) - log(IDLE) - credit
    with np.errstate(divide="ignore", invalid="ignore"):
        root = (_QUANTILE * np.sqrt(spread) + np.sqrt(_QUANTILE**2 * spread + 4 * gain * debt)) / (2 * gain)
    counts = np.where(debt <= 0, 1.0, np.where(gain > 0, root**2, inf))
    needed = float(counts.min(axis=(1, 2)).max())
    return None if needed > LARGEST else ceil(needed)


def _moments(zero: Floats, one: Floats, mean: float) -> tuple[Floats, Floats]:
    """Mean and variance of a log factor that is `one` with probability `mean`, else `zero`."""
    return (1 - mean) * zero + mean * one, mean * (1 - mean) * (one - zero) ** 2


def _with_none(values: Floats) -> Floats:
    return np.concatenate([values, np.zeros((len(values), 1))], axis=1)
