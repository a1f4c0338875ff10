"""Every listed pair through the code path of `tailgate score`, with the truth beside it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from monitor.cli.score import score_files
from monitor.config import Config
from monitor.offline import Judgement, Recorded, judge
from monitor.recorded import Entry, Result, Source, rule, verdict_of
from monitor.records import Score, Segment, SegmentVerdict, State
from monitor.scoring import Scored
from tests.benchmarks.runs import Listed, answers, pair_lines
from tests.benchmarks.truth import Truth, outcome, truth


@dataclass(frozen=True, slots=True)
class Run:
    """One listed pair, scored."""

    pair: Listed
    rows: Sequence[Entry]
    result: Result

    @property
    def ids(self) -> list[str]:
        return [row.observed.id for row in self.rows]

    def row(self, segment: str, signal: str) -> SegmentVerdict | None:
        """The verdict row of one (segment, signal)."""
        found = (r for r in self.result.verdict.segments if (r.segment, r.signal) == (segment, signal))
        return next(found, None)

    def unexplained(self, *levels: str) -> list[SegmentVerdict]:
        """Diverged rows that a person sees, page signals unless told otherwise."""
        return [
            row
            for row in self.result.verdict.segments
            if row.verdict == "diverged" and row.explained_by is None and row.level in (levels or ("page",))
        ]


@dataclass(frozen=True, slots=True)
class Slice:
    """One segment of one run; segments that hold the same pairs are one slice."""

    run: Run
    segment: Segment
    members: tuple[int, ...]
    verdict: State
    truth: Truth | None
    oracle: State | None

    @property
    def pairs(self) -> int:
        return len(self.members)


def run(pair: Listed, control: Listed | None = None, config: Config | None = None) -> Run:
    """Write the pairs file, score it as the command does."""
    config = config or Config()
    rows, source = _scored(pair, config)
    floor = _scored(control, config)[0] if control else []
    return Run(pair, rows, verdict_of(rows, floor, config, source))


def _scored(pair: Listed, config: Config) -> tuple[list[Entry], Source]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pairs.jsonl"
        path.write_bytes(b"".join(line + b"\n" for line in pair_lines(pair)))
        return score_files([path], config)


def slices(scored: Run) -> Iterator[Slice]:
    """Every distinct segment, `all` first, with verdict, truth and what the true labels would say."""
    oracle = _oracle(scored)
    seen: set[tuple[int, ...]] = set()
    for segment, members in _members(scored.rows).items():
        if members in seen:
            continue
        seen.add(members)
        yield Slice(
            scored,
            segment,
            members,
            verdict_of_segment(scored.result.verdict.segments, segment),
            truth(scored.pair, [scored.rows[i].observed.id for i in members]),
            oracle.get(segment),
        )


def _members(rows: Sequence[Entry]) -> dict[Segment, tuple[int, ...]]:
    found: dict[Segment, list[int]] = {}
    for index, row in enumerate(rows):
        for segment in row.observed.segments:
            found.setdefault(segment, []).append(index)
    return {segment: tuple(members) for segment, members in found.items()}


def verdict_of_segment(rows: Sequence[SegmentVerdict], segment: str) -> State:
    """Worst of its page signals (DESIGN 5)."""
    states = {row.verdict for row in rows if row.segment == segment and row.level == "page"}
    if "diverged" in states:
        return "diverged"
    return "inconclusive" if "inconclusive" in states or not states else "ok"


def _oracle(scored: Run) -> dict[Segment, State]:
    """The same rule over one directional signal that knows the true labels."""
    if outcome(next(iter(answers(scored.pair.set, scored.pair.baseline).values()))) is None:
        return {}
    judgement: Judgement = judge([_labelled(scored.pair, row) for row in scored.rows], [], rule(Config()))
    return {row.segment: row.verdict for row in judgement.rows}


def _labelled(pair: Listed, row: Entry) -> Recorded:
    key = row.observed.id
    before, after = (
        outcome(answers(pair.set, pair.baseline)[key]),
        outcome(answers(pair.set, pair.candidate)[key]),
    )
    lost = float(before is True and after is False)
    return Recorded(Scored(key, {"constraint": Score("constraint", lost)}, {}), row.observed.segments)
