"""The week's sample beside the live state, one line per (segment, signal), and why they may differ. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from monitor.records import Segment, SegmentVerdict
from monitor.report.model import Line, Week
from monitor.report.weekly import Key
from monitor.signals import SIGNALS
from monitor.verdict import unjudged

TESTED = frozenset({"page", "ticket"})


def lines_of(
    rows: Sequence[SegmentVerdict],
    weeks: Mapping[Key, Week],
    level: Callable[[str], str],
    since: float | None,
    start: float,
) -> list[Line]:
    """Live rows in the verdict's order, then what only the week knows, largest lower bound first."""
    young = since is not None and since > start
    known = {(row.segment, row.signal) for row in rows}
    lines = [
        _line(row, week := weeks.get((row.segment, row.signal)), _why(week, row, young=young)) for row in rows
    ]
    only = [
        _line(unjudged(Segment(segment), signal, level(signal)), week, _why(week, None, young=young))
        for (segment, signal), week in weeks.items()
        if (segment, signal) not in known and signal in SIGNALS
    ]
    return lines + sorted(only, key=_rank)


def _rank(line: Line) -> tuple[object, ...]:
    assert line.week is not None  # noqa: S101  made from weeks
    return (not line.week.listed, line.level not in TESTED, -line.week.lower, line.segment, line.signal)


def _line(row: SegmentVerdict, week: Week | None, why_different: str | None) -> Line:
    return Line(
        segment=row.segment,
        signal=row.signal,
        kind=row.kind,
        level=row.level,
        week=week,
        verdict=row.verdict,
        pairs=row.pairs,
        pairs_needed=row.pairs_needed,
        noise_floor=row.noise_floor,
        effect=row.effect,
        lower=row.lower,
        upper=row.upper,
        evidence=row.evidence,
        explained_by=row.explained_by,
        why_different=why_different,
    )


def _why(week: Week | None, row: SegmentVerdict | None, *, young: bool) -> str | None:
    """One reason where list and alarm disagree, else None."""
    alarmed, listed = row is not None and row.verdict == "diverged", week is not None and week.listed
    if alarmed == listed:
        return None
    if listed:
        if young or row is None:
            return "listed only: live counting restarted with the present candidate; the week also holds earlier pairs"
        return "listed only: one look at the whole week needs less evidence than an alarm that may be watched, or the alarm has cleared"
    if week is None:
        return "alarm only: no pair of this window measures it (the alarm is older)"
    if week.e_value is None:
        return "alarm only: this signal is not tested weekly"
    return "alarm only: the alarm looks at the worst stretch, the week at its average, and the list is corrected for all its entries"


def worst_lines(lines: Sequence[Line]) -> list[Line]:
    """Unexplained divergences, worst first, one line per segment; without any, what the week lists.

    A listed line beside a divergence is most often its shadow: the list does not leave pairs out.
    """
    diverged = [line for line in lines if line.verdict == "diverged" and line.explained_by is None]
    listed = [line for line in lines if line.week is not None and line.week.listed]
    found: dict[str, Line] = {}
    for line in diverged or listed:
        found.setdefault(line.segment, line)
    return list(found.values())
