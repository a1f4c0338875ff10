"""What every rendering of a verdict says, in words and short numbers. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from monitor.inert import one_line
from monitor.offline import McNemar
from monitor.records import Segment, SegmentVerdict, Verdict

Tests = Mapping[tuple[Segment, str], McNemar]

HEAD = (
    "segment",
    "signal",
    "verdict",
    "pairs",
    "baseline",
    "candidate",
    "floor",
    "excess [95 %]",
    "p",
    "McNemar",
)


def shown(verdict: Verdict, *, everything: bool = False) -> list[SegmentVerdict]:
    """Rows a person wants first: unexplained divergence of page signals, then of tickets."""
    if everything:
        return list(verdict.segments)
    return [row for row in verdict.segments if row.verdict == "diverged" and row.explained_by is None]


def cells(row: SegmentVerdict, tests: Tests) -> tuple[str, ...]:
    """One row as text, in the order of `HEAD`."""
    return (
        one_line(row.segment),
        row.signal if row.level == "page" else f"{row.signal} ({row.level})",
        row.verdict if row.explained_by is None else f"explained by {one_line(row.explained_by)}",
        _count(row),
        _percent(row.baseline),
        _percent(row.candidate),
        _percent(row.noise_floor),
        _excess(row),
        "" if row.p_value is None else f"{row.p_value:.2g}",
        _mcnemar(tests.get((row.segment, row.signal))),
    )


def _count(row: SegmentVerdict) -> str:
    if row.verdict == "inconclusive" and row.pairs_needed and row.pairs < row.pairs_needed:
        return f"{row.pairs} of {row.pairs_needed}"
    return str(row.pairs)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f} %"


def _excess(row: SegmentVerdict) -> str:
    if row.effect is None or row.lower is None or row.upper is None:
        return ""
    return f"{100 * row.effect:+.1f} [{100 * row.lower:.1f}, {100 * row.upper:.1f}]"


def _mcnemar(test: McNemar | None) -> str:
    if test is None or not test.worse + test.better:
        return ""
    return f"{test.worse}:{test.better} p={test.p_value:.2g}"


def headline(verdict: Verdict) -> str:
    """One sentence: the verdict and the segment that decides it."""
    first = next((row for row in shown(verdict) if row.level == "page"), None)
    if verdict.verdict == "diverged" and first is not None:
        others = len({row.segment for row in shown(verdict) if row.level == "page"}) - 1
        more = f", and {others} more segment{'s' if others > 1 else ''}" if others else ""
        return (
            f"diverged: {first.signal} in {one_line(first.segment)}, excess {_excess(first)} points "
            f"over {first.pairs} pairs{more}"
        )
    if verdict.verdict == "ok":
        return f"ok: {verdict.pairs} pairs, no segment diverged"
    return f"inconclusive: {verdict.pairs} pairs, no segment diverged, too few pairs to say ok everywhere"


def summary(verdict: Verdict) -> str:
    """How the rows of decided signals came out, with nothing left unmentioned."""
    states = [row for row in verdict.segments if row.level in {"page", "ticket"}]
    diverged = [row for row in states if row.verdict == "diverged"]
    explained = sum(row.explained_by is not None for row in diverged)
    ok = sum(row.verdict == "ok" for row in states)
    waiting = len(states) - len(diverged) - ok
    return (
        f"{len(states)} rows: {len(diverged)} diverged ({explained} of them explained by another segment), "
        f"{ok} ok, {waiting} inconclusive"
    )
