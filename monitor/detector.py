"""Budgeted Shiryaev-Roberts e-detectors by betting: many at once, in numpy.

One row watches one (segment, signal) for "the mean of the next score, given the past, exceeds m".
It earns a trickle of false-alarm budget B per second, spreads it over six fixed bets and, at an
observation x in [0, 1] after dt seconds, updates each bet's wealth

    M_j <- (M_j + B dt / 6) (1 + c_j (x / m - 1)),    c_j = 1/32 ... 7/8,

so money is put in before the score is seen. E = sum M_j; alarm when E >= 1, capped at 10, clear
below 0.001, all three looked at when a block ends.

**Theorem.** Let w_t be what was paid before observation t. If E[x_t | past] <= m whenever nothing is
wrong, the expected number of alarms up to any (bounded stopping) time is at most sum w_t.
*Proof.* Write wealth off to 0 at each alarm and count N. A factor has conditional mean <= 1, and an
alarm replaces wealth >= 1 by one count, so E[M_t + N_t | past] <= M_{t-1} + N_{t-1} + w_t. Sum over
t, then over rows: expectations add whatever the dependence between segments. Capping only lowers
wealth; hysteresis hands back at most 0.001 per alarm (divide by 0.999). []
It is a weighted renewing mixture of the e-detectors of Shin, Ramdas & Rinaldo (arXiv:2203.03532)
with the bets of Waudby-Smith & Ramdas (arXiv:2010.09686). It bounds alarms per unit of time, the
honest promise for an endless horizon (Dandapanthula & Ramdas, arXiv:2501.04130).

A firing row is not paid: it has nothing to find, and in a segment with few exchanges the trickle alone
would hold its wealth above the clearing line for ever. (With two streams, cells whose floor the replays
have refuted, E0 > 1, are still paid: their wealth must not be what ends an alarm.) Paying less than
scheduled keeps the bound.

**Two streams** (noise floor unknown): 25 cells [g_i, h_i] for the floor; per cell a wealth R_i
against m_i = h_i + allowed drop, and the replays' evidence E0_i that the floor is below g_i
(noise_floor.py). E = min_i R_i E0_i. In the cell that holds the floor both factors are honest bets and
the minimum is no larger, so the same bound holds without a second error rate.
*Assumption*: Cov(x, x0 | past) >= 0 within an exchange, because a factor rises in x, falls in x0,
and E[uv] <= E[u] E[v] needs them not to rise together. A replay and a candidate compared with the
same baseline answer are tied that way: when the baseline's answer is odd, both differ. Without the
assumption use the provable form: a replayed exchange feeds only the reference (pass x = nan).
The floor is taken to stay in its cell for one or two reference windows (`rotate`).
*Changing E0's source* (a window ends, a young segment outgrows its parent's replays) multiplies R_i
by min(1, E0_old / E0_new), so R_i E0_i never jumps upward and the proof goes through. *A new candidate*
sets R_i to 0 and keeps E0_i, which is about the baseline: what the clock pays later does not depend on
scores, so E[w E0] <= w; a lump does, perhaps, so it is paid divided by max(1, E0_i).

Only the conditional mean matters: variance, shape and dependence between segments are free. What
breaks the promise is a mean above m while "nothing is wrong", above all repeats of one request:
de-duplicate first (dedup.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from monitor.affine import Affine
from monitor.cells import Bools, Ints, empty, grown
from monitor.noise_floor import CEILINGS, CELLS, KNOTS, OWN, POOLED, Floats, floor_evidence, knot_counts
from monitor.scan import OneRow, scan

WEEK = 604_800.0
ALARM, CAP, CLEAR = 1.0, 10.0, 0.001
# A block of 256 failures would overflow a wealth (20^256) and leave nan behind. Times the largest floor
# evidence, e^600, this is still a float; a lower wealth is always allowed.
OVERFLOW = 1e40
CAP_BELOW = 1e13
BLOCK_SCORES, BLOCK_SECONDS = 256, 1.0
SMALLEST_NULL = 0.005
BETS = np.array([1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 7 / 8])
# Against a rare event one score moves a bold bet by 1/m: start lower, stop lower.
RARE_BETS = np.array([1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2])
RARE = 0.02
# One numpy step over all rows costs about as much as this many observations in plain floats.
STEP_COST = 20
YOUNG_REPLAYS = 30
WINDOW_REPLAYS = 500
_NONE = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class Crossing:
    """A row's alarm was raised or cleared by the block that ends at observation `index`."""

    index: int
    row: int
    alarm: bool
    evidence: float


