"""`tailgate discover`: slices that nobody declared and that are worse than the rest."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from monitor.cli.archived import archive_of, archive_options
from monitor.discovery import Found, Half, Options, discover
from monitor.errors import UsageError
from monitor.inert import one_line
from monitor.slices import Slices, from_files, from_scores, from_store

_HEADINGS = ("signal", "searched", "other half", "floor", "excess, 95 %", "p (Holm)", "news")


@click.command("discover")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--db", type=click.Path(path_type=Path), help="A store that no monitor has open.")
@archive_options
@click.option("--signal", "signals", multiple=True, help="Only these signals; default: all in the input.")
@click.option("--dimension", "dimensions", multiple=True, help="Only these dimensions; default: all.")
@click.option(
    "--floor", type=click.FloatRange(0, 1), help="Known rate to exceed; default: replays, else the rest."
)
@click.option(
    "--allowed",
    type=click.FloatRange(0, 0.99),
    default=0.0,
    show_default=True,
    help="Rise above the floor that does not count.",
)
@click.option(
    "--order", type=click.IntRange(1, 3), default=3, show_default=True, help="Most dimensions in one slice."
)
@click.option(
    "--least",
    type=click.IntRange(1),
    default=30,
    show_default=True,
    help="Fewest pairs of a slice, per half.",
)
@click.option(
    "--limit",
    type=click.IntRange(1, 50),
    default=5,
    show_default=True,
    help="Most proposals per signal; each costs power.",
)
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
def command(
    *,
    files: tuple[Path, ...],
    db: Path | None,
    archive: str | None,
    route: str | None,
    signals: tuple[str, ...],
    dimensions: tuple[str, ...],
    floor: float | None,
    allowed: float,
    order: int,
    least: int,
    limit: int,
    form: str,
) -> None:
    """Search slices of up to three dimensions on one half of the pairs, confirm on the other.

    FILES are .csv, .parquet or .jsonl with the columns id, x (0 to 1, 1 = bad), optionally x0 (the
    replay's) and signal, and one column per dimension; or what `score --pairs-out` writes. A find is
    a proposal, not a verdict: watch it with the printed `crosses` line; its evidence starts from zero.
    """
    if sum(map(bool, (files, db, archive))) != 1:
        raise UsageError("give one of FILES, --db and --archive")
    with ExitStack() as stack:
        if archive:
            opened = stack.enter_context(archive_of(archive, route))
            slices = from_scores(opened.connection, signals, dimensions)
        else:
            slices = from_store(db, signals, dimensions) if db else from_files(files, signals, dimensions)
        options = Options(slices.dimensions, order, least, limit, floor, allowed)
        found = discover(slices.query, {s: slices.relation(s) for s in slices.signals}, options)
        (_print_json if form == "json" else _print_table)(slices, found)


def _row(found: Found) -> dict[str, Any]:
    return {
        "segment": found.segment,
        "signal": found.signal,
        "confirmed": found.confirmed,
        "p_value": found.p_value,
        "p_adjusted": found.p_adjusted,
        "search": _numbers(found.search),
        "confirm": _numbers(found.confirm),
        "crosses": list(found.cross),
    }


def _numbers(half: Half) -> dict[str, float]:
    numbers = {k: v for k, v in asdict(half).items() if k != "interval"}
    return {**numbers, "excess": half.excess, "lower": half.interval.lower, "upper": half.interval.upper}


def _print_json(slices: Slices, found: tuple[Found, ...]) -> None:
    body = {
        "rows": slices.rows,
        "skipped": slices.skipped,
        "dimensions": slices.dimensions,
        "slices": [_row(f) for f in found],
    }
    click.echo(json.dumps(body, indent=1))


def _print_table(slices: Slices, found: tuple[Found, ...]) -> None:
    table = Table(
        Column("segment", no_wrap=True),
        *(Column(name, overflow="fold") for name in _HEADINGS),
        box=SIMPLE_HEAD,
    )
    for f in found:
        interval = f.confirm.interval
        excess = f"{interval.lower:+.1%} to {interval.upper:+.1%}"
        numbers = [*(f"{h.rate:.1%} of {h.n}" for h in (f.search, f.confirm)), f"{f.confirm.floor:.1%}"]
        table.add_row(
            Text(one_line(f.segment)),
            Text(one_line(f.signal)),
            *numbers,
            excess,
            f"{f.p_adjusted:.2g}",
            "yes" if f.confirmed else "no",
        )
    if found:
        Console().print(table)
    _print_notes(slices, [f for f in found if f.confirmed])


def _print_notes(slices: Slices, confirmed: list[Found]) -> None:
    left_out = ", ".join(f"{n} {reason}" for reason, n in slices.skipped.items()) or "none"
    click.echo(
        f"{slices.rows} scores, skipped: {left_out}; dimensions: {one_line(', '.join(slices.dimensions), 2000)}",
        err=True,
    )
    for name in slices.not_dimensions:
        click.echo(f"{one_line(name)}: too many values for a dimension, left out", err=True)
    if not confirmed:
        click.echo("no slice confirmed as worse than its floor", err=True)
    crosses = {f.cross for f in confirmed if len(f.cross) > 1}
    if crosses:
        lines = "".join(f"  - [{one_line(', '.join(cross))}]\n" for cross in sorted(crosses))
        click.echo(
            f"to watch them, with evidence from zero, add to the configuration:\ncrosses:\n{lines}", err=True
        )
