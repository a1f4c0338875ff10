"""Recorded pairs to verdict rows: the fixed-sample rule (DESIGN 5, Offline). Pure.

One look at a closed sample: per (segment, signal) an exact test of "the excess is at most the
allowed drop", corrected by Holm over every page and ticket hypothesis at once. Segments that hold
the same pairs ask the same question and are counted once, which keeps the error rate and spares
power where a whole file has one language or one model.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import nan

import numpy as np

from monitor.explain import Sample
from monitor.fixed_sample import Floats, Question, excess, p_value, pairs_needed, question
from monitor.intervals import Interval, holm, mcnemar_p_value, newcombe_paired
from monitor.latency import ERROR_RATE, Legs
from monitor.offline_latency import Rung, rungs
from monitor.records import ALL, Score, Segment, SegmentVerdict, State
from monitor.scoring import Scored
from monitor.signals import SIGNALS, Level

_POOLED_BELOW = 30  # references; a smaller arm of a flip-prone signal borrows its parent's (DESIGN 5)
_COVERED = 0.5  # share of a segment's pairs that are checkable before it is judged without a floor
_EXAMPLES = 5
_BAD = 0.5  # a measurement at or above it shows the fault


@dataclass(frozen=True, slots=True)
class Recorded:
    """One scored pair and where it counts.

    `segments` includes `all`. `baseline_healthy` False keeps it out of agreement signals: a loop is
    easy to agree with. `legs` are the pair's comparable seconds (`latency.legs`). `conversation` and `prompt` are the keys under which repeats within an hour
    are one observation; None: every pair is its own.
    """

    scored: Scored
    segments: tuple[Segment, ...]
    baseline_healthy: bool = True
    conversation: str | None = None
    prompt: str | None = None
    legs: Mapping[str, Legs] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rule:
    """What is allowed. `level` and `allowed` come from the configuration."""

    level: Callable[[str], Level]
    allowed: Mapping[Level, float]
    detectable: float = 0.15
    alpha: float = 0.05

    def question(self, signal: str) -> Question:
        """The hypothesis of a signal; shown signals are measured against the page allowance."""
        known = SIGNALS[signal]
        null = "flip" if known.kind == "directional" else known.null
        return question(null, self.allowed["ticket" if self.level(signal) == "ticket" else "page"])


@dataclass(frozen=True, slots=True)
class McNemar:
    """Discordant pairs: the fault in the candidate alone, in the baseline alone; exact p-value."""

    worse: int
    better: int
    p_value: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """Rows in the order of first appearance; `members` and `x` are aligned per (segment, signal)."""

    rows: tuple[SegmentVerdict, ...]
    mcnemar: Mapping[tuple[Segment, str], McNemar]
    cells: Mapping[tuple[Segment, str], Cell]
    hypotheses: int

    @property
    def missing(self) -> Mapping[tuple[Segment, str], str]:
        """Rows that nothing can be said about for want of a noise floor, with the reason."""
        return {key: lack for key, cell in self.cells.items() if (lack := cell.lack) is not None}


@dataclass(slots=True)
class Cell:
    """The sample of one (segment, signal): pair indices, their scores, and what to compare them with.

    `reference` is the noise floor, `rest` the same signal outside the segment; `asked` is False where
    no hypothesis can be stated. `rung` is what a latency signal is tested against,
    `replayed` is x0 as it was seen, shown even where the hypothesis ignores it.
    """

    segment: Segment
    signal: str
    members: list[int] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)
    reference: Floats | None = None
    rest: Floats | None = None
    asked: bool = True
    rung: Rung | None = None
    replayed: Floats | None = None

    @property
    def compared(self) -> Floats | None:
        """What x is tested against: the noise floor, else for a small segment the rest of the route."""
        return self.rest if self.reference is None else self.reference

    @property
    def discordant(self) -> tuple[int, int, int, int] | None:
        """Pairs by who shows the fault: both, candidate alone, baseline alone, neither.

        None where the signal is not directional or an arm was not measured.
        """
        if SIGNALS[self.signal].kind != "directional":
            return None
        counts = Counter(
            (s.baseline >= _BAD, s.candidate >= _BAD)
            for s in self.scores
            if s.baseline is not None and s.candidate is not None
        )
        if counts.total() < len(self.scores):
            return None
        return counts[True, True], counts[False, True], counts[True, False], counts[False, False]

    @property
    def lack(self) -> str | None:
        """What is missing before the row can be judged, if anything is."""
        if not self.asked:
            return "no noise floor, and few of its pairs are checkable"
        if self.reference is not None and not self.reference.size:
            return "no replays"
        return None

    @property
    def floor(self) -> float | None:
        """Rate of the bad outcome when the baseline is asked twice."""
        if self.rung is not None:
            return self.rung.floor
        known = self.replayed if self.reference is None else self.reference
        return None if known is None or not known.size else float(known.mean())

    @property
    def sample(self) -> Sample:
        """For finding out which segment accounts for which; the floor stands in for every pair's x0."""
        floor = nan if self.floor is None or self.rung else self.floor
        return Sample(np.array(self.members), self.x, np.full(len(self.members), floor))

    @property
    def x(self) -> Floats:
        """Scores, 1 = bad, shape (pairs,)."""
        return np.array([score.value for score in self.scores])


