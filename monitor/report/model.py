"""What a report says, as values. Rates and effects are shares in [0, 1], times UNIX seconds. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

FEWEST = 100
"""Answers per arm before a p99 is compared."""


@dataclass(frozen=True, slots=True)
class Window:
    """The period reported on, half open; `before` is the reference period of the same length."""

    since: float
    until: float

    @property
    def before(self) -> Window:
        return Window(2 * self.since - self.until, self.since)

    def parameters(self) -> dict[str, float]:
        """As SQL parameters."""
        return {"since": self.since, "until": self.until}


@dataclass(frozen=True, slots=True)
class Week:
    """One (segment, signal) as a closed sample: the window's pairs, looked at once.

    `lower` and `upper` hold with 95 %. `e_value` starts with the window (None: not tested weekly);
    `listed` says that it is on the e-BH list; `visible` is the smallest rise above the allowance that
    these pairs would have put on the list with probability 0.9 had they been its only entry.
    """

    pairs: int
    replays: int
    rate: float
    noise_floor: float | None
    effect: float
    lower: float
    upper: float
    e_value: float | None = None
    listed: bool = False
    visible: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One (segment, signal): the week's sample beside the live state (the verdict's row)."""

    segment: str
    signal: str
    kind: str
    level: str
    week: Week | None
    verdict: str
    pairs: int
    pairs_needed: int | None = None
    noise_floor: float | None = None
    effect: float | None = None
    lower: float | None = None
    upper: float | None = None
    evidence: float | None = None
    explained_by: str | None = None
    why_different: str | None = None


Rungs = tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Ladder:
    """Latency of one segment in seconds: candidate and replay, p50 and p99, with their counts."""

    segment: str
    candidates: int
    replays: int
    duration: Rungs
    first_token: Rungs
    """Candidate p50, p99, replay p50, p99."""
    duration_tail: Rungs
    first_token_tail: Rungs
    """p99 over p50, candidate's and replay's; None below `FEWEST` answers of that arm."""

    @classmethod
    def of(cls, segment: str, answers: tuple[int, int], duration: Rungs, first_token: Rungs) -> Ladder:
        """From counts (candidate, replay) and rungs."""
        tails = (_tails(answers, rungs) for rungs in (duration, first_token))
        return cls(segment, *answers, duration, first_token, *tails)

    @property
    def ratio(self) -> float | None:
        """Candidate's p99 over the replay's; None below `FEWEST`, where a p99 is the largest value."""
        return self._ratio(self.duration)

    @property
    def first_token_ratio(self) -> float | None:
        """The same for the time to first token."""
        return self._ratio(self.first_token)

    def _ratio(self, rungs: Rungs) -> float | None:
        candidate, replay = rungs[1], rungs[3]
        enough = min(self.candidates, self.replays) >= FEWEST
        return candidate / replay if enough and candidate and replay else None


def _tails(answers: tuple[int, int], rungs: Rungs) -> Rungs:
    """How far each arm's p99 lies above its own median: a slow tail that a p99 alone does not tell from a slow arm."""
    pairs = zip(answers, rungs[::2], rungs[1::2], strict=True)
    return tuple(p99 / p50 if n >= FEWEST and p50 and p99 else None for n, p50, p99 in pairs)


@dataclass(frozen=True, slots=True)
class Reliability:
    """Calibration of the candidate in one segment by one source of truth; `bins` rows are
    (confidence, accuracy, lower, upper, pairs)."""

    segment: str
    source: str
    pairs: int
    confidence: float
    accuracy: float
    gap: float
    gap_lower: float
    gap_upper: float
    ece: float
    ece_by_chance: float
    bins: tuple[tuple[float, float, float, float, int], ...]
    temperature: float | None = None
    """Dividing the log odds by this would fit these answers best (Guo et al. 2017); above 1 = too sure."""


@dataclass(frozen=True, slots=True)
class Case:
    """One of the worst pairs; texts as stored (redacted unless the store keeps them in full)."""

    id: str
    time: float
    segment: str
    signal: str
    x: float
    label: str
    explanation: str
    request: str | None = None
    baseline: str | None = None
    candidate: str | None = None


@dataclass(frozen=True, slots=True)
class Shift:
    """How the share of one segment in the traffic moved; the interval is Newcombe's 95 %."""

    segment: str
    before: float
    now: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Drift:
    """Evidently's verdict on one input column; `drifted` by its own threshold."""

    column: str
    method: str
    score: float
    threshold: float
    drifted: bool


@dataclass(frozen=True, slots=True)
class InputDrift:
    """Evidently's columns, and how many pairs it was shown of how many: the window before, then this one."""

    columns: Sequence[Drift]
    version: str
    before_sampled: int
    before_pairs: int
    sampled: int
    pairs: int


@dataclass(frozen=True, slots=True)
class Report:
    """Everything, in the order in which it is read."""

    route: str
    verdict: str
    sentence: str
    window: Window
    made_at: float
    pairs: int
    replays: int
    since: float | None
    config_hash: str
    lines: Sequence[Line]
    median_effect: float | None = None
    candidates: Sequence[tuple[float, str]] = ()
    shifts: Sequence[Shift] | None = None
    drift: InputDrift | None = None
    reasons: Sequence[tuple[str, str, str, int]] = ()
    ladders: Sequence[Ladder] = ()
    reliability: Sequence[Reliability] = ()
    cases: Sequence[Case] = ()
    probes: Sequence[tuple[float, str, str, str, str, str, str]] = ()
    """Latest result per pack and probe: time, pack, probe, verdict, baseline, candidate, change."""
    funnel: Mapping[str, Any] = field(default_factory=dict)
    cost: Mapping[str, float | None] = field(default_factory=dict)
    events: Sequence[tuple[float, str, str, str]] = ()
    warnings: Sequence[str] = ()
    gaps: Sequence[str] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    sql: Mapping[str, str] = field(default_factory=dict)
