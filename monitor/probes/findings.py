"""From what was answered to what is said about it: shifts, shares, Holm over the pack. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Literal

from monitor.intervals import Interval, clopper_pearson, holm, mcnemar_p_value
from monitor.probes.items import Axis
from monitor.probes.load import LoadRow
from monitor.probes.psychometric import Belief, Boundary, Precision, boundary, shift_interval, shift_p_value
from monitor.probes.sensitivity import FlipRow, PositionRow
from monitor.records import State

ALLOWED_OCTAVES = 0.5
"""A threshold may be so much lower before it counts: a finding is a shift below minus half an octave."""
LEVEL = 0.05
ROWS_SHOWN = 5
Verdict = Literal["ok", "worse", "below range", "unclear"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One answered item of one arm, as it is kept for a resumed run."""

    item: str
    passed: bool
    level: float
    group: str = ""
    tokens: int = 0
    error: str | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class AxisRow:
    """One axis. `shift` is candidate minus baseline in octaves with its 90 % interval."""

    axis: str
    unit: str
    about: str
    candidate: Boundary
    baseline: Boundary | None = None
    shift: float | None = None
    shift_interval: Interval | None = None
    p_value: float | None = None
    adjusted: float | None = None
    verdict: Verdict = "ok"


@dataclass(frozen=True, slots=True)
class RateRow:
    """One group of a family: passes of the candidate with their 95 % interval, and the baseline on the same items."""

    family: str
    group: str
    items: int
    candidate: int
    interval: Interval
    baseline: int | None = None
    lost: int = 0
    """Items that the baseline passed and the candidate did not."""
    won: int = 0
    p_value: float | None = None
    adjusted: float | None = None
    confidence: float | None = None
    """Mean confidence of the candidate where the family asks for it; gap = confidence minus share passed."""
    verdict: Verdict = "ok"
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ItemRow:
    """One of the user's own items."""

    item: str
    group: str
    candidate: bool
    baseline: bool | None = None
    verdict: Verdict = "ok"


Row = AxisRow | RateRow | ItemRow | FlipRow | PositionRow | LoadRow


@dataclass(frozen=True, slots=True)
class Result:
    """One run of one pack. `notes` say what was not asked and why."""

    pack: str
    seed: int
    axes: tuple[AxisRow, ...] = ()
    rates: tuple[RateRow, ...] = ()
    items: tuple[ItemRow, ...] = ()
    flips: tuple[FlipRow, ...] = ()
    position: PositionRow | None = None
    load: tuple[LoadRow, ...] = ()
    calls: int = 0
    tokens: int = 0
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> tuple[Row, ...]:
        """Everything that has a verdict."""
        placed = () if self.position is None else (self.position,)
        return (*self.axes, *self.rates, *self.items, *self.flips, *placed, *self.load)

    @property
    def state(self) -> State:
        """`diverged` where anything is worse or below its floor, `inconclusive` where something was not asked."""
        verdicts = [row.verdict for row in self.rows]
        if any(verdict in {"worse", "below range"} for verdict in verdicts):
            return "diverged"
        return "inconclusive" if self.notes or not verdicts else "ok"


def axis_row(
    axis: Axis, wanted: Precision, candidate: Belief, baseline: Belief | None, *, floor: bool
) -> AxisRow:
    """One axis before the correction for several."""
    own = boundary(candidate, wanted)
    row = AxisRow(axis.name, axis.unit, axis.about, own)
    if baseline is None:
        below = floor and own.status == "below range"
        return replace(
            row, verdict="below range" if below else "unclear" if own.status == "unclear" else "ok"
        )
    reference = boundary(baseline, wanted)
    middle, low, high = shift_interval(baseline, candidate)
    # No threshold was there to be lost where the baseline itself is below the axis.
    p = 1.0 if reference.status == "below range" else shift_p_value(baseline, candidate, ALLOWED_OCTAVES)
    row = replace(row, baseline=reference, shift=middle, shift_interval=Interval(low, high), p_value=p)
    return replace(row, verdict="unclear" if "unclear" in {own.status, reference.status} else "ok")


def looks_lost(baseline: Belief, candidate: Belief, wanted: Precision) -> bool:
    """Whether the candidate's threshold is more likely than not lower by more than is allowed."""
    there = boundary(baseline, wanted).status != "below range"
    return there and shift_interval(baseline, candidate)[0] < -ALLOWED_OCTAVES


def rate_rows(
    family: str, candidate: Sequence[Outcome], baseline: Sequence[Outcome] | None
) -> tuple[RateRow, ...]:
    """One row per group, paired by item, before the correction for several."""
    before = {outcome.item: outcome for outcome in baseline or ()}
    groups = dict.fromkeys(outcome.group for outcome in candidate)
    return tuple(
        _rate_row(family, group, [o for o in candidate if o.group == group], before if baseline else None)
        for group in groups
    )


def _rate_row(
    family: str, group: str, own: Sequence[Outcome], before: Mapping[str, Outcome] | None
) -> RateRow:
    passed = sum(outcome.passed for outcome in own)
    sure = [outcome.confidence for outcome in own if outcome.confidence is not None]
    failed = tuple(outcome.item for outcome in own if not outcome.passed)
    row = RateRow(
        family, group, len(own), passed, clopper_pearson(passed, len(own)),
        confidence=fmean(sure) if sure else None, examples=failed[:ROWS_SHOWN],
    )  # fmt: skip
    if before is None:
        return row
    pairs = [(before[o.item].passed, o) for o in own if o.item in before]
    lost = [o.item for was, o in pairs if was and not o.passed]
    won = sum(not was and o.passed for was, o in pairs)
    return replace(
        row, baseline=sum(was for was, _ in pairs), lost=len(lost), won=won,
        p_value=mcnemar_p_value(len(lost), won), examples=tuple(lost[:ROWS_SHOWN]) or row.examples,
    )  # fmt: skip


def item_rows(candidate: Sequence[Outcome], baseline: Sequence[Outcome] | None) -> tuple[ItemRow, ...]:
    """The user's items are assertions: each fails that the candidate fails and the baseline does not."""
    before = {outcome.item: outcome.passed for outcome in baseline or ()}
    return tuple(
        ItemRow(
            own.item,
            own.group,
            own.passed,
            before.get(own.item),
            "worse" if not own.passed and before.get(own.item, True) else "ok",
        )
        for own in candidate
    )


def corrected(
    axes: Iterable[AxisRow], rates: Iterable[RateRow]
) -> tuple[tuple[AxisRow, ...], tuple[RateRow, ...]]:
    """The same rows with Holm's correction over all of them that compare two arms."""
    axes, rates = tuple(axes), tuple(rates)
    tested: list[AxisRow | RateRow] = [*axes, *rates]
    p_values = [row.p_value for row in tested if row.p_value is not None]
    adjusted = iter(holm(p_values).tolist())
    return (
        tuple(row if row.p_value is None else _judged_axis(row, next(adjusted)) for row in axes),
        tuple(row if row.p_value is None else _judged_rate(row, next(adjusted)) for row in rates),
    )


def _judged_axis(row: AxisRow, adjusted: float) -> AxisRow:
    worse = adjusted <= LEVEL and (row.shift or 0.0) < -ALLOWED_OCTAVES
    return replace(row, adjusted=adjusted, verdict="worse" if worse else row.verdict)


def _judged_rate(row: RateRow, adjusted: float) -> RateRow:
    return replace(row, adjusted=adjusted, verdict="worse" if adjusted <= LEVEL else row.verdict)
