"""The verdict rule (DESIGN 5, *Verdict*): from rows to one word, and its JSON. Pure.

(segment, signal): `diverged` while its alarm is latched; else `ok` once it has the pairs at which a
rise of `detectable_drop` above the allowance would have alarmed with probability 0.9; else
`inconclusive`. Segment: worst of its page signals. Route: `diverged` if any page row is; else `ok` if
every required segment is; else `inconclusive`, and the warnings say what is missing.

A row that cannot be judged for want of an arm (no replays yet, no logprobs, too few latency replays)
is named in the warnings and does not hold back `ok`, unless its signal is required.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from math import inf, isfinite
from operator import attrgetter
from typing import Any, Final

from monitor.detector import YOUNG_REPLAYS
from monitor.explain import Key, Sample, explain_rows, severity
from monitor.latency import FIRST_FIT
from monitor.power import pairs_needed
from monitor.records import ALL, Funnel, Segment, SegmentVerdict, State, Verdict
from monitor.signals import SIGNALS
from monitor.table import Row

__all__ = [
    "Facts",
    "Sample",
    "assemble",
    "explain_rows",
    "funnel_json",
    "live_rows",
    "required_segments",
    "schema",
    "severity",
    "to_json",
]

REQUIRED_SHARE = 0.01
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rule needs besides rows.

    `required`: segments that must be ok (`required_segments` for the default); with `named` (a person
    listed them) one without any row holds `ok` back, too. `missing`: rows that
    lack an arm, with the reason; `stale`: why the evidence is too old to speak, if it is.
    """

    route: str
    pairs: int
    since: float | None
    config_hash: str
    funnel: Funnel
    required: Collection[Segment] = (ALL,)
    named: bool = False
    required_signals: Collection[str] = ()
    missing: Mapping[Key, str] = field(default_factory=dict)
    stale: str | None = None
    warnings: Sequence[str] = ()
    capabilities: Mapping[str, Mapping[str, bool | None]] = field(default_factory=dict)


def live_rows(
    rows: Iterable[Row], detectable: float, now: float
) -> tuple[list[SegmentVerdict], dict[Key, str]]:
    """Verdict rows of the running detectors at event time `now`, and which of them lack an arm.

    `effect` is the mean of x above the mean of x0 (one stream: the mean of x) since the candidate
    changed; bounds, per-arm rates and examples are filled in by whoever holds the scores.
    """
    made: list[SegmentVerdict] = []
    missing: dict[Key, str] = {}
    for row in rows:
        lack = _lacks(row)
        if lack:
            missing[row.segment, row.signal] = lack
        made.append(_live_row(row, None if lack else pairs_needed(row, detectable, now)))
    return made, missing


def _live_row(row: Row, needed: int | None) -> SegmentVerdict:
    enough = needed is not None and row.pairs >= needed
    state: State = "diverged" if row.firing else "ok" if enough else "inconclusive"
    floor = _floor(row)
    return SegmentVerdict(
        segment=row.segment,
        signal=row.signal,
        kind=SIGNALS[row.signal].kind,
        verdict=state,
        pairs=row.pairs,
        pairs_needed=needed,
        noise_floor=floor,
        effect=_effect(row, floor),
        evidence=row.wealth,
        level=row.level,
    )


def unjudged(segment: Segment, signal: str, level: str, pairs: int = 0) -> SegmentVerdict:
    """A row without a verdict of its own: its signal is shown and never tested, or live evidence does not know it."""
    return SegmentVerdict(segment, signal, SIGNALS[signal].kind, "inconclusive", pairs, level=level)


def _floor(row: Row) -> float | None:
    """What the candidate is held against: the replays' mean; for latency the bound on their share."""
    if row.references is not None:
        return row.null
    return row.sum_x0 / row.replays if row.replays else None


def _effect(row: Row, floor: float | None) -> float | None:
    if not row.pairs:
        return None
    mean = row.sum_x / row.pairs
    if SIGNALS[row.signal].null == "affine":
        return 2 * mean - 1
    against = row.two_stream or row.references is not None
    return mean - (floor or 0.0) if against else mean


def _lacks(row: Row) -> str | None:
    """Why the row cannot be judged yet, if an arm is missing."""
    if row.firing or row.ready:
        return None
    if row.references is not None:
        return f"{row.references} of {FIRST_FIT} latency replays"
    return f"{row.replays} of {YOUNG_REPLAYS} replays"


def required_segments(
    eligible: Mapping[Segment, int], configured: Collection[Segment] | None
) -> tuple[Segment, ...]:
    """Segments that must be ok: configured, else those with at least 1 % of eligible traffic.

    `eligible` counts requests per segment since the candidate changed, `all` included.
    """
    if configured is not None:
        return tuple(configured)
    least = REQUIRED_SHARE * eligible.get(ALL, sum(eligible.values()))
    return tuple(segment for segment, count in eligible.items() if count and count >= least)


