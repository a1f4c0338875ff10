"""A scored pair as the evidence sees it, from memory or from the store: the same bits either way. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from monitor.display import UNHEALTHY, ShownPair
from monitor.latency import Legs
from monitor.ledger import Entry
from monitor.observations import Observation
from monitor.records import Score, Segment
from monitor.segments import segment_names
from monitor.signals import SIGNALS

Crosses = Sequence[Sequence[str]]
_NO_LATENCY = frozenset({"warmup", "cached"})


def of_entry(entry: Entry, crosses: Crosses) -> Observation:
    """The observation of a pair that was just scored."""
    kept = entry.kept
    return observed(
        time=entry.time,
        dims=kept.dims,
        crosses=crosses,
        scores={name: score.value for name, score in kept.scored.scores.items()},
        references=kept.scored.references,
        legs=kept.legs,
        flags=kept.flags,
        session=kept.session_key,
        prompt=kept.prompt_key,
    )


def of_rows(rows: Iterable[Sequence[Any]], crosses: Crosses) -> Iterator[list[Observation]]:
    """Blocks of observations from rows of the query `replay_log`."""
    for _, block in groupby(rows, key=lambda row: row[1]):
        yield [_of_row(row, crosses) for row in block]


def _of_row(row: Sequence[Any], crosses: Crosses) -> Observation:
    _, _, time, segments, prompt, session, flags, legs, _, _, signals, xs, x0s, *_ = row
    dims = {name: value for name, value in segments.items() if name != "all"}
    known = [(name, x, x0) for name, x, x0 in zip(signals, xs, x0s, strict=True) if name is not None]
    scores = {name: x for name, x, _ in known}
    references = {name: x0 for name, _, x0 in known if x0 is not None}
    return observed(
        time=time,
        dims=dims,
        crosses=crosses,
        scores=scores,
        references=references,
        legs=tuple(legs),
        flags=flags,
        session=session,
        prompt=prompt,
    )


def observed(
    *,
    time: float,
    dims: Mapping[str, str],
    crosses: Crosses,
    scores: Mapping[str, float],
    references: Mapping[str, float],
    legs: Sequence[float | None],
    flags: Sequence[str],
    session: str | None,
    prompt: str,
) -> Observation:
    """What the evidence reads of a pair, from its parts."""
    unhealthy = any(flag.startswith(UNHEALTHY) for flag in flags)
    kept = {name: scores[name] for name in sorted(scores) if not (unhealthy and _is_agreement(name))}
    return Observation(
        time=time,
        segments=segment_names(dims, crosses),
        scores=kept,
        references={name: references[name] for name in kept if name in references},
        latencies={} if _NO_LATENCY & set(flags) else _latencies(legs),
        conversation=None if session is None else f"{session}:{dims.get('turn', '')}",
        prompt=prompt,
    )


def _is_agreement(signal: str) -> bool:
    return SIGNALS[signal].kind in {"agreement", "confidence"}


def _latencies(legs: Sequence[float | None]) -> dict[str, Legs]:
    if len(legs) != 4:
        return {}
    return {"latency": (legs[0], legs[1]), "ttft": (legs[2], legs[3])}


def segments_of_row(segments: Mapping[str, str], crosses: Crosses) -> tuple[Segment, ...]:
    """Segment names from the store's map."""
    return segment_names({name: value for name, value in segments.items() if name != "all"}, crosses)


def shown_entry(entry: Entry, crosses: Crosses) -> ShownPair:
    """A pair that was just scored, for the display."""
    kept = entry.kept
    scores = kept.scored.scores
    return ShownPair(
        id=entry.id,
        segments=segment_names(kept.dims, crosses),
        # By name, as the store returns them: sums must come out bit for bit after a restart.
        scores=tuple(scores[name] for name in sorted(scores)),
        references=kept.scored.references,
        flags=kept.flags,
        replayed=kept.replay is not None,
    )


def shown_row(row: Sequence[Any], crosses: Crosses) -> ShownPair:
    """A row of the query `replay_log`, for the display."""
    _, _, _, segments, _, _, flags, _, pair_id, replayed, signals, xs, x0s, baselines, candidates = row
    known = [entry for entry in zip(signals, xs, x0s, baselines, candidates, strict=True) if entry[0]]
    return ShownPair(
        id=pair_id,
        segments=segments_of_row(segments, crosses),
        scores=tuple(Score(name, x, baseline=b, candidate=c) for name, x, _, b, c in known),
        references={name: x0 for name, _, x0, _, _ in known if x0 is not None},
        flags=tuple(flags),
        replayed=replayed,
    )
