"""Slices that nobody declared: search one half of the pairs, confirm on the other.

A search over thousands of slices always finds something, so what it finds is only a proposal. The
pairs are split by a hash of their key; GROUPING SETS count every slice of up to three dimensions on
the search half; the worst by lower confidence bound is taken, widened to a parent unless it is
significantly worse than the rest of it, its pairs are set aside, and the search goes on. Each
proposal is then tested once on the half that did not choose it: exact p-values, Holm over the
proposals. Evidence of a promoted slice starts from zero.

Pure: SQL text and its bound values go out through `Query`, rows come back. The relation that is
searched has the columns `key` (hashed; equal keys stay together), `x` in [0, 1] (1 = bad), `x0` (the
same for the replay, NULL without one) and one text column per dimension. Scores between 0 and 1 are
rounded at random, by a hash of the key, which keeps their mean and lets exact tests stay exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor.intervals import (
    Interval,
    binomial_p_value,
    clopper_pearson,
    excess_p_value,
    fisher_p_value,
    holm,
    newcombe,
)
from monitor.records import ALL, Segment

Floats = NDArray[np.float64]
Query = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]
Where = tuple[tuple[str, str], ...]
"""A slice as (dimension, value) pairs in the order of the dimensions; () is all traffic."""

SEARCH, CONFIRM = 0, 1
_Z = 3.0
_CHILD_LEVEL = 1e-3
"""A child is named instead of its parent only where chance would do it once in a thousand."""
_REPLAYS = 30
"""Fewer replays than this do not make a noise floor; the one of all pairs is used (DESIGN 5)."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to look for. `floor`: a known rate; None = the rest of the pairs, or the replays where the
    relation has them. `allowed`: rise above the floor that does not count. `least`: pairs per half.
    """

    dimensions: tuple[str, ...]
    order: int = 3
    least: int = 30
    limit: int = 5
    floor: float | None = None
    allowed: float = 0.0
    alpha: float = 0.05


class Count(NamedTuple):
    """Bad of scored, for the candidate (`k` of `n`) and the replay (`k0` of `n0`)."""

    k: int
    n: int
    k0: int
    n0: int

    def less(self, other: Count) -> Count:
        return Count(*(a - b for a, b in zip(self, other, strict=True)))


class Proposal(NamedTuple):
    """A slice and what the search half says about it and about the rest that was left."""

    where: Where
    inside: Count
    everything: Count


@dataclass(frozen=True, slots=True)
class Half:
    """One half's numbers: bad `k` of `n`, the floor's rate, and the excess with its 95 % interval."""

    k: int
    n: int
    rate: float
    floor: float
    interval: Interval

    @property
    def excess(self) -> float:
        return self.rate - self.floor


@dataclass(frozen=True, slots=True)
class Found:
    """One proposal. `p_adjusted` counts all proposals (Holm); only `confirmed` ones are news."""

    signal: str
    where: Where
    search: Half
    confirm: Half
    p_value: float
    p_adjusted: float = 1.0
    confirmed: bool = False

    @property
    def segment(self) -> Segment:
        return segment_of(self.where)

    @property
    def cross(self) -> tuple[str, ...]:
        """The dimensions to add to `crosses` in the configuration to watch this slice."""
        return tuple(dimension for dimension, _ in self.where)


def segment_of(where: Where) -> Segment:
    """`a=x,b=y`, or `all`."""
    return Segment(",".join(f"{dimension}={value}" for dimension, value in where)) if where else ALL


def discover(query: Query, relations: Mapping[str, str], options: Options) -> tuple[Found, ...]:
    """Confirmed and rejected proposals, per signal in the order in which the search found them.

    `relations`: per signal a table or subquery as described above. Holm's correction spans all
    signals. A temporary table `slice_cells` is made.
    """
    tested = [
        row for signal, relation in relations.items() for row in _tested(query, signal, relation, options)
    ]
    adjusted = holm([row.p_value for row in tested]).tolist()
    return tuple(
        replace(row, p_adjusted=p, confirmed=p <= options.alpha)
        for row, p in zip(tested, adjusted, strict=True)
    )


def _tested(query: Query, signal: str, relation: str, options: Options) -> Iterable[Found]:
    query(cells_sql(relation, options.dimensions), ())
    proposals = _search(query, options)
    confirmed = _counts(query, [p.where for p in proposals], CONFIRM)
    for proposal, (inside, everything) in zip(proposals, confirmed, strict=True):
        search = _half(proposal.inside, proposal.everything, options)
        p_value = _p_value(inside, everything, options)
        yield Found(signal, proposal.where, search, _half(inside, everything, options), p_value)


def cells_sql(relation: str, dimensions: Sequence[str]) -> str:
    """Counts per half and combination of values: all that the search ever reads again.

    md5 and not `hash`, which may change between versions of the database.
    """
    values = "".join(f", coalesce({_name(d)}, 'unknown') AS {_name(d)}" for d in dimensions)
    return f"""CREATE OR REPLACE TEMP TABLE slice_cells AS
        SELECT (md5_number_lower(key) % 2)::UTINYINT AS half{values},
               sum((x > md5_number_upper(key) / 18446744073709551616.0)::INT)::BIGINT AS k, count(x) AS n,
               coalesce(sum((x0 > md5_number_upper(key) / 18446744073709551616.0)::INT), 0)::BIGINT AS k0,
               count(x0) AS n0
        FROM {relation} GROUP BY ALL"""


def cube_sql(options: Options, apart: Sequence[Where]) -> tuple[str, list[Any]]:
    """Counts of every slice of the search half, without the pairs of the slices `apart`."""
    names = [_name(d) for d in options.dimensions]
    chosen = [s for size in range(options.order + 1) for s in combinations(names, size)]
    sets = ", ".join(f"({', '.join(s)})" for s in chosen)
    condition, bound = _outside(apart)
    text = f"""SELECT {", ".join([*names, "sum(k), sum(n), sum(k0), sum(n0)"])} FROM slice_cells
        WHERE half = {SEARCH} AND {condition}
        GROUP BY GROUPING SETS ({sets}) HAVING sum(n) >= ?"""
    return text, [*bound, options.least]


def count_sql(where: Where, apart: Sequence[Where], half: int) -> tuple[str, list[Any]]:
    """Counts inside a slice and in everything, without the pairs of the slices `apart`."""
    inside, own = _inside(where)
    condition, bound = _outside(apart)
    columns = [f"coalesce(sum({c}) FILTER ({inside}), 0)" for c in Count._fields]
    columns += [f"coalesce(sum({c}), 0)" for c in Count._fields]
    text = f"SELECT {', '.join(columns)} FROM slice_cells WHERE half = {half} AND {condition}"
    return text, [*own * len(Count._fields), *bound]


def _name(dimension: str) -> str:
    return '"' + dimension.replace('"', '""') + '"'


def _inside(where: Where) -> tuple[str, list[Any]]:
    return " AND ".join([f"{_name(d)} = ?" for d, _ in where] or ["true"]), [v for _, v in where]


def _outside(apart: Sequence[Where]) -> tuple[str, list[Any]]:
    parts = [_inside(where) for where in apart]
    return " AND ".join([f"NOT ({text})" for text, _ in parts] or ["true"]), [v for _, b in parts for v in b]


def _counts(query: Query, wheres: Sequence[Where], half: int) -> list[tuple[Count, Count]]:
    """Per slice its own counts and everything's, each without the slices before it."""
    found = []
    for i, where in enumerate(wheres):
        row = [int(v) for v in query(*count_sql(where, wheres[:i], half))[0]]
        found.append((Count(*row[:4]), Count(*row[4:])))
    return found