def assemble(rows: Iterable[SegmentVerdict], facts: Facts) -> Verdict:
    """The route's verdict over rows that already carry `explained_by`."""
    ordered = tuple(sorted(rows, key=severity))
    page = [row for row in ordered if row.level == "page"]
    judged = [row for row in page if _counts(row, facts)]
    pending = [*_pending(judged, facts), *_unmeasured(judged, facts)]
    if facts.stale:
        state: State = "inconclusive"
    elif any(row.verdict == "diverged" for row in page):
        state = "diverged"
    else:
        state = "inconclusive" if pending else "ok"
    stale = [facts.stale] if facts.stale else []
    warnings = (*stale, *facts.warnings, *_named(pending), *_missing(facts))
    return Verdict(
        verdict=state,
        route=facts.route,
        pairs=facts.pairs,
        since=facts.since,
        config_hash=facts.config_hash,
        segments=ordered,
        funnel=facts.funnel,
        warnings=warnings,
        capabilities=facts.capabilities,
    )


def _counts(row: SegmentVerdict, facts: Facts) -> bool:
    """Whether the row may hold back `ok`."""
    key = (row.segment, row.signal)
    return key not in facts.missing or row.signal in facts.required_signals


def _pending(judged: Sequence[SegmentVerdict], facts: Facts) -> list[str]:
    """What the required segments still wait for, one line each; the longest wait of a segment."""
    waiting: dict[Segment, SegmentVerdict] = {}
    for row in judged:
        if row.segment in facts.required and row.verdict == "inconclusive":
            before = waiting.get(row.segment)
            waiting[row.segment] = row if before is None else max(before, row, key=_wait)
    return [_sentence(row) for row in waiting.values()]


def _wait(row: SegmentVerdict) -> float:
    return inf if row.pairs_needed is None else row.pairs_needed - row.pairs


def _sentence(row: SegmentVerdict) -> str:
    if row.pairs_needed is None:
        return (
            f"{row.segment}: {row.signal} cannot be judged yet at its traffic and budget ({row.pairs} pairs)"
        )
    if row.pairs >= row.pairs_needed:
        return (
            f"{row.segment}: {row.signal} lies between ok and diverged at {row.pairs} pairs{_interval(row)}"
        )
    return f"{row.segment} needs {row.pairs_needed - row.pairs} more pairs for {row.signal} ({row.pairs} of {row.pairs_needed})"


def _interval(row: SegmentVerdict) -> str:
    """What is known of such a row: its excess in points with the interval, where it has one."""
    if row.effect is None or row.lower is None or row.upper is None:
        return ""
    return f" (excess {100 * row.effect:+.1f} [{100 * row.lower:.1f}, {100 * row.upper:.1f}] points)"


def _unmeasured(judged: Sequence[SegmentVerdict], facts: Facts) -> list[str]:
    """Required things that nobody has measured at all."""
    segments = {row.segment for row in judged}
    if not judged:
        return ["no pair was scored on a page signal yet"]
    absent = [segment for segment in facts.required if segment not in segments] if facts.named else []
    signals = sorted(set(facts.required_signals) - {row.signal for row in judged})
    return [
        *(f"required segment {segment} has no scored pair" for segment in absent),
        *(f"required signal {signal} was not measured" for signal in signals),
    ]


def _named(lines: Sequence[str]) -> list[str]:
    rest = len(lines) - _MOST_NAMED
    return [*lines[:_MOST_NAMED], *([f"and {rest} more required segments wait"] if rest > 0 else [])]


def _missing(facts: Facts) -> list[str]:
    """Arms that are missing, one line per signal."""
    per_signal: dict[str, list[tuple[Segment, str]]] = {}
    for (segment, signal), lack in facts.missing.items():
        per_signal.setdefault(signal, []).append((segment, lack))
    return [
        f"{signal} is not judged in {_places(found)}: {found[0][1]}"
        for signal, found in sorted(per_signal.items())
    ]


def _places(found: Sequence[tuple[Segment, str]]) -> str:
    first = found[0][0]
    return first if len(found) == 1 else f"{first} and {len(found) - 1} more segments"


def to_json(verdict: Verdict) -> dict[str, Any]:
    """The verdict JSON of DESIGN 6 (`verdict.schema.json`); numbers that do not exist are null."""
    known = {arm: dict(abilities) for arm, abilities in verdict.capabilities.items()}
    return {
        "verdict": verdict.verdict,
        "route": verdict.route,
        "pairs": verdict.pairs,
        "since": None if verdict.since is None else _timestamp(verdict.since),
        "config_hash": verdict.config_hash,
        "segments": [_row_json(row) for row in verdict.segments],
        "funnel": funnel_json(verdict.funnel),
        "warnings": list(verdict.warnings),
        **({"capabilities": known} if known else {}),  # nobody was asked over recorded pairs
    }


_COLUMNS: Final = tuple(each.name for each in fields(SegmentVerdict))
_VALUES: Final = attrgetter(*_COLUMNS)


def _row_json(row: SegmentVerdict) -> dict[str, Any]:
    return dict(zip(_COLUMNS, map(_finite, _VALUES(row)), strict=True))


def funnel_json(funnel: Funnel) -> dict[str, Any]:
    """The part of the verdict JSON that says where the exchanges are."""
    counts = {name.name: getattr(funnel, name.name) for name in fields(funnel)}
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in counts.items()}


def _finite(value: object) -> object:
    """JSON has no infinity."""
    if isinstance(value, tuple):
        return list(value)
    return None if isinstance(value, float) and not isfinite(value) else value


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@cache
def schema() -> Mapping[str, Any]:
    """The shipped JSON schema of `to_json`."""
    text = files("monitor").joinpath("verdict.schema.json").read_text("utf-8")
    loaded: Mapping[str, Any] = json.loads(text)
    return loaded
