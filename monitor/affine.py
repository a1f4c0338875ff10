"""Merging replicas exactly: what a block does to a wealth is an affine map. Pure.

Between two looks, observations act on a bet's wealth as M -> P M + Q with P = prod L and
Q = sum of each payment times the factors from its observation on. Such maps compose associatively, so
a parent segment whose exchanges are spread over replicas needs only (P, Q) per bet and block from each
of them, composed in a fixed order (block, then replica). Composition does not commute: keep the order.
Capping, alarms and clears are not affine and stay with the owner (`Bank.compose`), at block ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monitor.noise_floor import Floats


@dataclass(frozen=True, slots=True)
class Affine:
    """`gain` = P and `added` = Q, any equal shape (bets, cells)."""

    gain: Floats
    added: Floats

    @classmethod
    def of(cls, x: Floats, paid: Floats, inverse_null: Floats, bets: Floats) -> Affine:
        """One row's block: scores (n), payments before each (n), 1/m (cells), bets (6)."""
        gain = np.ones((len(bets), len(inverse_null)))
        added = np.zeros_like(gain)
        for score, payment in zip(x, paid, strict=True):
            factor = 1.0 + bets[:, None] * (score * inverse_null - 1.0)
            gain = gain * factor
            added = (added + payment / len(bets)) * factor
        return cls(gain, added)

    def then(self, later: Affine) -> Affine:
        """This block, then `later`."""
        return Affine(self.gain * later.gain, self.added * later.gain + later.added)

    def __call__(self, wealth: Floats) -> Floats:
        """The wealth after the block."""
        return wealth * self.gain + self.added
