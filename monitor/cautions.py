"""What a reader must know before trusting a verdict over recorded pairs, one sentence each. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from monitor.records import ALL, Segment

_FEWEST = 20  # pairs before a segment's rate is worth a sentence
_LEAST_RATIOS = 10
_UNHEALTHY = 0.05
_DIFFERENT_LENGTH = 0.5  # share of answers less than half or more than twice as long
_NOT_COMPARABLE = 3.0
"""Median length ratio beyond which settings differ rather than quality: switching thinking on gives
3.6 on published outputs, cutting answers to one word 0.01."""
_MOST_KEYS = 5
_WORDS = {"wrong_script": "in the wrong script"}


@dataclass(frozen=True, slots=True)
class Observed:
    """One pair as far as warnings care. `length_ratio`: candidate over baseline, in characters."""

    id: str
    segments: tuple[Segment, ...]
    length_ratio: float | None
    baseline_fault: str | None


def cautions(rows: Sequence[Observed], *, has_floor: bool) -> Iterator[str]:
    """Warnings, the earliest sign first: length moves before anything else does (LLMDrift)."""
    yield from _lengths(rows)
    yield from _baseline_faults(rows)
    if rows and not has_floor:
        yield (
            "no control arm and no replays: agreement and flip-prone signals are tested against the allowed "
            "drop alone, not against the baseline's own noise; --control adds a noise floor"
        )
    repeated = len(rows) - len({row.id for row in rows})
    if repeated:
        yield f"{repeated} pairs carry an id that an earlier pair has; each is counted"


def _by_segment(rows: Sequence[Observed]) -> Mapping[Segment, list[Observed]]:
    found: defaultdict[Segment, list[Observed]] = defaultdict(list)
    found[ALL] = []
    for row in rows:
        for segment in row.segments:
            found[segment].append(row)
    return found


def _lengths(rows: Sequence[Observed]) -> Iterator[str]:
    """For all pairs together, else for the segments in which it happens."""
    groups = _by_segment(rows)
    whole = _length(ALL, groups[ALL])
    if whole:
        yield whole
        return
    seen: set[tuple[str, ...]] = set()
    for segment, members in groups.items():
        ids = tuple(member.id for member in members)
        sentence = _length(segment, members) if len(members) >= _FEWEST else None
        if sentence and ids not in seen:
            seen.add(ids)
            yield sentence


def _length(segment: Segment, members: Sequence[Observed]) -> str | None:
    ratios = [m.length_ratio for m in members if m.length_ratio is not None]
    if len(ratios) < _LEAST_RATIOS:
        return None
    middle = median(ratios)
    changed = sum(not 0.5 <= ratio <= 2 for ratio in ratios) / len(ratios)
    where = "" if segment == ALL else f" in {segment}"
    if middle >= _NOT_COMPARABLE or middle <= 1 / _NOT_COMPARABLE:
        return (
            f"length: the candidate's answers are {middle:.2g} times as long{where} (median): the runs may not "
            "be comparable; check that both used the same settings"
        )
    if changed >= _DIFFERENT_LENGTH:
        return f"length: {changed:.0%} of answers less than half or more than twice as long{where}"
    return None


def _baseline_faults(rows: Sequence[Observed]) -> Iterator[str]:
    """Where it is worst first; a segment is left out once most of its faults have been named."""
    found = [
        (len(ids) / len(members), segment, fault, ids)
        for segment, members in _by_segment(rows).items()
        if len(members) >= _FEWEST
        for fault, ids in _fault_ids(members).items()
    ]
    named: defaultdict[str, set[str]] = defaultdict(set)
    # a fault of the text shows in its language, whatever else the segment is called
    for share, segment, fault, ids in sorted(found, key=lambda f: (-f[0], not f[1].startswith("language="))):
        if share >= _UNHEALTHY and 2 * len(ids - named[fault]) > len(ids):
            named[fault] |= ids
            where = "" if segment == ALL else f" in {segment}"
            yield f"baseline itself is {_WORDS.get(fault, fault)}{where} ({100 * share:.0f} %)"


def _fault_ids(members: Sequence[Observed]) -> Mapping[str, set[str]]:
    ids: defaultdict[str, set[str]] = defaultdict(set)
    for member in members:
        if member.baseline_fault:
            ids[member.baseline_fault].add(member.id)
    return ids


def unreadable(name: str, bad: Mapping[str, int], examples: Iterable[str]) -> Iterator[str]:
    """Lines that could not be used: how many by reason, then the first ones with number and reason."""
    if total := sum(bad.values()):
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(bad.items()))
        yield f"{name}: {total} unusable line{'s' if total > 1 else ''} ({reasons})"
        yield from (f"{name}: {example}" for example in examples)


def unknown_keys(name: str, keys: Mapping[str, int]) -> Iterator[str]:
    """Keys that the format does not know and that were therefore left out."""
    if keys:
        shown = ", ".join(f"{key} ({count})" for key, count in Counter(keys).most_common(_MOST_KEYS))
        more = f" and {len(keys) - _MOST_KEYS} more" if len(keys) > _MOST_KEYS else ""
        yield f"{name}: unknown keys left out: {shown}{more}"
