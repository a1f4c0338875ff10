"""`tailgate sql`: any question to exported pairs and scores."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from monitor.cli.archived import archive_of, archive_options
from monitor.errors import UsageError
from monitor.inert import inert


@click.command("sql")
@archive_options
@click.argument("statement")
@click.option(
    "--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True
)
def command(archive: str | None, route: str | None, statement: str, form: str) -> None:
    """Ask exported files in DuckDB's SQL; nothing that runs is disturbed.

    \b
    The views are those of the database: pairs, scores, events, labels, candidates, stores.
      tailgate sql --archive DIR "SELECT segments['language'] AS language, signal, avg(x), count(*)
                                  FROM scores JOIN pairs USING (seq) GROUP BY ALL ORDER BY 3 DESC"
    """
    if archive is None:
        raise UsageError("--archive: name the directory or s3:// URL that holds the exported files")
    with archive_of(archive, route) as opened:
        names = opened.columns(statement)
        rows = opened.query(statement)
    {"table": _table, "json": _json, "csv": _csv}[form](names, rows)


def _table(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    table = Table(*(Column(Text(inert(name))) for name in names))
    for row in rows:
        table.add_row(*(Text("" if value is None else inert(str(value))) for value in row))
    Console().print(table)


def _json(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    for row in rows:
        click.echo(json.dumps(dict(zip(names, row, strict=True)), default=str))


def _csv(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(names)
    writer.writerows(rows)
