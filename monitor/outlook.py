"""From the standing of a route to its verdict and its gauges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from monitor import forgetting
from monitor.board import Board, Latency
from monitor.capabilities import shortcomings
from monitor.config import Config
from monitor.errors import StoreError
from monitor.hypotheses import tests_of
from monitor.means import Shown
from monitor.records import ALL, Arm, Segment, SegmentVerdict, Verdict
from monitor.settling import KILLED
from monitor.signals import SIGNALS
from monitor.standing import Member, Standing
from monitor.store import Store
from monitor.verdict import (
    Facts,
    Sample,
    assemble,
    explain_rows,
    live_rows,
    required_segments,
    to_json,
    unjudged,
)

Key = tuple[Segment, str]
THIN_REPLAYS = 0.1
UNHEALTHY_SHARE = 0.05
FEWEST = 20
CAPTURE_WINDOW_SECONDS = 0.1


def verdict_of(standing: Standing, *, now: float) -> Verdict:
    """The route's verdict as of now (UNIX seconds)."""
    config = standing.config
    with standing.lock:
        moment = max(standing.engine.now, now)
        rows, missing = live_rows(standing.engine.rows(), config.evidence.detectable_drop, moment)
        shown = standing.display.means.shown()
        examples = {key: tuple(ids) for key, ids in standing.display.examples.items()}
        counts, last = dict(standing.display.counts), standing.event_time
        illness = dict(standing.display.illness)
        since, pairs = standing.display.since, standing.display.counts.get(ALL, 0)
    filled = [_filled(row, shown, examples) for row in rows]
    filled += _shown_only(shown, {(row.segment, row.signal) for row in rows})
    explained = explain_rows(filled, _samples(standing, filled), _nulls(standing), tuple(config.segments))
    funnel = standing.tally.funnel()
    required = config.verdict.required
    facts = Facts(
        route=config.route.name,
        pairs=pairs,
        since=since,
        config_hash=config.hash,
        funnel=funnel,
        required=required_segments(counts, None if required is None else [Segment(s) for s in required]),
        named=required is not None,
        required_signals=config.verdict.required_signals,
        missing=missing,
        stale=_stale(last, now, config.verdict.max_age_seconds),
        warnings=tuple(_warnings(standing, counts, illness)),
        capabilities=asdict(standing.capabilities),
    )
    return assemble(explained, facts)


def verdict_of_database(path: Path, now: float) -> dict[str, Any]:
    """Verdict JSON of a monitor that is not running, under the configuration it ran with."""
    if not path.exists():
        raise StoreError(f"{path}: no such database")
    store = Store(path)
    try:
        saved = store.mapping("meta").get("config")
        config = Config.model_validate_json(saved) if saved else Config()
        return to_json(verdict_of(Standing(config, store, b"unused"), now=now))
    finally:
        store.close()


def _filled(
    row: SegmentVerdict, shown: Mapping[Key, Shown], examples: Mapping[Key, tuple[str, ...]]
) -> SegmentVerdict:
    """The row with rates per arm, bounds and example ids."""
    found = examples.get((row.segment, row.signal), ())
    numbers = shown.get((row.segment, row.signal))
    if numbers is None:
        return replace(row, examples=found)
    # Field by field: `replace` takes six times as long, and there are thousands of rows every second.
    return SegmentVerdict(
        segment=row.segment,
        signal=row.signal,
        kind=row.kind,
        verdict=row.verdict,
        pairs=row.pairs,
        pairs_needed=row.pairs_needed,
        baseline=numbers.baseline,
        candidate=numbers.candidate,
        noise_floor=numbers.floor,
        effect=row.effect if numbers.effect is None else numbers.effect,
        lower=numbers.lower,
        upper=numbers.upper,
        evidence=row.evidence,
        p_value=row.p_value,
        explained_by=row.explained_by,
        examples=found,
        level=row.level,
    )


def _shown_only(shown: Mapping[Key, Shown], tested: set[Key]) -> list[SegmentVerdict]:
    """Rows of signals that are displayed and never tested: no verdict of their own."""
    return [
        _filled(unjudged(segment, signal, "show", numbers.pairs), shown, {})
        for (segment, signal), numbers in shown.items()
        if (segment, signal) not in tested
    ]


def _samples(standing: Standing, rows: Iterable[SegmentVerdict]) -> dict[Key, Sample]:
    """Pairs of the diverged signals, per diverged segment."""
    diverged = [row for row in rows if row.verdict == "diverged"]
    signals = sorted({row.signal for row in diverged})
    wanted = {row.segment for row in diverged}
    if not signals:
        return {}
    latency = [name for name in signals if SIGNALS[name].kind == "latency"]
    members = chain(
        standing.members([name for name in signals if name not in latency]),
        _latency_members(standing, wanted, latency) if latency else (),
    )
    gathered: dict[Key, list[tuple[int, float, float]]] = {}
    for member in members:
        for segment in wanted & set(member.segments):
            gathered.setdefault((segment, member.signal), []).append((member.seq, member.x, member.x0))
    return {key: _sample(values) for key, values in gathered.items()}


def _latency_members(standing: Standing, wanted: set[Segment], signals: Sequence[str]) -> Iterator[Member]:
    """Exceedances of each segment's own limit: what the ladder saw."""
    limits = {(s, name): standing.engine.latency_limit(s, name) for s in wanted for name in signals}
    known = {key: limit for key, limit in limits.items() if limit is not None}
    for seq, segments, legs in standing.legs():
        for (segment, name), limit in known.items():
            seconds = legs[0 if name.startswith("latency") else 2] if len(legs) == 4 else None
            if seconds is not None and segment in segments:
                yield Member(seq, (segment,), name, float(seconds > limit), float("nan"))


