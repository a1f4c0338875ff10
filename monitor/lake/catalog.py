"""An open lake: DuckDB with DuckLake, its catalog in PostgreSQL, its files in a directory or on S3.

Two things keep loaders from writing the same rows twice. An advisory lock in PostgreSQL lets one work at a
time, and is free again when its holder dies. Every transaction also counts up one row, so that a loader that
lost its lock without knowing (a cut connection) fails to commit: DuckLake refuses the second of two
transactions that change a row.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import duckdb

from monitor.errors import ConfigError, StoreError, Unreachable
from monitor.lake.extensions import connect, reason
from monitor.parquet.engine import text
from monitor.parquet.places import place_of

# Rows of bookkeeping stay in the catalog; of pairs and scores none do, or expired ones would lie there too.
_TABLES: Final = (
    "CREATE SCHEMA IF NOT EXISTS loader",
    """CREATE TABLE IF NOT EXISTS loader.parts (route VARCHAR, day VARCHAR, store VARCHAR, first BIGINT, last BIGINT,
    version VARCHAR, pairs BIGINT, scores BIGINT, loaded_at TIMESTAMP WITH TIME ZONE)""",
    "CREATE TABLE IF NOT EXISTS loader.erased (request VARCHAR)",
    *(
        statement
        for table in ("pairs", "scores")
        for statement in (
            f"CREATE TABLE IF NOT EXISTS {table} (route VARCHAR, day DATE, store VARCHAR, seq BIGINT)",
            f"ALTER TABLE {table} SET PARTITIONED BY (route, day)",
            f"CALL lake.set_option('data_inlining_row_limit', 0, table_name => '{table}')",
        )
    ),
    # Last: a lake that has it is complete.
    "CREATE TABLE loader.turn AS SELECT 0::BIGINT AS number, false AS purge_due",
)
_COMPLETE: Final = (
    "SELECT 1 FROM duckdb_tables()"
    " WHERE database_name = 'lake' AND schema_name = 'loader' AND table_name = 'turn'"
)


class Lake:
    """The attached lake. Not for use from two threads."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, schema: str) -> None:
        self._connection, self.schema = connection, schema

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of a statement. Raises StoreError."""
        try:
            return self._connection.execute(sql, list(parameters)).fetchall()
        except duckdb.Error as error:
            raise StoreError(f"the lake in schema {self.schema}: {reason(error)}") from error

    @contextmanager
    def transaction(self, *, purge: bool = False) -> Iterator[None]:
        """Wholly or not at all, and not if another loader committed since it began. Raises StoreError.

        `purge`: with it, `upkeep.purge` is due.
        """
        self.query("BEGIN")
        try:
            self.query("UPDATE loader.turn SET number = number + 1, purge_due = purge_due OR ?", [purge])
            yield
            self.query("COMMIT")
        except BaseException:
            with suppress(duckdb.Error):  # a commit that failed has rolled back
                self._connection.rollback()
            raise


@contextmanager
def opened(catalog: str, schema: str, data: str) -> Iterator[Lake | None]:
    """The lake, created where it is not there yet; None while another loader is at work.

    `catalog`: libpq words or URL without secrets; what they lack comes from PGHOST and its like. `schema`:
    of PostgreSQL, holds the catalog. `data`: a directory or s3:// URL that holds nothing else. Raises
    ConfigError, StoreError, Unreachable.
    """
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", schema):
        raise ConfigError(f"--schema: {schema!r} is no lower-case SQL name")
    if re.search(r"password\s*=|://[^/@]*:[^/@]*@", catalog, re.IGNORECASE):
        raise ConfigError("--catalog: a password there is seen by others; use PGPASSWORD or PGPASSFILE")
    extensions = ("ducklake", "postgres", *(["httpfs"] if "://" in data else []))
    with closing(connect(extensions)) as connection, _locked(connection, catalog, schema) as mine:
        yield _attached(connection, catalog, schema, data) if mine else None


@contextmanager
def _locked(connection: duckdb.DuckDBPyConnection, catalog: str, schema: str) -> Iterator[bool]:
    """Whether no other loader is at work; while this is open none will be.

    The lock is of a transaction, so that it also holds through a pooler; one that is cut off frees it.
    """
    key = f"hashtext({text(f'tailgate lake {schema}')})"
    asked = f"SELECT * FROM postgres_query('postgres', {text(f'SELECT pg_try_advisory_xact_lock({key})')})"
    cursor = connection.cursor()
    try:
        cursor.execute(f"ATTACH {text(catalog)} AS postgres (TYPE postgres)")
        cursor.begin()
        ((mine,),) = cursor.execute(asked).fetchall()
    except duckdb.Error as error:
        raise Unreachable(f"--catalog: PostgreSQL does not answer: {reason(error)}") from error
    try:
        yield bool(mine)
    finally:
        with suppress(
            duckdb.Error
        ):  # a lock that was cut off; left to its destructor it would end the process
            cursor.rollback()
        cursor.close()


def _attached(connection: duckdb.DuckDBPyConnection, catalog: str, schema: str, data: str) -> Lake:
    lake = Lake(connection, schema)
    options = f"DATA_PATH {text(_data_path(connection, data))}, METADATA_SCHEMA {text(schema)}"
    try:
        connection.execute(f"ATTACH {text(f'ducklake:postgres:{catalog}')} AS lake ({options})")
        connection.execute("USE lake")
    except duckdb.Error as error:
        if "DATA_PATH parameter" in str(error):
            raise ConfigError(f"--data: {reason(error).partition(' You can')[0]}") from error
        raise StoreError(f"the lake in schema {schema}: {reason(error)}") from error
    if not lake.query(_COMPLETE):
        _create(lake, data)
    return lake


def _create(lake: Lake, data: str) -> None:
    if place_of(data).names():
        raise ConfigError(
            f"--data: {data} is not empty; choose a place of its own: files that a lake does not know are deleted"
        )
    for statement in _TABLES:
        lake.query(statement)


def _data_path(connection: duckdb.DuckDBPyConnection, data: str) -> str:
    """What DuckLake writes to; for S3 with its credentials, which are those of AWS_* as for exports."""
    if "://" not in data:
        return f"{Path(data).absolute()}/"
    parts = urlsplit(data)
    if parts.scheme != "s3" or parts.password is not None:
        raise ConfigError(
            "--data: a directory or s3://bucket/prefix, without secrets (AWS_ACCESS_KEY_ID and its like)"
        )
    options = dict(parse_qsl(parts.query))
    settings = {
        "KEY_ID": os.environ.get("AWS_ACCESS_KEY_ID"),
        "SECRET": os.environ.get("AWS_SECRET_ACCESS_KEY"),
        "SESSION_TOKEN": os.environ.get("AWS_SESSION_TOKEN"),
        "REGION": options.get("region"),
        "ENDPOINT": options.get("endpoint_override"),
        "URL_STYLE": "path" if "endpoint_override" in options else None,
        "USE_SSL": "false" if options.get("scheme") == "http" else None,
    }
    given = "".join(f", {name} {text(value)}" for name, value in settings.items() if value)
    connection.execute(f"CREATE SECRET (TYPE s3{given})")
    return f"s3://{parts.netloc}{parts.path.rstrip('/')}/"