def _search(query: Query, options: Options) -> list[Proposal]:
    proposals: list[Proposal] = []
    while len(proposals) < options.limit:
        rows = query(*cube_sql(options, [p.where for p in proposals]))
        proposal = _worst(dict(_read(rows, options.dimensions)), options)
        if proposal is None:
            break
        proposals.append(proposal)
        if not proposal.where:
            break
    return proposals


def _read(rows: Iterable[tuple[Any, ...]], dimensions: Sequence[str]) -> Iterable[tuple[Where, Count]]:
    width = len(dimensions)
    for row in rows:
        where = tuple((d, v) for d, v in zip(dimensions, row[:width], strict=True) if v is not None)
        yield where, Count(*(int(v) for v in row[width:]))


def _worst(cube: dict[Where, Count], options: Options) -> Proposal | None:
    """The slice with the largest lower bound on its excess, or a parent that it does not stand out of."""
    everything = cube.get(())
    if everything is None:
        return None
    wheres = list(cube)
    bounds = dict(zip(wheres, _lower_bounds(cube, everything, options).tolist(), strict=True))
    top = max(wheres, key=bounds.__getitem__)
    if bounds[top] <= options.allowed:
        return None
    while (parent := _wider(top, cube, bounds)) is not None:
        top = parent
    return Proposal(top, cube[top], everything)


