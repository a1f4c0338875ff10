"""The store's named queries, answered from exported files of any number of stores.

Sequence numbers of several stores are moved apart, so that queries written for one store hold for all.
Nobody's lock is needed; a file that is replaced or deleted while it is read is looked up again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from itertools import groupby
from typing import Any, Final

import duckdb

from monitor.errors import StoreError
from monitor.parquet.engine import connect, scan, translated
from monitor.parquet.layout import RANGED, WHOLE, Part, day_of, parts, standing, whole_name
from monitor.parquet.places import Place
from monitor.store import MIGRATIONS, QUERIES, Columns, Fetch, Read, Row

APART: Final = 1 << 48
"""Room for the sequence numbers of one store."""
ATTEMPTS: Final = 3
_STORES: Final = "CREATE TABLE stores (store VARCHAR, route VARCHAR, exported_at DOUBLE, config VARCHAR, schema_version VARCHAR)"
_rows = duckdb.DuckDBPyConnection.fetchall


def _store(part: Part) -> str:
    return part.store


class Archive:
    """Read-only, same `query` and `mapping` as a `Store`; `since` (UNIX seconds) spares older days."""

    def __init__(self, place: Place, route: str | None = None, since: float = 0.0) -> None:
        self._place, self._since = place, since
        self.path = place.location
        self.route = route or self._only_route()
        self._connection = connect()
        for name in MIGRATIONS:
            self._connection.execute((files("monitor") / "sql" / name).read_text("utf-8"))
        self._connection.execute(_STORES)
        for table in (*RANGED, *WHOLE):
            # The shapes of this version's tables stay below, so that a column that older files lack is NULL.
            self._connection.execute(f"ALTER TABLE {table} RENAME TO shape_of_{table}")
        self.refresh()

    @property
    def id(self) -> str:
        """What a report shows as its source."""
        return f"{self.path} ({len(self.stores)} stores)"

    def _only_route(self) -> str:
        routes = sorted({name.split("/")[1].removeprefix("route=") for name in self._place.names("stores")})
        if len(routes) != 1:
            found = ", ".join(routes) or "none"
            raise StoreError(
                f"{self.path}: exports of one route are needed, found: {found}; choose with --route"
            )
        return routes[0]

    def refresh(self) -> None:
        """Look again which files there are."""
        found = [part for part in parts(self._place.names(f"pairs/route={self.route}")) if self._wanted(part)]
        counting, _ = standing(found)
        self.stores = self._known_stores()
        by_store = [list(group) for _, group in groupby(sorted(counting, key=_store), key=_store)]
        for table in RANGED:
            self._view(table, [self._select(table, own, number) for number, own in enumerate(by_store)])
        for table in WHOLE:
            names = [whole_name(table, self.route, store) for store in self.stores]
            paths = self._place.fetch(names)
            self._view(table, [f"SELECT * FROM {scan(paths)}"] if paths else [])

    def _wanted(self, part: Part) -> bool:
        return part.day >= day_of(self._since)

    def _known_stores(self) -> list[str]:
        names = self._place.names(f"stores/route={self.route}")
        return sorted(name.rpartition("/")[2].removesuffix(".parquet") for name in names)

    def _select(self, table: str, found: Sequence[Part], number: int) -> str:
        paths = self._place.fetch([part.name(table) for part in found])
        moved = f" REPLACE (seq + {number * APART} AS seq)" if number else ""
        return f"SELECT *{moved} FROM {scan(paths)}" if paths else f"SELECT * FROM shape_of_{table}"

    def _view(self, table: str, selects: Sequence[str]) -> None:
        union = " UNION ALL BY NAME ".join((f"SELECT * FROM shape_of_{table}", *selects))
        self._run(f"CREATE OR REPLACE VIEW {table} AS {union}", None, _rows)

    def query(self, name_or_sql: str, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        """Rows of a named query of `sql/*.sql`, or of SQL text over the views of the same names."""
        return self._read(name_or_sql, parameters, _rows)

    def arrays(self, name_or_sql: str, parameters: Mapping[str, Any] | None = None) -> Columns:
        """The same by column, for millions of rows of numbers: masked arrays where there is a NULL."""
        return self._read(name_or_sql, parameters, duckdb.DuckDBPyConnection.fetchnumpy)

    def _read(self, name_or_sql: str, parameters: Mapping[str, Any] | None, fetch: Fetch[Read]) -> Read:
        sql = QUERIES.get(name_or_sql, name_or_sql)
        for _ in range(ATTEMPTS - 1):
            try:
                return fetch(self._connection.execute(sql, dict(parameters or {})))
            except (duckdb.IOException, duckdb.InvalidInputException):
                # Replaced by its owner or aged out since we listed it.
                self.refresh()
            except duckdb.Error as error:
                raise translated(self.path, error) from error
        return self._run(sql, parameters, fetch)

    def _run(self, sql: str, parameters: Mapping[str, Any] | None, fetch: Fetch[Read]) -> Read:
        try:
            return fetch(self._connection.execute(sql, dict(parameters or {})))
        except duckdb.Error as error:
            raise translated(self.path, error) from error

    def mapping(self, table: str) -> dict[str, Any]:
        """Only `meta` is exported, and of it the configuration that was in force last."""
        if table != "meta":
            return {}
        rows = self.query("SELECT config FROM stores ORDER BY exported_at DESC LIMIT 1")
        return {"config": rows[0][0]} if rows and rows[0][0] else {}

    def columns(self, sql: str) -> list[str]:
        """Names of a query's columns."""
        return [str(row[0]) for row in self._run(f"DESCRIBE {sql}", None, _rows)]

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The connection that has the views, for whoever needs more than `query`."""
        return self._connection

    def close(self) -> None:
        """Forget local copies."""
        self._connection.close()
        self._place.forget()
