"""The DuckDB file and its one writer thread.

Everything that one evidence block decides (pairs, scores, funnel, spool offsets, events and, now and
then, a snapshot of the evidence) is committed in one transaction: after any crash a pair is either
wholly there and its offset passed, or it is read again. The scores are the log: evidence after a
restart is the last snapshot plus the blocks behind it, bit for bit.

Only this process can open the file, even read-only (DuckDB's lock); others read through HTTP or the
Parquet export. Rows go in through the Appender: `executemany` is 100 times slower.
"""

from __future__ import annotations

import re
import shutil
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import duckdb
from numpy.typing import NDArray

from monitor.errors import StoreError

Row = tuple[Any, ...]
_Value = tuple[tuple[str, ...], int | str]  # a row's key and what is to stand beside it
Columns = Mapping[str, NDArray[Any]]
Read = TypeVar("Read")
Fetch = Callable[[duckdb.DuckDBPyConnection], Read]

# Files that older DuckDB command lines can still open, so operators can look and roll back.
STORAGE_VERSION = "v1.5.0"
# Rows stay in memory until they are checkpointed; the default is four times as much.
_CHECKPOINT_AT = "4MB"
_NEXT_TO_NOTHING = "1MB"
_OWED = "compaction_due"
_NAMED = re.compile(r"^-- name: (\w+)\n(.*?);\s*$", re.DOTALL | re.MULTILINE)


def _sql(name: str) -> str:
    return (files("monitor") / "sql" / name).read_text("utf-8")