def block_ids(times: Floats) -> Ints:
    """Which block each observation belongs to: whole seconds of event time, split every 256 scores.

    Blocks are aligned to the clock of the events, so that every replica cuts at the same places.
    """
    if not len(times):
        return np.zeros(0, np.int64)
    second = np.floor(times / BLOCK_SECONDS)
    starts = np.flatnonzero(np.diff(second, prepend=second[0] - 1.0))
    sizes = np.diff(starts, append=len(times))
    within = (np.arange(len(times)) - np.repeat(starts, sizes)) // BLOCK_SCORES
    new = np.diff(within, prepend=0) != 0
    new[starts] = True
    return np.cumsum(new) - 1


class Bank:
    """Detectors of one form. `two_stream` learns the noise floor, else rows carry a known m."""

    def __init__(self, *, two_stream: bool) -> None:
        self.two_stream = two_stream
        self.paid = 0.0
        """Running total of the budget put in: an upper bound on expected false alarms so far."""
        self.cells = empty(len(BETS), CELLS, len(KNOTS)) if two_stream else empty(len(BETS), 1, 0)

    def __len__(self) -> int:
        return len(self.cells.rate)

    def add(self, nulls: Floats, time: float, rate: float | Floats = 0.0) -> Ints:
        """New rows at zero evidence, paid from `time` on. `nulls` (n): m, or the allowed drop for
        two streams. Returns the row numbers."""
        rows = np.arange(len(self), len(self) + len(nulls))
        self.cells = grown(self.cells, len(nulls))
        self.cells.last[rows] = time
        self.cells.since[rows] = time
        self.cells.born[rows] = time
        self.cells.rate[rows] = rate
        self.cells.floor[rows] = 1.0
        self.cells.cap[rows] = CAP
        self.set_nulls(rows, nulls)
        return rows

    def set_nulls(self, rows: Ints, nulls: Floats) -> None:
        """A null decided before the next score may replace the old one; wealth is kept."""
        base = CEILINGS if self.two_stream else np.zeros(1)
        m = np.clip(base + nulls[:, None], SMALLEST_NULL, 1.0)
        self.cells.inverse_null[rows] = 1.0 / m
        self.cells.bets[rows] = np.where(m[:, :1] < RARE, RARE_BETS, BETS)

    def feed(
        self, rows: Ints, times: Floats, x: Floats, x0: Floats | None = None, blocks: Ints | None = None
    ) -> list[Crossing]:
        """Observations in log order (all arrays n); nan in `x` or `x0` = absent. `blocks` as from
        `block_ids`; without it all are one block. Times are made monotone per row.

        Rows do not influence each other, so the k-th observations of all rows are one numpy step.
        """
        self._count(rows, x, x0)
        crossings: list[Crossing] = []
        kept = np.arange(len(rows))
        if not self.two_stream:
            busy = _busy(rows)[rows]
            crossings += self._scan(kept[busy], rows, times, x, blocks)
            kept = kept[~busy]
        for chosen, ends in _rounds(rows[kept], None if blocks is None else blocks[kept]):
            index = kept[chosen]
            if x0 is not None and self.two_stream:
                self._learn(rows[index], x0[index])
            found = self._step(rows[index], times[index], x[index], ends)
            crossings += [self._crossing(int(index[i]), int(rows[index[i]])) for i in found]
        return sorted(crossings, key=lambda c: c.index)

    def _scan(
        self, chosen: Ints, rows: Ints, times: Floats, x: Floats, blocks: Ints | None
    ) -> Iterator[Crossing]:
        """The chosen observations row by row: quicker for rows with many observations each."""
        order = chosen[np.argsort(rows[chosen], kind="stable")]
        starts = np.flatnonzero(np.diff(rows[order], prepend=-1))
        for index in np.split(order, starts[1:]) if len(order) else ():
            ends = np.ones(len(index), np.bool_)
            ends[:-1] = False if blocks is None else np.diff(blocks[index]) != 0
            yield from self._scan_row(int(rows[index[0]]), index, times[index], x[index], ends)

    def _scan_row(self, row: int, index: Ints, times: Floats, x: Floats, ends: Bools) -> Iterator[Crossing]:
        cells = self.cells
        state = OneRow(
            wealth=cells.wealth[row, :, 0].tolist(),
            bets=cells.bets[row].tolist(),
            inverse_null=float(cells.inverse_null[row, 0]),
            rate=float(cells.rate[row]),
            last=float(cells.last[row]),
            firing=bool(cells.firing[row]),
            evidence=float(cells.evidence[row]),
        )
        log = zip(times.tolist(), x.tolist(), ends.tolist(), strict=True)
        found = scan(state, log, alarm=ALARM, clear=CLEAR, cap=CAP, overflow=OVERFLOW)
        cells.wealth[row, :, 0] = state.wealth
        cells.last[row], cells.evidence[row], cells.firing[row] = state.last, state.evidence, state.firing
        self.paid += state.paid
        for position, time, alarm, evidence in found:
            cells.since[row] = time
            yield Crossing(int(index[position]), row, alarm, evidence)

    def compose(self, row: int, block: Affine, paid: float, time: float) -> Crossing | None:
        """End a block of a row from its composed map instead of its observations; `paid` is what the
        map paid, `time` the block's last."""
        cells, rows = self.cells, np.array([row])
        wealth = np.minimum(block(cells.wealth[rows]), OVERFLOW)
        cells.last[row] = max(cells.last[row], time)
        self.paid += paid
        found = self._look(rows, cells.last[rows], wealth, np.ones(1, np.bool_))
        cells.wealth[rows] = wealth
        return self._crossing(0, row) if len(found) else None

    def settle(self, time: float) -> None:
        """Pay every row up to `time` at its present rate (before rates change)."""
        cells = self.cells
        amounts = cells.rate * np.maximum(time - cells.last, 0.0)
        cells.wealth += self._shares(np.arange(len(self)), amounts)
        self.paid += float(amounts.sum())
        np.maximum(cells.last, time, out=cells.last)

    def pay(self, amounts: Floats) -> None:
        """Put money (K) in beside the clock, at a moment that people chose, perhaps by looking.

        Hence it meets no evidence gathered before: a cell gets it divided by its E0, if that exceeds 1.
        """
        shares = self._shares(np.arange(len(self)), amounts)
        self.cells.wealth += shares / np.maximum(self.cells.floor, 1.0)[:, None, :]
        self.cells.granted += amounts
        self.paid += float(amounts.sum())

    def _shares(self, rows: Ints, amounts: Floats) -> Floats:
        """What each bet of each cell gets (n, 1, G): nothing while firing, but for refuted floors."""
        wanted = ~self.cells.firing[rows][:, None] | (self.cells.floor[rows] > 1.0)
        return (amounts[:, None] / len(BETS) * wanted)[:, None, :]

    def lend(self, rows: Ints, counts: Floats) -> None:
        """Give young rows (n) their parents' replays (n, knots); used below 30 of their own."""
        before, after = self.cells.pool[rows].sum(axis=1), counts.sum(axis=1)
        self.cells.pool[rows] = counts
        # More replays of one source are evidence; another source, or a parent's new window, is not.
        switched = (before == 0) | (after < before)
        self._rebase(rows[switched])
        self.cells.floor[rows[~switched]] = self._floor(rows[~switched])

    def has_floor(self) -> Bools:
        """Whether each row has enough replays, of its own or lent, to know something about its floor."""
        own = self.cells.counts[:, 0].sum(axis=1) >= YOUNG_REPLAYS - 0.5
        has: Bools = self.cells.pool.any(axis=1) | own
        return has

    def known(self) -> Ints:
        """How many replays of its own each row's floor rests on."""
        known: Ints = np.rint(self.cells.counts[:, 0].sum(axis=1)).astype(np.int64)
        return known

    def rotate(self) -> None:
        """End the reference window of rows that filled it: old replays stop counting, so that a
        floor which moved is believed after one or two windows. Depends on counts, never on scores."""
        counts = self.cells.counts
        full = np.flatnonzero(counts[:, 1].sum(axis=1) >= WINDOW_REPLAYS)
        counts[full, 0] = counts[full, 1]
        counts[full, 1] = 0.0
        self._rebase(full)

    def restart(self, time: float, *, forget_floor: bool = False) -> Ints:
        """A new candidate: nothing carries over but budget rates and what the replays told about the
        baseline (unless that changed, too: `forget_floor`). Returns rows whose alarm it ends."""
        cells = self.cells
        fired = np.flatnonzero(cells.firing)
        for name in ("wealth", "evidence", "firing", "pairs", "replays", "sum_x", "sum_x0", "granted"):
            getattr(cells, name)[...] = 0
        if forget_floor:
            cells.counts[...] = cells.pool[...] = 0.0
            cells.floor[...] = 1.0
            cells.cap[...] = CAP
        for clock in (cells.last, cells.since, cells.born):
            clock[...] = time
        return fired

    def _count(self, rows: Ints, x: Floats, x0: Floats | None) -> None:
        cells, size = self.cells, len(self)
        seen = ~np.isnan(x)
        cells.pairs += np.bincount(rows[seen], minlength=size)
        cells.sum_x += np.bincount(rows[seen], x[seen], minlength=size)
        if x0 is not None:
            seen = ~np.isnan(x0)
            cells.replays += np.bincount(rows[seen], minlength=size)
            cells.sum_x0 += np.bincount(rows[seen], x0[seen], minlength=size)

    def _crossing(self, index: int, row: int) -> Crossing:
        cells = self.cells
        return Crossing(index, row, bool(cells.firing[row]), float(cells.evidence[row]))

    def _step(self, rows: Ints, times: Floats, x: Floats, ends: Bools) -> Ints:
        """One observation each for distinct rows; positions of those that crossed a line."""
        cells = self.cells
        last = cells.last[rows]
        now = np.maximum(times, last)
        paid = cells.rate[rows] * (now - last)
        cells.last[rows] = now
        self.paid += float(paid.sum())
        edge = x[:, None] * cells.inverse_null[rows] - 1.0
        edge[np.isnan(x)] = 0.0
        wealth = cells.wealth[rows]
        wealth += self._shares(rows, paid)
        wealth *= 1.0 + cells.bets[rows][:, :, None] * edge[:, None, :]
        np.minimum(wealth, OVERFLOW, out=wealth)
        found = self._look(rows, now, wealth, ends) if ends.any() else _NONE
        cells.wealth[rows] = wealth
        return found

    def _look(self, rows: Ints, now: Floats, wealth: Floats, ends: Bools) -> Ints:
        """Cap (in place), alarm and clear where a block ends; which observations crossed."""
        cells = self.cells
        total = wealth[:, 0].copy()
        for bet in range(1, len(BETS)):
            total += wealth[:, bet]
        product = total * cells.floor[rows] if self.two_stream else total
        over = (product > cells.cap[rows]) & ends[:, None]
        if over.any():
            wealth *= np.where(over, cells.cap[rows] / np.maximum(product, CAP), 1.0)[:, None, :]
        evidence = np.minimum(product.min(axis=1), CAP)
        firing = cells.firing[rows]
        crossed = ends & np.where(firing, evidence < CLEAR, evidence >= ALARM)
        cells.evidence[rows] = np.where(ends, evidence, cells.evidence[rows])
        found = np.flatnonzero(crossed)
        cells.firing[rows[found]] = ~firing[found]
        cells.since[rows[found]] = now[found]
        return found

    def _learn(self, rows: Ints, x0: Floats) -> None:
        seen = ~np.isnan(x0)
        if not seen.any():
            return
        rows = rows[seen]
        before = self._young(rows)
        self.cells.counts[rows] += knot_counts(x0[seen])[:, None, :]
        outgrown = before & ~self._young(rows)
        self.cells.floor[rows[~outgrown]] = self._floor(rows[~outgrown])
        self.cells.cap[rows] = self._cap(rows)
        self._rebase(rows[outgrown])

    def _young(self, rows: Ints) -> Bools:
        lent = self.cells.pool[rows].sum(axis=1) > 0
        young: Bools = lent & (self.cells.counts[rows, 0].sum(axis=1) < YOUNG_REPLAYS - 0.5)
        return young

    def _floor(self, rows: Ints) -> Floats:
        young = self._young(rows)
        value = floor_evidence(self.cells.counts[rows, 0], OWN)
        if young.any():
            value[young] = floor_evidence(self.cells.pool[rows[young]], POOLED)
        return value

    def _cap(self, rows: Ints) -> Floats:
        """10 for cells that may hold the floor. Cells below its estimate only confirm what the others
        say; held at 10 they would dip on a few lucky scores and make a true alarm flap."""
        counts = self.cells.counts[rows, 0]
        mean = (counts * KNOTS).sum(axis=1) / np.maximum(counts.sum(axis=1), 1.0)
        return np.where(mean[:, None] > CEILINGS, CAP_BELOW, CAP)

    def _rebase(self, rows: Ints) -> None:
        """Switch rows to the E0 of another source without letting R E0 jump upward."""
        if not len(rows):
            return
        old, new = self.cells.floor[rows], self._floor(rows)
        self.cells.wealth[rows] *= np.minimum(1.0, old / new)[:, None, :]
        self.cells.floor[rows] = new


