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
HALF_PASSED = 0.5
Bound = Literal["at most", "at least"]
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
class Fresh:
    """What both arms said to the same new items at an axis's easiest level; `asked`: how many were meant to be."""

    level: float
    asked: int
    candidate: Sequence[Outcome]
    baseline: Sequence[Outcome]


@dataclass(frozen=True, slots=True)
class Paired:
    """Passes of both arms on the same items, and the items that one arm alone passed."""

    items: int
    candidate: int
    baseline: int
    lost: tuple[str, ...]
    """Items that the baseline passed and the candidate did not."""
    won: int

    @property
    def p_value(self) -> float:
        return mcnemar_p_value(len(self.lost), self.won)


@dataclass(frozen=True, slots=True)
class EasiestRow:
    """Both arms on fresh items at the easiest level of an axis that the candidate alone is below."""

    level: float
    items: int
    candidate: int
    baseline: int
    lost: int
    won: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AxisRow:
    """One axis. `shift` is candidate minus baseline in octaves with its 90 % interval.

    There is none where an arm is below range. Where one is above, its hardest level stands for its
    threshold, and `bound` says on which side of `shift` the true one lies.
    """

    axis: str
    unit: str
    about: str
    candidate: Boundary
    baseline: Boundary | None = None
    shift: float | None = None
    shift_interval: Interval | None = None
    bound: Bound | None = None
    easiest: EasiestRow | None = None
    """Where the candidate alone is below range: `p_value` compares these shares, no thresholds."""
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
    axis: Axis,
    wanted: Precision,
    candidate: Belief,
    baseline: Belief | None,
    *,
    floor: bool,
    fresh: Fresh | None = None,
) -> AxisRow:
    """One axis before the correction for several. `fresh` where the candidate `fell_off`."""
    own = boundary(candidate, wanted)
    row = AxisRow(
        axis.name, axis.unit, axis.about, own, verdict="unclear" if own.status == "unclear" else "ok"
    )
    if baseline is not None:
        row = _compared(row, wanted, candidate, baseline, fresh)
    return replace(row, verdict="below range") if floor and own.status == "below range" else row


def _compared(
    row: AxisRow, wanted: Precision, candidate: Belief, baseline: Belief, fresh: Fresh | None
) -> AxisRow:
    reference = boundary(baseline, wanted)
    unclear = "unclear" in {row.candidate.status, reference.status}
    row = replace(row, baseline=reference, p_value=1.0, verdict="unclear" if unclear else "ok")
    if fell_off(baseline, candidate, wanted):
        return _fallen(row, fresh)
    if "below range" in {row.candidate.status, reference.status}:
        return row  # nothing was there to be lost; an improvement is no finding
    return _moved(row, candidate, baseline)


def _fallen(row: AxisRow, fresh: Fresh | None) -> AxisRow:
    """The candidate has no threshold to compare. Its calls so far chose this question and cannot answer it, too."""
    if fresh is None:
        return replace(row, verdict="unclear")
    found = paired(fresh.candidate, {outcome.item: outcome for outcome in fresh.baseline})
    easiest = EasiestRow(
        fresh.level, found.items, found.candidate, found.baseline, len(found.lost), found.won, found.lost[:ROWS_SHOWN]
    )  # fmt: skip
    cut = found.items < fresh.asked or not found.items
    return replace(row, easiest=easiest, p_value=found.p_value, verdict="unclear" if cut else "ok")


def _moved(row: AxisRow, candidate: Belief, baseline: Belief) -> AxisRow:
    """Both arms pass the easiest level: thresholds are compared as far as the axis reaches."""
    row = replace(row, p_value=shift_p_value(baseline, candidate, ALLOWED_OCTAVES))
    above = [found is not None and found.status == "above range" for found in (row.candidate, row.baseline)]
    if all(above):
        return row
    middle, low, high = shift_interval(baseline, candidate)
    bound: Bound | None = "at least" if above[0] else "at most" if above[1] else None
    return replace(row, shift=middle, shift_interval=Interval(low, high), bound=bound)


def fell_off(baseline: Belief, candidate: Belief, wanted: Precision) -> bool:
    """Whether the candidate is below the axis, and the baseline is not or passes half of its easiest level.

    A baseline that passes 85 % of it fails four of ten calls, and is called below range, once in twenty runs.
    """
    if boundary(candidate, wanted).status != "below range":
        return False
    return boundary(baseline, wanted).status != "below range" or baseline.easiest_rate() >= HALF_PASSED


def looks_lost(baseline: Belief, candidate: Belief, wanted: Precision) -> bool:
    """Whether both have thresholds and the candidate's is more likely than not lower by more than is allowed."""
    below = "below range" in {boundary(belief, wanted).status for belief in (baseline, candidate)}
    return not below and shift_interval(baseline, candidate)[0] < -ALLOWED_OCTAVES


def paired(candidate: Sequence[Outcome], baseline: Mapping[str, Outcome]) -> Paired:
    """Both arms on the items that both answered."""
    pairs = [(baseline[own.item].passed, own) for own in candidate if own.item in baseline]
    return Paired(
        len(pairs),
        sum(own.passed for _, own in pairs),
        sum(was for was, _ in pairs),
        tuple(own.item for was, own in pairs if was and not own.passed),
        sum(not was and own.passed for was, own in pairs),
    )


def rate_rows(
    family: str, candidate: Sequence[Outcome], baseline: Sequence[Outcome] | None
) -> tuple[RateRow, ...]:
    """One row per group, before the correction for several; against a baseline of the items that both answered."""
    before = None if baseline is None else {outcome.item: outcome for outcome in baseline}
    candidate = [own for own in candidate if before is None or own.item in before]
    groups = dict.fromkeys(outcome.group for outcome in candidate)
    return tuple(
        _rate_row(family, group, [own for own in candidate if own.group == group], before) for group in groups
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
    found = paired(own, before)
    return replace(
        row, baseline=found.baseline, lost=len(found.lost), won=found.won,
        p_value=found.p_value, examples=found.lost[:ROWS_SHOWN] or row.examples,
    )  # fmt: skip


def item_rows(candidate: Sequence[Outcome], baseline: Sequence[Outcome] | None) -> tuple[ItemRow, ...]:
    """The user's items are assertions: each fails that the candidate fails and the baseline does not."""
    before = {outcome.item: outcome for outcome in baseline or ()}
    return tuple(_item_row(own, before.get(own.item), alone=baseline is None) for own in candidate)


def _item_row(own: Outcome, before: Outcome | None, *, alone: bool) -> ItemRow:
    """`before` is None where there is no baseline (`alone`), or the budget did not reach it."""
    was = None if before is None else before.passed
    verdict: Verdict = "ok"
    if not own.passed and was is not False:
        verdict = "worse" if alone or was else "unclear"
    return ItemRow(own.item, own.group, own.passed, was, verdict)


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
    lower = row.easiest is not None or (row.shift or 0.0) < -ALLOWED_OCTAVES
    worse = adjusted <= LEVEL and lower
    return replace(row, adjusted=adjusted, verdict="worse" if worse else row.verdict)


def _judged_rate(row: RateRow, adjusted: float) -> RateRow:
    return replace(row, adjusted=adjusted, verdict="worse" if adjusted <= LEVEL else row.verdict)