def _sample(values: Sequence[tuple[int, float, float]]) -> Sample:
    columns = np.array(values, dtype=np.float64)
    return Sample(columns[:, 0].astype(np.int64), columns[:, 1], columns[:, 2])


def _nulls(standing: Standing) -> dict[str, float]:
    return {name: test.m for name, test in tests_of(standing.engine.settings).items()}


def _stale(last: float, now: float, max_age: float) -> str | None:
    if not last or now - last <= max_age:
        return None
    return f"no pair was scored in the last {(now - last) / 60:.0f} minutes (verdict.max_age_seconds)"


def _warnings(
    standing: Standing, counts: Mapping[Segment, int], illness: Mapping[tuple[Segment, str], int]
) -> Iterable[str]:
    for (segment, fault), count in sorted(illness.items(), key=lambda item: -item[1]):
        pairs = counts.get(segment, 0)
        if pairs >= FEWEST and count / pairs >= UNHEALTHY_SHARE:
            yield f"baseline itself is {fault} in {segment} ({100 * count / pairs:.0f} %)"
    pairs = counts.get(ALL, 0)
    if kills := standing.tally.names[KILLED]:
        counted = standing.tally.names["skipped:capture_killed"]
        yield (
            f"capture was killed ({kills} worker streams ended unsettled): {counted} requests are counted as lost, "
            f"and up to {CAPTURE_WINDOW_SECONDS} s of traffic before each kill is not counted at all"
        )
    if standing.config.replay.share == 0:
        yield "replay.share is 0: without a noise floor, agreement and flip-prone signals do not page"
    elif pairs >= 100 and standing.display.replayed / pairs < THIN_REPLAYS:
        yield (
            f"only {100 * standing.display.replayed / pairs:.1f} % of pairs were replayed: "
            f"noise floors are young ({', '.join(_why_not_replayed(standing)) or 'replay.share'})"
        )
    if crashes := standing.tally.names["skipped:candidate_crashed"]:
        yield f"the candidate died while it answered {crashes} requests; they are counted as candidate_crashed"
    yield from shortcomings(standing.config, standing.capabilities)
    if reasons := _counted(standing, "forced_skipped:") + _counted(standing, "skipped:forced_"):
        yield f"answers that the candidate did not score (teacher forcing): {', '.join(reasons)}"
        if any(reason.startswith("prompt_differs ") for reason in reasons):
            yield "prompt_differs: the candidate's tokenizer or chat template is not the baseline's"


def _why_not_replayed(standing: Standing) -> list[str]:
    return [
        reason for reason in _counted(standing, "replay_skipped:") if not reason.startswith("not_chosen ")
    ]


def _counted(standing: Standing, prefix: str) -> list[str]:
    """`reason count` of the counters with that prefix, most frequent first."""
    reasons = {
        name.removeprefix(prefix): count
        for name, count in standing.tally.names.items()
        if name.startswith(prefix)
    }
    return [f"{reason} {count}" for reason, count in sorted(reasons.items(), key=lambda item: -item[1])]


def board_of(
    standing: Standing,
    verdict: Verdict,
    latency: Mapping[tuple[str, Arm], Latency],
    *,
    now: float,
    in_flight: int,
    candidate_up: bool,
    info: Mapping[str, str],
) -> Board:
    """What the gauges show."""
    config = standing.config
    drop = config.evidence.allowed_drop
    oldest_record, oldest_text = forgetting.oldest(standing.store)
    return Board(
        verdict=verdict,
        latency=latency,
        calibration_gap=_calibration(verdict),
        samples={str(segment): n for segment, n in standing.display.counts.items()},
        samples_needed=_needed(verdict),
        agreement=_agreement(verdict),
        budget_paid=standing.engine.paid,
        scoring_lag_seconds=max(0.0, now - standing.event_time) if verdict.funnel.pending else 0.0,
        last_scored=standing.event_time,
        storage_bytes=standing.store.size_bytes(),
        oldest_record=oldest_record,
        oldest_text=oldest_text,
        retention_seconds=86_400 * config.store.retention_days,
        text_retention_seconds=86_400 * min(config.store.text_retention_days, config.store.retention_days),
        in_flight=in_flight,
        concurrency=config.candidate.concurrency,
        candidate_up=candidate_up,
        info=info,
        thresholds={"page": drop.page, "ticket": drop.ticket},
    )


def _calibration(verdict: Verdict) -> dict[tuple[str, Arm], float]:
    return {
        (row.segment, "candidate"): row.effect
        for row in verdict.segments
        if row.signal == "calibration_gap" and row.effect is not None
    }


def _needed(verdict: Verdict) -> dict[str, int]:
    """Per segment the most pairs that a page signal still needs."""
    needed: dict[str, int] = {}
    for row in verdict.segments:
        if row.level == "page" and row.pairs_needed is not None:
            needed[row.segment] = max(row.pairs_needed, needed.get(row.segment, 0))
    return needed


def _agreement(verdict: Verdict) -> dict[str, float]:
    return {
        row.segment: 1.0 - row.candidate
        for row in verdict.segments
        if row.signal == "answer" and row.candidate is not None
    }
