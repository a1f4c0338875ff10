"""A report's questions to the store, which is only read. Pairs stay there: what comes out is few rows, or columns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor
from typing import Any, Final

from monitor.config import Config
from monitor.logged import segments_of_row
from monitor.parquet.reading import Archive
from monitor.records import Segment
from monitor.report.counting import Pairs
from monitor.report.dimensions import dimensions_of
from monitor.report.drift import Mix
from monitor.report.model import Window
from monitor.signals import SIGNALS
from monitor.store import QUERIES, Columns, Store

MEMORY: Final = "500MB"
"""Of DuckDB; arrays of ten million pairs take as much again."""
STRETCH: Final = 1_000_000
OUTCOMES: Final = 50_000
"""Answers per source of truth that calibration reads."""
AMONG: Final = 2_000
Step = Callable[[str], None]
Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """One combination of dimension values: its segments, and how many pairs and replays have it."""

    values: Mapping[str, str]
    segments: tuple[Segment, ...]
    pairs: int
    replays: int


def sizes_of(places: Mapping[int, Place]) -> dict[str, tuple[int, int]]:
    """(pairs, replays) of every segment."""
    found: dict[str, tuple[int, int]] = {}
    for place in places.values():
        for name in place.segments:
            pairs, replays = found.get(name, (0, 0))
            found[name] = (pairs + place.pairs, replays + place.replays)
    return found


class Asking:
    """The store over one window, and which combinations of dimension values its pairs have."""

    def __init__(self, store: Store | Archive, window: Window, step: Step) -> None:
        self.store, self.window, self.step = store, window, step
        # DuckDB takes 80 % of the machine otherwise; beyond this it spills to disk beside the database.
        store.query(f"SET memory_limit = '{MEMORY}'")
        store.query("SET preserve_insertion_order = false")
        saved = store.mapping("meta").get("config")
        self.config = Config.model_validate_json(saved) if saved else Config()
        self.places = self._places(window)
        self.before = self._places(window.before)
        self.sizes, self.sizes_before = (sizes_of(found) for found in (self.places, self.before))
        self.combos: dict[str, list[int]] = {}
        for combo, place in self.places.items():
            for name in place.segments:
                self.combos.setdefault(name, []).append(combo)
        self.dimensions = dimensions_of(place.segments for place in self.places.values())
        self.pairs = self._pairs()
        self.runs = list(self.pairs.runs(STRETCH))

    def _places(self, window: Window) -> dict[int, Place]:
        """Every combination of dimension values in a window, by its hash."""
        self.step("segments")
        return {
            combo: Place(values, segments_of_row(values, self.config.crosses), pairs, replays)
            for combo, values, pairs, replays in self.store.query("report_combos", window.parameters())
        }

    def _pairs(self) -> Pairs:
        self.step("pairs")
        return Pairs.joined([Pairs.of(part) for part in self.stretched("report_pairs")])

    def stretched(self, query: str) -> Iterator[Columns]:
        """Columns over the window, a stretch of it at a time, with the number of each pair's place."""
        given = {"combos": list(self.places), "numbers": list(range(len(self.places)))}
        for since, until in self.stretches():
            yield self.columns(query, since=since, until=until, **given)

    def ask(self, query: str, segments: Collection[str], **more: object) -> list[Row]:
        """Rows of a query over the window's places in `segments`."""
        self.step(query.removeprefix("report_"))
        places = [(combo, name) for name in segments for combo in self.combos.get(name, ())]
        lists = {"combos": [combo for combo, _ in places], "segments": [name for _, name in places]}
        return self.plain(query, **lists, **more) if places else []

    def plain(self, query: str, **more: object) -> list[Row]:
        """Rows of a query over the window; parameters that its text does not name are left out."""
        return self.store.query(query, self._given(query, more))

    def columns(self, query: str, **more: object) -> Columns:
        """The same by column."""
        return self.store.arrays(query, self._given(query, more))

    def _given(self, query: str, more: Mapping[str, object]) -> dict[str, object]:
        given = {**self.window.parameters(), **more}
        return {name: value for name, value in given.items() if f"${name}" in QUERIES[query]}

    def signals(self) -> list[str]:
        """Signals with scores, in the table's order; latency is counted elsewhere."""
        known = {name for (name,) in self.plain("report_signals")} if self.runs else set()
        return [name for name in SIGNALS if name in known]

    def stretches(self) -> list[tuple[float, float]]:
        """The window cut at whole hours, about `STRETCH` pairs each: repeats are counted within an hour, so nothing
        is lost, and what is in memory at a time does not grow with the window."""
        start, end = self.window.since, self.window.until
        count = ceil(self.sizes.get("all", (0, 0))[0] / STRETCH) or 1
        cuts = {3600.0 * floor((start + n * (end - start) / count) / 3600) for n in range(1, count)}
        edges = [start, *sorted(cut for cut in cuts if start < cut < end), end]
        return list(pairwise(edges))

    def mix(self, window: Window, places: Mapping[int, Place]) -> Mix:
        """Sampled requests of a window: dimension values and prompt tokens."""
        rows = self.store.query("report_mix", window.parameters())
        return [(places[combo].values, tokens) for combo, tokens in rows if combo in places]

    def newest(self, query: str, segments: Sequence[str]) -> list[Row]:
        """The newest `OUTCOMES` rows, looked for backwards: the first stretch most often has them."""
        rows: list[Row] = []
        for since, until in reversed(self.stretches()):
            rows += self.ask(query, segments, since=since, until=until)
            if len(rows) >= OUTCOMES:
                break
        return rows[:OUTCOMES]

    def worst(self, segment: str, signal: str, limit: int) -> list[Row]:
        """Looked for among few bad scores of the signal first, then among ten times as many."""
        if not self.runs:
            return []
        ends = {"first": self.runs[0][0], "last": self.runs[-1][1]}
        among = AMONG
        while True:
            rows = self.ask("report_worst", [segment], signal=signal, limit=limit, among=among, **ends)
            if len(rows) >= limit or among >= len(self.pairs.seqs):
                return rows
            among *= 10

    def scores(self, signal: str) -> Iterator[Columns]:
        """Sequence numbers and scores of one signal, a run of the log at a time."""
        for first, last in self.runs:
            yield self.columns("report_scores", signal=signal, first=first, last=last)
