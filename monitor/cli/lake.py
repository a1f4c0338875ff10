"""`tailgate lake`: exported files into DuckLake tables with a PostgreSQL catalog."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import track

from monitor.cli.json_out import echo_json
from monitor.errors import ConfigError, StoreError, Unreachable, UsageError
from monitor.inert import one_line

if TYPE_CHECKING:
    from monitor.lake.plan import Change


@click.command("lake")
@click.option(
    "--archive", required=True, metavar="DIRECTORY|S3URL", help="exported files (export.directory) to show"
)
@click.option("--route", metavar="NAME", help="only this route [default: all]")
@click.option("--data", required=True, metavar="DIRECTORY|S3URL", help="where the lake's own files go")
@click.option(
    "--catalog",
    default="",
    metavar="'dbname=… host=…'",
    help="PostgreSQL [default: PGHOST, PGDATABASE, PGUSER, …]; never a password: PGPASSWORD, PGPASSFILE",
)
@click.option("--schema", default="tailgate", show_default=True, help="of PostgreSQL, holds the catalog")
@click.option(
    "--keep-days",
    type=click.FloatRange(0),
    default=7.0,
    show_default=True,
    help="how long a snapshot can be asked for; an erasure ends all",
)
@click.option("--once", is_flag=True, help="one turn [the default without --every]")
@click.option(
    "--every", type=click.FloatRange(1), metavar="SECONDS", help="a turn, then again, until stopped"
)
def command(
    *,
    archive: str,
    route: str | None,
    data: str,
    catalog: str,
    schema: str,
    keep_days: float,
    once: bool,
    every: float | None,
) -> None:
    """Make a DuckLake show what was exported: tables `pairs` and `scores`, one transaction per file.

    What is there already is not loaded again; files that were written anew or are gone replace or remove their
    rows; whoever asked to be forgotten is gone from every snapshot and file when the turn ends. Several may run:
    one works. Prints one JSON object per turn. The place of --data must hold nothing else.

    \b
    Runs in an environment of its own (pip install 'tailgate[ducklake]': duckdb 1.5.5). Anybody reads:
      ATTACH 'ducklake:postgres:dbname=…' AS lake (METADATA_SCHEMA 'tailgate', READ_ONLY);
      SELECT * FROM lake.pairs JOIN lake.scores USING (route, day, store, seq);
    """
    if once and every is not None:
        raise UsageError("--once and --every: choose one")
    _check_apart(archive, data)

    def turn() -> dict[str, Any]:
        return _turn(archive, route, data, catalog=catalog, schema=schema, keep_days=keep_days)

    if every is None:
        echo_json(turn())
    else:
        _repeat(turn, every)


def _repeat(turn: Callable[[], dict[str, Any]], every: float) -> None:
    """Until SIGTERM or SIGINT; the turn that is under way is finished."""
    stops = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)  # they wait until somebody asks for them
    while True:
        try:
            echo_json(turn())
        except (StoreError, Unreachable) as error:  # PostgreSQL restarts, a share comes back
            click.echo(f"tailgate: {one_line(str(error), 4000)}; again in {every:g} s", err=True)
        if signal.sigtimedwait(stops, every) is not None:
            return


def _check_apart(archive: str, data: str) -> None:
    """Files that a lake does not know are deleted below --data."""
    from monitor.parquet.places import address

    one, other = address(archive), address(data)
    if one.startswith(other) or other.startswith(one):
        raise ConfigError(f"--data: {data} and --archive lie in each other; choose a place of its own")


def _turn(
    archive: str, route: str | None, data: str, *, catalog: str, schema: str, keep_days: float
) -> dict[str, Any]:
    from monitor.lake.catalog import opened
    from monitor.lake.load import Loader
    from monitor.lake.upkeep import purge, tidy
    from monitor.parquet.places import place_of

    started, place = time.monotonic(), place_of(archive)
    with opened(catalog, schema, data) as lake:
        if lake is None:
            return {"busy": True}
        outcome = Loader(lake, place, route).turn(_track)
        purged = purge(lake)
        tidy(lake, keep_days)
    return {**asdict(outcome), "purged": purged, "seconds": round(time.monotonic() - started, 3)}


def _track(changes: Sequence[Change]) -> Iterable[Change]:
    """A bar on a terminal, silence elsewhere."""
    console = Console(stderr=True)
    shown: Iterator[Change] = iter(
        track(changes, "loading", console=console, transient=True, disable=not console.is_terminal)
    )
    return shown
