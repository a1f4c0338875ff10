"""DuckDB with extensions that came as wheels: nothing is downloaded at run time."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import duckdb

from monitor.errors import ConfigError
from monitor.parquet.engine import MEMORY

_FIX: Final = "lake runs in an environment of its own: pip install 'tailgate[ducklake]'"


def connect(extensions: Iterable[str]) -> duckdb.DuckDBPyConnection:
    """In memory, bounded, with `extensions` loaded. Raises ConfigError where one is missing or another version's."""
    for name in extensions:
        _check(f"duckdb-extension-{name}")
    from duckdb_extensions import import_extension

    connection = duckdb.connect(
        ":memory:", config={"memory_limit": MEMORY, "autoinstall_known_extensions": False}
    )
    try:
        for name in extensions:
            import_extension(name, con=connection)
            connection.load_extension(name)
    except duckdb.Error as error:
        raise ConfigError(
            f"HOME: DuckDB keeps its extensions in ~/.duckdb, which must be writable: {reason(error)}"
        ) from error
    return connection


def _check(package: str) -> None:
    try:
        built = version(package)
    except PackageNotFoundError as error:
        raise ConfigError(f"{package} is missing (duckdb here is {duckdb.__version__}); {_FIX}") from error
    if built != duckdb.__version__:
        raise ConfigError(f"duckdb is {duckdb.__version__}, {package} is for {built}; {_FIX}")


def reason(error: Exception) -> str:
    """What went wrong, in one line; of DuckLake's errors the second line says what failed in the first."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2])
