"""One row's observations one after the other, in plain floats. Pure.

The vectorised step pays numpy's call overhead once per round, which a log of few rows cannot share: a
million scores of one segment would be a million rounds. Same operations in the same order, hence the
same bits as `Bank._step` (tests hold the two together).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(slots=True)
class OneRow:
    """The state of a one-stream row; `paid` is what this scan put in."""

    wealth: list[float]
    bets: list[float]
    inverse_null: float
    rate: float
    last: float
    firing: bool
    evidence: float
    paid: float = 0.0


def scan(
    row: OneRow,
    log: Iterable[tuple[float, float, bool]],
    *,
    alarm: float,
    clear: float,
    cap: float,
    overflow: float,
) -> list[tuple[int, float, bool, float]]:
    """Apply (time, x, whether a block ends); returns (position, time, alarm?, evidence) of crossings."""
    found: list[tuple[int, float, bool, float]] = []
    bets, wealth, last = row.bets, row.wealth, row.last
    count = len(bets)
    for position, (time, x, ends) in enumerate(log):
        now = time if time > last else last
        paid = row.rate * (now - last)
        last = now
        row.paid += paid
        share = 0.0 if row.firing else paid / count
        edge = x * row.inverse_null - 1.0 if x == x else 0.0  # noqa: PLR0124  not nan
        wealth = [
            min((m + share) * (1.0 + bet * edge), overflow) for m, bet in zip(wealth, bets, strict=True)
        ]
        if not ends:
            continue
        total = wealth[0]
        for m in wealth[1:]:  # sum() compensates rounding from Python 3.12 on
            total += m
        if total > cap:
            scale = cap / total
            wealth = [m * scale for m in wealth]
        row.evidence = min(total, cap)
        if row.evidence < clear if row.firing else row.evidence >= alarm:
            row.firing = not row.firing
            found.append((position, now, row.firing, row.evidence))
    row.wealth, row.last = wealth, last
    return found