Key = tuple[Segment, str]


def judge(rows: Sequence[Recorded], control: Sequence[Recorded], rule: Rule) -> Judgement:
    """Verdict rows for every (segment, signal) with at least one applicable pair.

    `control` holds baseline-against-baseline pairs; replays inside `rows` count as well.
    """
    cells = _collect(rows)
    references = _references(rows, control)
    if references is None:
        _without_floor(cells, Counter(segment for row in rows for segment in row.segments))
    else:
        for cell in cells.values():
            cell.reference = _reference(cell, references)
            cell.replayed = np.array(references.get((cell.segment, cell.signal), []))
    timed, again = ([(r.segments, r.legs) for r in arm] for arm in (rows, control))
    cells |= {(rung.segment, rung.signal): _latency_cell(rung) for rung in rungs(timed, again) if rung.x}
    tested = [k for k, cell in cells.items() if cell.asked and rule.level(cell.signal) in {"page", "ticket"}]
    adjusted, hypotheses = _adjusted([cells[key] for key in tested], rule)
    corrected = dict(zip(tested, adjusted, strict=True))
    alpha = rule.alpha / max(1, hypotheses)
    verdicts = tuple(_row(cell, rule, corrected.get(key), alpha) for key, cell in cells.items())
    return Judgement(verdicts, _discordant(cells), cells, hypotheses)


def _collect(rows: Sequence[Recorded]) -> dict[Key, Cell]:
    cells: dict[Key, Cell] = {}
    seen: set[tuple[Segment, str, str]] = set()
    for index, row in enumerate(rows):
        for signal, given in row.scored.scores.items():
            if not _counts(row, signal):
                continue
            repeat, score = _repeat_key(row, signal), _as_flip(given)
            for segment in row.segments:
                if repeat is not None:
                    if (segment, signal, repeat) in seen:
                        continue
                    seen.add((segment, signal, repeat))
                cell = cells.setdefault((segment, signal), Cell(segment, signal))
                cell.members.append(index)
                cell.scores.append(score)
    return cells


def _as_flip(score: Score) -> Score:
    """A labelled gap as the 0/1 fault "lost": a fixed sample has an exact test, a stream has a bet."""
    if SIGNALS[score.signal].null != "affine" or score.baseline is None or score.candidate is None:
        return score
    return replace(score, value=float(score.candidate > score.baseline))


def _counts(row: Recorded, signal: str) -> bool:
    return row.baseline_healthy or SIGNALS[signal].kind != "agreement"


def _repeat_key(row: Recorded, signal: str) -> str | None:
    return row.conversation if SIGNALS[signal].kind in {"agreement", "latency"} else row.prompt


def _references(rows: Sequence[Recorded], control: Sequence[Recorded]) -> Mapping[Key, list[float]] | None:
    """x0 per (segment, signal); None where nothing was replayed at all."""
    found: defaultdict[Key, list[float]] = defaultdict(list)
    for row in rows:
        for signal, value in row.scored.references.items():
            if _counts(row, signal):
                for segment in row.segments:
                    found[segment, signal].append(value)
    for row in control:
        for signal, score in row.scored.scores.items():
            if _counts(row, signal):
                for segment in row.segments:
                    found[segment, signal].append(score.value)
    replayed = control or any(row.scored.references for row in rows)
    return found if replayed else None


def _reference(cell: Cell, references: Mapping[Key, list[float]]) -> Floats | None:
    null = SIGNALS[cell.signal].null
    if null not in {"flip", "agreement"}:
        return None
    own = references.get((cell.segment, cell.signal), [])
    if null == "flip" and len(own) < _POOLED_BELOW:
        own = references.get((ALL, cell.signal), own)
    return np.array(own)


def _without_floor(cells: Mapping[Key, Cell], sizes: Mapping[Segment, int]) -> None:
    """Agreement signals when nothing was replayed: different is not worse (DESIGN 5).

    Two harmless quantizations differ on every second stray number of an open chat. So a segment is
    tested against the allowance only where most of its pairs are checkable; in a route of mostly open
    text a small one must stand out from the rest of the route, which is the only floor at hand.
    """
    for (segment, signal), cell in cells.items():
        if SIGNALS[signal].null != "agreement":
            continue
        whole, mine = cells[ALL, signal], set(cell.members)
        others = [s.value for i, s in zip(whole.members, whole.scores, strict=True) if i not in mine]
        open_route = len(whole.members) < _COVERED * sizes[ALL]
        if open_route and len(mine) < _POOLED_BELOW and others:
            cell.rest = np.array(others)
        else:
            cell.asked = len(mine) >= _COVERED * sizes[segment]