QUERIES: Mapping[str, str] = dict(_NAMED.findall(_sql("queries.sql") + "\n" + _sql("report.sql")))
MIGRATIONS = tuple(sorted(p.name for p in (files("monitor") / "sql").iterdir() if p.name[:3].isdigit()))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """State of the evidence after `block`; `body` is the engine's own bytes."""

    block: int
    taken_at: float
    config_hash: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction writes. `funnel`, `counters` and `offsets` are absolute values."""

    pairs: Sequence[Row] = ()
    scores: Sequence[Row] = ()
    events: Sequence[Row] = ()
    trail: Sequence[Row] = ()
    labels: Sequence[Row] = ()
    labelled: Sequence[Row] = ()
    funnel: Mapping[str, int] = field(default_factory=dict)
    counters: Mapping[tuple[str, str], int] = field(default_factory=dict)
    offsets: Mapping[str, str] = field(default_factory=dict)
    candidate: Row | None = None
    snapshot: Snapshot | None = None


def _connect(path: str) -> duckdb.DuckDBPyConnection:
    try:
        return duckdb.connect(
            path,
            config={"storage_compatibility_version": STORAGE_VERSION, "checkpoint_threshold": _CHECKPOINT_AT},
        )
    except duckdb.IOException as error:
        if "lock" in str(error).lower():
            raise StoreError(
                f"{path}: another process has the database open; stop it, or ask it over HTTP (--url)"
            ) from error
        if "not a valid" in str(error):
            raise StoreError(f"{path}: not a DuckDB file; move it aside to start afresh") from error
        raise StoreError(f"{path}: cannot be opened: {_first_line(error)}") from error
    except duckdb.Error as error:
        raise StoreError(
            f"{path}: not a usable DuckDB file ({_first_line(error)}); move it aside to start afresh"
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _delete(database: Path) -> None:
    for path in (database, Path(f"{database}.wal")):
        path.unlink(missing_ok=True)


class _Gate:
    """Many read, or one replaces the file under them; who wants to replace it goes first."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._readers = 0
        self._closed = False

    @contextmanager
    def reading(self) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._closed)
            self._readers += 1
        try:
            yield
        finally:
            with self._changed:
                self._readers -= 1
                self._changed.notify_all()

    @contextmanager
    def idle(self) -> Iterator[bool]:
        """Whether nobody reads; if so, who comes meanwhile waits."""
        with self._changed:
            yield self._readers == 0

    @contextmanager
    def alone(self) -> Iterator[None]:
        """From when nobody reads; who comes meanwhile waits. A reader must not ask for this."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: self._readers == 0)
        try:
            yield
        finally:
            with self._changed:
                self._closed = False
                self._changed.notify_all()


class Store:
    """One open database. Writes are serialised on one thread; reads use a cursor of their own."""

    def __init__(self, path: Path | str = ":memory:") -> None:
        if str(path) != ":memory:" and not Path(path).absolute().parent.is_dir():
            raise StoreError(f"store.path: the directory of {path} does not exist")
        self.path = str(path)
        self._connection = _connect(self.path)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._local = threading.local()
        self._generation = 0
        # by this process, in committed transactions; by table
        self._written: dict[str, dict[tuple[str, ...], int | str]] = {}
        self._gate = _Gate()
        try:
            self._migrate()
        except duckdb.Error as error:
            raise StoreError(f"{path}: {_first_line(error)}; move it aside to start afresh") from error
        self.id = self._value("SELECT value FROM meta WHERE key = 'store_id'")

    def _migrate(self) -> None:
        tables = {row[0] for row in self._connection.execute("SHOW TABLES").fetchall()}
        version = 0
        if "meta" in tables:
            version = int(self._value("SELECT value FROM meta WHERE key = 'schema_version'"))
        elif tables:
            raise StoreError(f"{self.path}: holds tables of another program; choose another store.path")
        if version > len(MIGRATIONS):
            raise StoreError(f"{self.path}: schema {version} is newer than this Tailgate; upgrade it")
        for number, name in enumerate(MIGRATIONS[version:], version + 1):
            self._connection.begin()
            self._connection.execute(_sql(name))
            self._connection.execute(
                "INSERT OR REPLACE INTO meta VALUES ('schema_version', ?)", [str(number)]
            )
            self._connection.execute("INSERT OR IGNORE INTO meta VALUES ('store_id', ?)", [uuid.uuid4().hex])
            self._connection.commit()

    def _value(self, sql: str) -> Any:
        row = self._connection.execute(sql).fetchone()
        return row[0] if row else None

    def commit(self, batch: Batch) -> None:
        """Write one batch, wholly or not at all. Raises StoreError (full disk, broken file)."""
        self._writer.submit(self._commit, batch).result()

    def _commit(self, batch: Batch) -> None:
        connection = self._connection
        try:
            connection.begin()
            for table in ("pairs", "scores", "events", "trail", "labels", "labelled"):
                self._append(table, getattr(batch, table))
            self._upserts(batch)
            connection.commit()
        except duckdb.Error as error:
            self._rollback()
            raise StoreError(f"{self.path}: cannot be written: {_first_line(error)}") from error

    def _rollback(self) -> None:
        self._written.clear()
        try:
            self._connection.rollback()
        except duckdb.Error:
            # The transaction is already gone (duckdb aborts it on I/O errors); nothing to undo.
            return

    def _append(self, table: str, rows: Sequence[Row]) -> None:
        if not rows:
            return
        appender = self._connection.appender(table)
        for row in rows:
            appender.append_row(*row)
        appender.flush()

    def _upserts(self, batch: Batch) -> None:
        self._upsert("funnel", ("name",), "value", (((name,), n) for name, n in batch.funnel.items()))
        self._upsert("capture_counters", ("stream", "name"), "value", batch.counters.items())
        self._upsert(
            "offsets", ("stream",), "position", (((name,), at) for name, at in batch.offsets.items())
        )
        if batch.candidate:
            self._connection.execute("INSERT INTO candidates VALUES (?, ?, ?, ?)", list(batch.candidate))
        if batch.snapshot:
            self._keep(batch.snapshot)

    def _upsert(self, table: str, keys: tuple[str, ...], column: str, values: Iterable[_Value]) -> None:
        """Write what this process has not written: most values stand still from one second to the next.

        INSERT OR REPLACE costs three times as much as UPDATE and leaves half a kilobyte in memory each time
        (DuckDB 2.0, cf. duckdb/duckdb#25162), so a row is made by it once.
        """
        written = self._written.setdefault(table, {})
        where = " AND ".join(f"{key} = ?" for key in keys)
        marks = ", ".join("?" for _ in keys)
        for key, value in values:
            if key not in written:
                self._connection.execute(f"INSERT OR REPLACE INTO {table} VALUES ({marks}, ?)", [*key, value])
            elif written[key] != value:
                self._connection.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", [value, *key])
            written[key] = value

    def _keep(self, snapshot: Snapshot) -> None:
        """In place of the one before."""
        values = [snapshot.block, snapshot.taken_at, snapshot.config_hash, snapshot.body]
        execute = self._connection.execute
        updated = execute("UPDATE snapshots SET block = ?, taken_at = ?, config_hash = ?, body = ?", values)
        if updated.fetchall() == [(0,)]:
            execute("INSERT INTO snapshots VALUES (?, ?, ?, ?)", values)

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        """One cursor per thread and file: an open result owns its connection."""
        made: tuple[int, duckdb.DuckDBPyConnection] | None = getattr(self._local, "cursor", None)
        if made is None or made[0] != self._generation:
            made = self._local.cursor = (self._generation, self._connection.cursor())
        return made[1]

    def query(self, name_or_sql: str, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        """Rows of a named query of `sql/queries.sql`, or of SQL text."""
        return self._read(name_or_sql, parameters, duckdb.DuckDBPyConnection.fetchall)

    def arrays(self, name_or_sql: str, parameters: Mapping[str, Any] | None = None) -> Columns:
        """The same by column, for millions of rows of numbers: masked arrays where there is a NULL."""
        return self._read(name_or_sql, parameters, duckdb.DuckDBPyConnection.fetchnumpy)

    def _read(self, name_or_sql: str, parameters: Mapping[str, Any] | None, fetch: Fetch[Read]) -> Read:
        sql = QUERIES.get(name_or_sql, name_or_sql)
        try:
            with self._gate.reading():
                return fetch(self._cursor().execute(sql, dict(parameters or {})))
        except duckdb.Error as error:
            raise StoreError(f"{self.path}: {_first_line(error)}") from error

    def compact(self) -> None:
        """Copy what is there into a fresh file in place of this one: what was deleted is in neither.

        Readers go on meanwhile; writers wait. A death in between leaves one of the two files whole, and
        `compaction_due` still true; so does a failure.
        """
        if self.path == ":memory:":
            return
        try:
            self._writer.submit(self._compact).result()
        except (duckdb.Error, OSError) as error:
            raise StoreError(f"{self.path}: cannot be compacted: {_first_line(error)}") from error

    @property
    def compaction_due(self) -> bool:
        """Whether bytes of deleted rows still lie in the file: `owe_compaction` without a `compact` since."""
        return bool(self.query("SELECT 1 FROM meta WHERE key = $key", {"key": _OWED}))

    def owe_compaction(self) -> None:
        """Remember, before rows are deleted, that their bytes have to go; a restart does not forget it."""
        self.remember(_OWED, "yes")

    def _compact(self) -> None:
        fresh = Path(self.path + ".fresh")
        _delete(fresh)
        try:
            self._copy_to(fresh)
        except duckdb.Error:
            _delete(fresh)  # half a copy of everything, in the way of the next attempt
            raise
        with self._gate.alone():
            self._connection.close()
            fresh.replace(self.path)
            Path(self.path + ".wal").unlink(missing_ok=True)
            # What a killed process had spilled: rows in the clear, which DuckDB never looks at again.
            shutil.rmtree(self.path + ".tmp", ignore_errors=True)
            self._connection = _connect(self.path)
            self._generation += 1

    def _copy_to(self, fresh: Path) -> None:
        execute = self._connection.execute
        name = str(self._value("SELECT current_database()")).replace('"', '""')
        execute(f"ATTACH '{str(fresh).replace(chr(39), 2 * chr(39))}' AS fresh")
        try:
            execute(f'COPY FROM DATABASE "{name}" TO fresh')
            execute(f"DELETE FROM fresh.meta WHERE key = '{_OWED}'")
        finally:
            execute("DETACH fresh")

    def trim(self) -> None:
        """Give back the memory in which DuckDB keeps whatever was ever read, up to four fifths of the machine's.

        A busy store is left alone: who reads needs it, and the next call comes soon.
        """
        self._writer.submit(self._trim).result()

    def _trim(self) -> None:
        with self._gate.idle() as idle:
            if idle:
                execute = self._connection.execute
                # It evicts what it can before it says that this is not enough; where something is spilled
                # already it refuses the first statement, and nothing is changed.
                with suppress(duckdb.OutOfMemoryException):
                    # Rows that are in no checkpoint yet would go to a file beside the database, in the clear.
                    execute("SET max_temp_directory_size = '0KB'")
                    execute(f"SET memory_limit = '{_NEXT_TO_NOTHING}'")
                execute("RESET memory_limit")
                execute("RESET max_temp_directory_size")

    def write(self, name_or_sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        """One statement on the writer thread (labels, purge, audit)."""

        def run() -> None:
            self._connection.execute(QUERIES.get(name_or_sql, name_or_sql), dict(parameters or {}))

        try:
            self._writer.submit(run).result()
        except duckdb.Error as error:
            raise StoreError(f"{self.path}: {_first_line(error)}") from error

    def remember(self, key: str, value: str) -> None:
        """Keep one line in `meta` (the configuration in force, the last export)."""
        self.write("INSERT OR REPLACE INTO meta VALUES ($key, $value)", {"key": key, "value": value})

    def snapshot(self) -> Snapshot | None:
        """The last snapshot of the evidence, if there is one."""
        rows = self.query(
            "SELECT block, taken_at, config_hash, body FROM snapshots ORDER BY block DESC LIMIT 1"
        )
        return Snapshot(rows[0][0], rows[0][1], rows[0][2], bytes(rows[0][3])) if rows else None

    def mapping(self, table: str) -> dict[str, Any]:
        """A two-column bookkeeping table (`offsets`, `funnel`, `meta`) as a dict."""
        return dict(self.query(f"SELECT * FROM {table}"))

    def size_bytes(self) -> int:
        """Database plus write-ahead log on disk."""
        if self.path == ":memory:":
            return 0
        names = (self.path, self.path + ".wal")
        return sum(Path(name).stat().st_size for name in names if Path(name).exists())

    def close(self) -> None:
        """Finish queued writes, checkpoint and release the lock."""
        self._writer.shutdown()
        self._connection.close()
