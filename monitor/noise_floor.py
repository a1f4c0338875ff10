"""What the replays say about an unknown noise floor: evidence against every possible floor.

The floor is the mean of the reference score x0 (baseline against its own replay). It is cut into
25 cells [g, h]. For cell i, E0_i is a fixed mixture of bets that the mean is below g_i:

    E0_i = 1/7 + 6/7 mean over kappa of prod over replays of f(x0),
    f(x0) = 1 + kappa (g_i - x0) / (1 - g_i),  kappa in {.2 ... .95}

While E[x0 | past] >= g_i every f has mean <= 1, so E0_i is an e-process (Waudby-Smith & Ramdas,
arXiv:2010.09686). Two changes make it small, mergeable and good for months:

* log f is concave in x0, so interpolating it between fixed knots can only lower it: E0_i stays an
  e-process, is exact for scores that sit on a knot (0 and 1 do), and its whole state is one count
  per knot, whatever the order of the replays or the replica that saw them.
* One seventh never bets. Without it, evidence about cells below the truth decays for ever and
  would outvote any candidate after enough replays, because the alarm takes the minimum over cells.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

EDGES = np.array([
    .00, .01, .02, .03, .04, .05, .06, .07, .08, .09, .10, .11, .12, .14, .16, .18, .20,
    .23, .26, .30, .35, .40, .47, .55, .70, 1.0,
])  # fmt: skip
FLOORS, CEILINGS = EDGES[:-1], EDGES[1:]
CELLS = len(FLOORS)
# Timid bets tell apart floors closer than a cell, which no alarm needs: without .05 and .1 a 15-point
# drop is found 2 to 8 % sooner at every floor tried (tests/benchmarks/alarms.py, B3).
KAPPAS = np.array([0.2, 0.4, 0.7, 0.95])
KNOTS = np.array([0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.55, 0.7, 0.8, 0.9, 1.0])
IDLE = 1 / 7
# exp(600) is far beyond any alarm and far from overflow when multiplied by a wealth.
LOG_LIMIT = 600.0

# A young segment borrows its parent's replays under a stated assumption: it flips at most
# POOL_FACTOR times as often as its parent, plus POOL_SLACK. So "this segment's floor is >= g" says
# "the parent's floor is >= (g - slack) / factor", which the parent's replays can contradict.
POOL_FACTOR = 2.0
POOL_SLACK = 0.02


def _log_factors(floors: Floats) -> Floats:
    """log f at every knot, shape (knots, kappas, cells)."""
    step = (floors - KNOTS[:, None, None]) / (1.0 - floors)
    factors: Floats = np.log1p(KAPPAS[:, None] * step)
    return factors


OWN = _log_factors(FLOORS)
POOLED = _log_factors(np.maximum(FLOORS - POOL_SLACK, 0.0) / POOL_FACTOR)


def knot_counts(x0: Floats) -> Floats:
    """Scores (n) as fractional counts on the knots (n, knots); each row sums to 1."""
    left = np.clip(np.searchsorted(KNOTS, x0, side="right") - 1, 0, len(KNOTS) - 2)
    share = (x0 - KNOTS[left]) / (KNOTS[left + 1] - KNOTS[left])
    counts = np.zeros((len(x0), len(KNOTS)))
    rows = np.arange(len(x0))
    counts[rows, left] = 1.0 - share
    counts[rows, left + 1] += share
    return counts


def floor_evidence(counts: Floats, log_factors: Floats = OWN) -> Floats:
    """E0 per cell (n, cells) from counts (n, knots).

    Knots are added one by one in a fixed order: a matrix product may round differently for another
    number of rows, and a restarted or split monitor has to agree to the last bit.
    """
    total = counts[:, 0, None, None] * log_factors[0]
    for knot in range(1, len(KNOTS)):
        total += counts[:, knot, None, None] * log_factors[knot]
    np.minimum(total, LOG_LIMIT, out=total)
    np.exp(total, out=total)
    mixed = total[:, 0].copy()
    for kappa in range(1, len(KAPPAS)):
        mixed += total[:, kappa]
    evidence: Floats = IDLE + (1.0 - IDLE) / len(KAPPAS) * mixed
    return evidence