def _latency_cell(rung: Rung) -> Cell:
    scores = [Score(rung.signal, x) for x in rung.x]
    return Cell(rung.segment, rung.signal, list(rung.members), scores, rung=rung)


def _asked(rule: Rule, cell: Cell) -> Question:
    return rule.question(cell.signal) if cell.rung is None else Question(cell.rung.null)


def _p_value(rule: Rule, cell: Cell) -> float:
    """Of one hypothesis; a latency null that is itself estimated adds its error."""
    value = p_value(_asked(rule, cell), cell.x, cell.compared)
    return value if cell.rung is None else min(1.0, value + ERROR_RATE)


def _adjusted(cells: Sequence[Cell], rule: Rule) -> tuple[list[float], int]:
    """Holm-adjusted p-values and how many different hypotheses there were."""
    names = [(cell.signal, tuple(cell.members), _bytes(cell.reference)) for cell in cells]
    first = dict(zip(reversed(names), reversed(cells), strict=True))
    raw = {name: _p_value(rule, c) for name, c in first.items()}
    by_name = dict(zip(raw, holm(list(raw.values())).tolist(), strict=True))
    return [by_name[name] for name in names], len(raw)


def _bytes(reference: Floats | None) -> bytes | None:
    return None if reference is None else reference.tobytes()


def _row(cell: Cell, rule: Rule, adjusted: float | None, alpha: float) -> SegmentVerdict:
    asked, x = _asked(rule, cell), cell.x
    effect, interval = _excess(asked, cell)
    needed = pairs_needed(asked, x, cell.reference, rule.detectable, alpha)
    return SegmentVerdict(
        segment=cell.segment,
        signal=cell.signal,
        kind=SIGNALS[cell.signal].kind,
        verdict=_state(rule, cell, adjusted, needed, effect),
        pairs=x.size,
        pairs_needed=needed,
        baseline=_rate([s.baseline for s in cell.scores]),
        candidate=_rate([s.candidate for s in cell.scores]),
        noise_floor=cell.floor,
        effect=effect,
        lower=interval.lower,
        upper=interval.upper,
        p_value=adjusted,
        level=rule.level(cell.signal),
    )


def _excess(asked: Question, cell: Cell) -> tuple[float, Interval]:
    """Excess over the noise floor; for a directional signal without one, the net rate difference.

    What a harmless change breaks here it mends there: 24 broken against 7 mended is a loss of 17.
    """
    if cell.reference is None and cell.discordant is not None:
        both, worse, better, neither = cell.discordant
        n = both + worse + better + neither
        return (worse - better) / n, newcombe_paired(both, worse, better, neither)
    effect, interval = excess(asked, cell.x, cell.reference)
    if cell.rung is None:
        return effect, interval
    return effect - cell.rung.floor, Interval(
        interval.lower - cell.rung.floor, interval.upper - cell.rung.floor
    )


def _state(rule: Rule, cell: Cell, adjusted: float | None, needed: int | None, effect: float) -> State:
    """`diverged` asks for a net excess above the allowance too: who mends as much as he breaks is not worse.

    `ok` asks that not even the single test objects: a loss too small for Holm is no all-clear.
    """
    if adjusted is not None and adjusted <= rule.alpha:
        return "diverged" if cell.rung or effect > _asked(rule, cell).allowed else "inconclusive"
    if needed is None or len(cell.members) < needed:
        return "inconclusive"
    alone = _p_value(rule, cell)
    return "ok" if alone > rule.alpha else "inconclusive"


def _rate(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _discordant(cells: Mapping[Key, Cell]) -> dict[Key, McNemar]:
    found: dict[Key, McNemar] = {}
    for key, cell in cells.items():
        if cell.discordant is not None:
            _, worse, better, _ = cell.discordant
            found[key] = McNemar(worse, better, mcnemar_p_value(worse, better))
    return found


def with_examples(row: SegmentVerdict, cell: Cell, ids: Sequence[str]) -> SegmentVerdict:
    """The row with the ids of its worst pairs, worst first."""
    worst = sorted(
        (i for i, score in enumerate(cell.scores) if score.value > 0), key=lambda i: -cell.scores[i].value
    )
    return replace(row, examples=tuple(ids[cell.members[i]] for i in worst[:_EXAMPLES]))