def _busy(rows: Ints) -> Bools:
    """Rows (K) whose observations are read one after the other: few rows with many each, such as the
    whole route beside its segments, would otherwise make rounds of next to nothing."""
    counts = np.bincount(rows, minlength=1)
    ordered = np.sort(counts)[::-1]
    saved = STEP_COST * (ordered[0] - np.append(ordered[1:], 0))
    gain = saved - np.cumsum(ordered)
    best = int(gain.argmax())
    return counts >= max(int(ordered[best]), 1) if gain[best] > 0 else np.zeros(len(counts), np.bool_)


def _rounds(rows: Ints, blocks: Ints | None) -> Iterator[tuple[Ints, Bools]]:
    """Cut a log into steps of distinct rows: (which observations, whether a block of theirs ends)."""
    size = len(rows)
    if not size:
        return
    order = np.argsort(rows, kind="stable")
    sorted_rows = rows[order]
    sorted_blocks = np.zeros(size, np.int64) if blocks is None else blocks[order]
    new_row = np.diff(sorted_rows, prepend=-1) != 0
    starts = np.flatnonzero(new_row)
    rank = np.arange(size) - np.repeat(starts, np.diff(starts, append=size))
    ends = np.ones(size, np.bool_)
    ends[:-1] = new_row[1:] | (np.diff(sorted_blocks) != 0)
    by_rank = np.argsort(rank, kind="stable")
    bounds = np.cumsum(np.bincount(rank))
    for stop, width in zip(bounds, np.diff(bounds, prepend=0), strict=True):
        chosen = by_rank[stop - width : stop]
        yield order[chosen], ends[chosen]
