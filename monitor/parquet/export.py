"""From a store to Parquet: every closed hour or day once, and whole tables beside it.

The sequence number up to which rows are exported is kept in the store. A crash between file and number
writes the same range again, or a wider one that supersedes it (`layout`): nothing is lost or counted twice.
"""

from __future__ import annotations

from typing import Final

from monitor.parquet.engine import copy, text
from monitor.parquet.layout import DAY, WHOLE, Part, closed_until, day_of, erasures, start_of, whole_name
from monitor.parquet.places import Place
from monitor.parquet.upkeep import erase_from
from monitor.store import Store

EVERYTHING: Final = float("inf")
_EXPORTED: Final = "exported:"
_ROWS: Final = {
    "pairs": "SELECT {store} AS store, * FROM pairs WHERE seq BETWEEN {first} AND {last}"
    " AND received_at >= {start} AND received_at < {start} + 86400 ORDER BY seq",
    "scores": "SELECT {store} AS store, s.* FROM scores s WHERE s.seq BETWEEN {first} AND {last} AND s.seq IN"
    " (SELECT seq FROM pairs WHERE seq BETWEEN {first} AND {last}"
    " AND received_at >= {start} AND received_at < {start} + 86400) ORDER BY s.seq, s.signal",
}
_DAYS: Final = (
    "SELECT floor(received_at / 86400)::BIGINT, min(seq), max(seq) FROM pairs"
    " WHERE seq > $mark AND seq <= $last GROUP BY ALL ORDER BY 1"
)


def exported_to(store: Store) -> list[str]:
    """Every place that the store was ever exported to."""
    return sorted(key.removeprefix(_EXPORTED) for key in store.mapping("meta") if key.startswith(_EXPORTED))


class Exporter:
    """Exports one store to one place. Not for use from two threads at once."""

    def __init__(self, store: Store, place: Place, route: str, *, unit: int, patience: float) -> None:
        """`unit`: 3600 exports hours, 86400 days. `patience`: seconds after which an idle one is closed."""
        self._store, self._place, self._route = store, place, route
        self._unit, self._patience = unit, patience
        self._key = _EXPORTED + place.location

    @property
    def mark(self) -> int:
        """Rows up to this sequence number are exported."""
        return int(self._store.mapping("meta").get(self._key, 0))

    def turn(self, now: float) -> int:
        """Export what was closed since the last turn; how many pairs. Raises StoreError."""
        mark = self.mark
        last = self._last_closed(mark, now)
        if last <= mark:
            return 0
        exported = 0
        for number, first, final in self._store.query(_DAYS, {"mark": mark, "last": last}):
            exported += self._write(Part(self._route, day_of(number * DAY), self._store.id, first, final))
        for table in WHOLE:
            self._write_whole(table, now)
        self._store.remember(self._key, str(last))
        return exported

    def _last_closed(self, mark: int, now: float) -> int:
        ((newest, last),) = self._store.query("SELECT max(received_at), max(seq) FROM pairs")
        if last is None or now == EVERYTHING:
            return last or 0
        until = closed_until(newest, now, self._unit, self._patience)
        ((still_open,),) = self._store.query(
            "SELECT min(seq) FROM pairs WHERE seq > $mark AND received_at >= $until",
            {"mark": mark, "until": until},
        )
        return int(last if still_open is None else still_open - 1)

    def _write(self, part: Part) -> int:
        """Scores first: whoever finds the pairs finds their scores."""
        counts = {}
        for table in ("scores", "pairs"):
            rows = _ROWS[table].format(
                store=text(part.store), first=part.first, last=part.last, start=start_of(part.day)
            )
            draft = self._place.draft()
            ((counts[table],),) = self._store.query(copy(rows, draft))
            self._place.put(draft, part.name(table))
        # Somebody may have asked to forget a subject while the file was being written.
        for erasure in erasures(self._place.names("erased")):
            erase_from(self._place, [part], erasure)
        return int(counts["pairs"])

    def _write_whole(self, table: str, now: float) -> None:
        store = text(self._store.id)
        rows = f"SELECT {store} AS store, * FROM {table}"
        if table == "stores":
            rows = (
                f"SELECT {store} AS store, {text(self._route)} AS route, {now if now < EVERYTHING else 0.0}"
                " AS exported_at, (SELECT value FROM meta WHERE key = 'config') AS config,"
                " (SELECT value FROM meta WHERE key = 'schema_version') AS schema_version"
            )
        draft = self._place.draft()
        self._store.query(copy(rows, draft))
        self._place.put(draft, whole_name(table, self._route, self._store.id))