def _wider(where: Where, cube: dict[Where, Count], bounds: dict[Where, float]) -> Where | None:
    """The best parent from which the slice does not stand out, if there is one."""
    parents = [p for size in range(len(where)) for p in combinations(where, size)]
    rests = {p: cube[p].less(cube[where]) for p in parents if bounds[p] > 0}
    same = [p for p, rest in rests.items() if _stands_out(cube[where], rest) > _CHILD_LEVEL]
    return max(same, key=bounds.__getitem__, default=None)


def _stands_out(child: Count, rest: Count) -> float:
    return fisher_p_value(child.k, child.n, rest.k, rest.n)


def _lower_bounds(cube: dict[Where, Count], everything: Count, options: Options) -> Floats:
    """Lower ends of Newcombe's interval for rate minus floor, for ranking."""
    k, n, k0, n0 = np.array(list(cube.values()), dtype=float).T
    if options.floor is not None:
        lower: Floats = k / n - _score_spread(k, n, -1) - options.floor
        return lower
    if everything.n0:
        few = n0 < _REPLAYS
        k0, n0 = np.where(few, everything.k0, k0), np.where(few, everything.n0, n0)
    else:
        k0, n0 = everything.k - k, everything.n - n
    alone = n0 == 0
    n0 = np.where(alone, 1, n0)
    spread = np.hypot(_score_spread(k, n, -1), _score_spread(k0, n0, 1))
    return np.where(alone, -1.0, k / n - k0 / n0 - spread)


def _score_spread(k: Floats, n: Floats, side: int) -> Floats:
    """Distance from the observed rate to Wilson's lower (-1) or upper (+1) limit."""
    centre = (k + _Z * _Z / 2) / (n + _Z * _Z)
    limit = centre + side * _Z / (n + _Z * _Z) * np.sqrt(k * (n - k) / n + _Z * _Z / 4)
    spread: Floats = np.abs(k / n - limit)
    return spread


def _reference(inside: Count, everything: Count) -> tuple[int, int]:
    """The floor's counts: the slice's replays, all replays where those are few, else the rest."""
    if everything.n0:
        own = inside if inside.n0 >= _REPLAYS else everything
        return own.k0, own.n0
    return everything.k - inside.k, everything.n - inside.n


def _p_value(inside: Count, everything: Count, options: Options) -> float:
    """Exact p-value of "this slice is no worse than its floor plus what is allowed"."""
    if options.floor is not None:
        return binomial_p_value(inside.k, inside.n, min(1.0, options.floor + options.allowed))
    k0, n0 = _reference(inside, everything)
    if everything.n0 or options.allowed:
        return excess_p_value(inside.k, inside.n, k0, n0, options.allowed)
    return fisher_p_value(inside.k, inside.n, k0, n0)


def _half(inside: Count, everything: Count, options: Options) -> Half:
    rate = inside.k / inside.n if inside.n else 0.0
    if options.floor is not None:
        own = clopper_pearson(inside.k, inside.n)
        interval = Interval(own.lower - options.floor, own.upper - options.floor)
        return Half(inside.k, inside.n, rate, options.floor, interval)
    k0, n0 = _reference(inside, everything)
    return Half(inside.k, inside.n, rate, k0 / n0 if n0 else 0.0, newcombe(inside.k, inside.n, k0, n0))
