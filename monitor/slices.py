"""What `discovery` searches: scores with one column per dimension, from the store or from files.

Everything ends in one table `slice_rows(signal, key, x, x0, <dimension>...)` of an in-memory or the
store's own database. Rows that cannot be used are counted with their reason, never dropped silently.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from monitor.errors import StoreError, UsageError

_READERS = {
    ".csv": "read_csv(?, header=true, all_varchar=true, store_rejects=true)",
    ".parquet": "read_parquet(?)",
    ".jsonl": "read_json(?, format='newline_delimited', ignore_errors=true)",
    ".ndjson": "read_json(?, format='newline_delimited', ignore_errors=true)",
    ".json": "read_json(?)",
}
_PAIRS = """read_json(?, format='newline_delimited', ignore_errors=true,
    columns={id: 'VARCHAR', segments: 'MAP(VARCHAR, VARCHAR)', scores: 'JSON'})"""
_NOT_DIMENSIONS = {"id", "key", "x", "excess", "x0", "signal", "time", "received_at", "session", "subject"}
_MOST_VALUES = 1000
"""A column with more values than this is not a dimension: its slices would be too small to judge."""


@dataclass(frozen=True, slots=True)
class Slices:
    """The loaded table: its signals, its dimensions, and what was left out by reason."""

    connection: duckdb.DuckDBPyConnection
    signals: tuple[str, ...]
    dimensions: tuple[str, ...]
    rows: int
    skipped: dict[str, int] = field(default_factory=dict)
    not_dimensions: tuple[str, ...] = ()

    def query(self, text: str, bound: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Runs one statement of `discovery`."""
        return self.connection.execute(text, list(bound)).fetchall()

    def relation(self, signal: str) -> str:
        """The rows of one signal, as a subquery."""
        return f"(SELECT * FROM slice_rows WHERE signal = {_text(signal)})"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'


def from_files(paths: Sequence[Path], signals: Sequence[str] = (), dimensions: Sequence[str] = ()) -> Slices:
    """Files of one shape: columns id, x (or excess), x0, signal and dimensions, or `--pairs-out`."""
    kinds = {path.suffix.lower() for path in paths}
    if len(kinds) != 1 or not kinds <= set(_READERS):
        raise UsageError(f"give files of one kind out of {', '.join(_READERS)}")
    connection = duckdb.connect()
    try:
        _load(connection, [str(p) for p in paths], _READERS[kinds.pop()])
    except duckdb.Error as error:
        raise UsageError(f"{paths[0]}: cannot be read: {str(error).splitlines()[0]}") from error
    return _finish(connection, signals, dimensions)


def from_store(path: Path, signals: Sequence[str] = (), dimensions: Sequence[str] = ()) -> Slices:
    """Every score of a store that no process has open; repeats are left out, equal prompts kept together."""
    if not path.exists():
        raise StoreError(f"{path}: no such database")
    try:
        connection = duckdb.connect(str(path), read_only=True)
        return from_scores(connection, signals, dimensions)
    except duckdb.Error as error:
        raise StoreError(f"{path}: {str(error).splitlines()[0]} (stop the monitor first?)") from error


def from_scores(
    connection: duckdb.DuckDBPyConnection, signals: Sequence[str] = (), dimensions: Sequence[str] = ()
) -> Slices:
    """Every score of tables or views `pairs` and `scores`, as a store or its export has them."""
    _load_maps(
        connection,
        """SELECT s.signal, p.prompt_key AS key, s.x, s.x0, p.segments
           FROM scores s JOIN pairs p USING (seq) WHERE NOT coalesce(list_contains(p.flags, 'repeat'), false)""",
    )
    return _finish(connection, signals, dimensions)


