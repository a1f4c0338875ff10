"""The lake shows what the export holds: every part in one transaction, its scores with its pairs.

What was loaded is kept in the same catalog, so what a killed loader left undone is done by the next. The lake
gets no `subject_key` and no `texts`: what names people or quotes them stays in the export.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from monitor.errors import StoreError
from monitor.lake.catalog import Lake
from monitor.lake.plan import Change, plan
from monitor.parquet.engine import scan, text
from monitor.parquet.layout import Erasure, Part, erasures, parts, standing
from monitor.parquet.places import Place

Track = Callable[[Sequence[Change]], Iterable[Change]]
"""Passes changes on one by one and shows how far they are."""
_ASKED: Final = "EXISTS (SELECT 1 FROM asked WHERE key = p.subject_key AND p.received_at <= until)"
_ROWS: Final = {
    "pairs": "SELECT * EXCLUDE (subject_key, texts) FROM {pairs} p WHERE NOT {asked} ORDER BY seq",
    "scores": "SELECT * FROM {scores} WHERE seq NOT IN (SELECT seq FROM {pairs} p WHERE {asked}) ORDER BY seq, signal",
}


@dataclass(slots=True)
class Outcome:
    """What a turn did. `postponed` parts were being replaced while they were read; the next turn loads them."""

    loaded: int = 0
    replaced: int = 0
    removed: int = 0
    postponed: int = 0
    erasures: int = 0
    pairs: int = 0
    scores: int = 0


class Loader:
    """Brings a lake up to an export."""

    def __init__(self, lake: Lake, place: Place, route: str | None) -> None:
        """`route`: only this one's parts; None: all."""
        self._lake, self._place, self._route = lake, place, route
        self._outcome = Outcome()

    def turn(self, track: Track) -> Outcome:
        """One transaction per part. Raises StoreError; what was committed stays and is not loaded again."""
        found = self._found()
        unheard = self._hear(erasures(self._place.names("erased")))
        stale = self._holding(found) if unheard else []
        for change in track(plan(found, self._loaded(), known=self._known(), stale=stale)):
            self._apply(change)
        if unheard:
            with self._lake.transaction(purge=True):
                for request in unheard:
                    self._lake.query("INSERT INTO loader.erased VALUES (?)", [request])
        self._outcome.erasures = len(unheard)
        return self._outcome

    def _found(self) -> dict[Part, str]:
        """Parts in the export; a part's version changes with each of its files."""
        pairs, scores = self._place.versions("pairs"), self._place.versions("scores")
        return {
            part: f"{pairs[part.name('pairs')]} {scores.get(part.name('scores'), '')}"
            for part in parts(pairs)
            if self._route in (None, part.route)
        }

    def _loaded(self) -> dict[Part, str]:
        rows = self._lake.query("SELECT route, day, store, first, last, version FROM loader.parts")
        return {Part(*row[:5]): row[5] for row in rows if self._route in (None, row[0])}

    def _known(self) -> set[tuple[str, str]]:
        found = (name.split("/") for name in self._place.names("stores"))
        return {
            (route.removeprefix("route="), file.removesuffix(".parquet"))
            for _, route, file in (name for name in found if len(name) == 3)
        }

    def _hear(self, requests: Sequence[Erasure]) -> list[str]:
        """All requests to forget are heeded from here on; those that the lake has not seen, hashed."""
        self._lake.query("CREATE OR REPLACE TEMP TABLE asked (key VARCHAR, until BIGINT)")
        for request in requests:
            self._lake.query("INSERT INTO asked VALUES (?, ?)", [request.key, request.at])
        seen = {row[0] for row in self._lake.query("SELECT request FROM loader.erased")}
        hashed = (hashlib.sha256(request.name.encode()).hexdigest() for request in requests)
        return [request for request in hashed if request not in seen]

    def _holding(self, found: Iterable[Part]) -> list[Part]:
        """Parts whose files still hold somebody who asked: their rows may be in the lake already."""
        counting, _ = standing(found)
        return [part for part in counting if self._holds(part)]

    def _holds(self, part: Part) -> bool:
        paths = self._place.fetch([part.name("pairs")])
        found = paths and self._lake.query(f"SELECT 1 FROM {scan(paths)} p WHERE {_ASKED} LIMIT 1")
        self._place.forget()
        return bool(found)

    def _apply(self, change: Change) -> None:
        part = change.part
        paths = self._place.fetch([part.name("pairs"), part.name("scores")]) if part else []
        try:
            if part is None or len(paths) == 2:
                self._commit(change, paths)
            else:
                self._outcome.postponed += 1
        except StoreError:
            if part is None or self._found().get(part) == change.version:
                raise
            self._outcome.postponed += 1
        finally:
            self._place.forget()

    def _commit(self, change: Change, paths: Sequence[Path]) -> None:
        counts = {"pairs": 0, "scores": 0}
        with self._lake.transaction(purge=change.in_place):
            for old in change.old:
                self._remove(old)
            if change.part:
                counts = self._add(change.part, change.version, paths)
        done = self._outcome
        done.pairs, done.scores = done.pairs + counts["pairs"], done.scores + counts["scores"]
        done.loaded += change.part is not None
        done.replaced += change.part is not None and bool(change.old)
        done.removed += change.part is None

    def _remove(self, part: Part) -> None:
        for table in ("pairs", "scores"):
            self._lake.query(
                f"DELETE FROM {table} WHERE route = ? AND day = ? AND store = ? AND seq BETWEEN ? AND ?", part
            )
        self._lake.query(
            "DELETE FROM loader.parts WHERE route = ? AND day = ? AND store = ? AND first = ? AND last = ?",
            part,
        )

    def _add(self, part: Part, version: str, paths: Sequence[Path]) -> dict[str, int]:
        files = {table: scan([path]) for table, path in zip(("pairs", "scores"), paths, strict=True)}
        counts = {}
        for table, template in _ROWS.items():
            rows = template.format(asked=_ASKED, **files)
            self._widen(table, rows)
            placed = f"SELECT {text(part.route)} AS route, DATE {text(part.day)} AS day, * FROM ({rows})"
            ((counts[table],),) = self._lake.query(f"INSERT INTO {table} BY NAME {placed}")
        self._lake.query(
            "INSERT INTO loader.parts VALUES (?, ?, ?, ?, ?, ?, ?, ?, now())",
            [*part, version, *counts.values()],
        )
        return counts

    def _widen(self, table: str, rows: str) -> None:
        """Columns that a newer monitor writes are added; the rows of older ones have NULL there."""
        present = {row[0] for row in self._lake.query(f"DESCRIBE {table}")}
        for name, kind, *_ in self._lake.query(f"DESCRIBE {rows}"):
            if name not in present:
                self._lake.query(f'ALTER TABLE {table} ADD COLUMN "{name}" {kind}')