def _load(connection: duckdb.DuckDBPyConnection, paths: list[str], reader: str) -> None:
    columns = {row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {reader}", [paths]).fetchall()}
    if {"segments", "scores"} <= columns:
        scored = f"""SELECT id, segments, scores, unnest(json_keys(scores)) AS signal FROM {_PAIRS}"""
        value = "TRY_CAST(json_extract_string(scores, '$.\"' || signal || '\".value') AS DOUBLE)"
        text = f"SELECT signal, id AS key, {value} AS x, NULL::DOUBLE AS x0, segments FROM ({scored})"
        _load_maps(connection, text, [paths])
        return
    x, x0 = _scores(columns)
    key = next((f"{c}::VARCHAR" for c in ("key", "id") if c in columns), "row_number() OVER ()::VARCHAR")
    signal = "signal::VARCHAR" if "signal" in columns else "'score'"
    text = f"SELECT {signal} AS signal, {key} AS key, {x} AS x, {x0} AS x0"
    if "segments" in columns:
        maps = "json_transform(to_json(segments), '\"MAP(VARCHAR, VARCHAR)\"')"
        _load_maps(connection, f"{text}, {maps} AS segments FROM {reader}", [paths])
        return
    dimensions = "".join(f", {_name(c)}::VARCHAR AS {_name(c)}" for c in sorted(columns - _NOT_DIMENSIONS))
    connection.execute(f"CREATE TEMP TABLE slice_rows AS {text}{dimensions} FROM {reader}", [paths])


def _scores(columns: set[str]) -> tuple[str, str]:
    """Expressions for x and x0. An `excess` of -1 to 1 is a candidate's score less its replay's."""
    if "x" in columns:
        return _number("x"), _number("x0") if "x0" in columns else "NULL::DOUBLE"
    if "excess" not in columns:
        raise UsageError(f"a column x or excess is needed; found: {', '.join(sorted(columns))}")
    excess = _number("excess")
    return f"(abs({excess}) + {excess}) / 2", f"(abs({excess}) - {excess}) / 2"


def _number(column: str) -> str:
    """A number or a truth value as a number; NULL where it is neither."""
    return f"coalesce(TRY_CAST({column} AS DOUBLE), TRY_CAST({column}::VARCHAR AS BOOLEAN)::INT)"


def _load_maps(connection: duckdb.DuckDBPyConnection, text: str, bound: Sequence[Any] = ()) -> None:
    """Rows with a `segments` map: one column per key that occurs."""
    connection.execute(f"CREATE TEMP TABLE mapped AS {text}", list(bound))
    keys = connection.execute("SELECT DISTINCT unnest(map_keys(segments)) FROM mapped ORDER BY 1").fetchall()
    dimensions = "".join(f", segments[{_text(k)}] AS {_name(k)}" for (k,) in keys)
    connection.execute(f"CREATE TEMP TABLE slice_rows AS SELECT signal, key, x, x0{dimensions} FROM mapped")


def _finish(
    connection: duckdb.DuckDBPyConnection, signals: Sequence[str], dimensions: Sequence[str]
) -> Slices:
    skipped = _skip(connection)
    known = [
        str(r[0]) for r in connection.execute("SELECT DISTINCT signal FROM slice_rows ORDER BY 1").fetchall()
    ]
    _check("signal", signals, known)
    columns = [r[0] for r in connection.execute("DESCRIBE slice_rows").fetchall()][4:]
    _check("dimension", dimensions, columns)
    values = {c: _values(connection, c) for c in columns}
    many = [c for c, n in values.items() if n > _MOST_VALUES]
    # one value everywhere (`all=all`): the same slices under a longer name
    usable = tuple(c for c in dimensions or columns if 1 < values[c] <= _MOST_VALUES)
    rows = connection.execute("SELECT count(*) FROM slice_rows").fetchall()[0][0]
    return Slices(connection, tuple(signals or known), usable, int(rows), skipped, tuple(many))


def _check(what: str, wanted: Sequence[str], known: Sequence[str]) -> None:
    for name in wanted:
        if name not in known:
            raise UsageError(f"no {what} {name!r} in the input; there are: {', '.join(known) or 'none'}")


def _values(connection: duckdb.DuckDBPyConnection, column: str) -> int:
    text = f"SELECT count(DISTINCT coalesce({_name(column)}, 'unknown')) FROM slice_rows"
    return int(connection.execute(text).fetchall()[0][0])


def _skip(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Removes rows without key or score, or with a score outside [0, 1]; says how many of each."""
    reasons = {
        "no_id": "key IS NULL",
        "no_score": "x IS NULL",
        "out_of_range": "NOT (x BETWEEN 0 AND 1) OR NOT coalesce(x0 BETWEEN 0 AND 1, true)",
    }
    skipped = {}
    for reason, condition in reasons.items():
        (count,) = connection.execute(f"DELETE FROM slice_rows WHERE {condition}").fetchall()[0]
        skipped[reason] = int(count)
    if connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'reject_errors'").fetchall():
        rejected = connection.execute("SELECT count(DISTINCT line) FROM reject_errors").fetchall()
        skipped["bad_line"] = int(rejected[0][0])
    return {reason: count for reason, count in skipped.items() if count}
