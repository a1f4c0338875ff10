"""`tailgate score`: recorded pairs to a verdict."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from collectors.jsonl import Tally, read_pairs
from monitor.cautions import unknown_keys, unreadable
from monitor.cli import EXIT_CODES
from monitor.cli.files import opened
from monitor.cli.options import config_from, config_options, format_option
from monitor.cli.render_junit import junit
from monitor.cli.render_markdown import markdown
from monitor.cli.render_table import print_verdict, wide_console
from monitor.config import Config
from monitor.pair_lines import pair_line
from monitor.recorded import Entry, Result, Source, entry, verdict_of
from monitor.records import Pair
from monitor.verdict import to_json


@click.command("score")
@click.argument("pairs", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--control",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PAIRS.jsonl",
    help="Noise-floor arm: the baseline as candidate against itself.",
)
@click.option("--pairs-out", type=click.Path(path_type=Path), help="Write scores per pair, JSON Lines.")
@click.option("--all", "everything", is_flag=True, help="Every row in the table, not only divergence.")
@config_options()
@format_option("table", "json", "junit", "markdown")
def command(
    *,
    pairs: tuple[Path, ...],
    control: tuple[Path, ...],
    pairs_out: Path | None,
    everything: bool,
    path: Path | None,
    settings: tuple[str, ...],
    format_: str,
) -> int:
    """Score recorded pairs of baseline and candidate answers and say which segments diverge.

    PAIRS are JSON Lines files (`-` is standard input). Exit code 0 ok, 1 diverged, 3 inconclusive.
    """
    config = config_from(path, settings, {})
    rows, source = score_files(pairs, config, pairs_out)
    floor, floor_source = score_files(control, config, None)
    notes = Source(source.unusable, [*source.notes, *(f"control: {note}" for note in floor_source.notes)])
    result = verdict_of(rows, floor, config, notes)
    show(result, format_, everything=everything)
    return EXIT_CODES[result.verdict.verdict]


def score_files(paths: Sequence[Path], config: Config, pairs_out: Path | None) -> tuple[list[Entry], Source]:
    """Score every usable line of the files, in order. Raises Unreachable for a file that is not there."""
    rows: list[Entry] = []
    unusable: dict[str, int] = {}
    notes: list[str] = []
    with ExitStack() as stack:
        out = stack.enter_context(opened(pairs_out, "wb")) if pairs_out else None
        for path in paths:
            tally = Tally()
            lines = stack.enter_context(opened(path, "rb"))
            rows += [
                _scored(pair, config, out) for pair in _watched(read_pairs(lines, time.time(), tally), path)
            ]
            notes += [
                *unreadable(str(path), tally.bad, tally.examples),
                *unknown_keys(str(path), tally.unknown_keys),
            ]
            for reason, count in tally.bad.items():
                unusable[reason] = unusable.get(reason, 0) + count
    return rows, Source(unusable, notes)


def _scored(pair: Pair, config: Config, out: BinaryIO | None) -> Entry:
    row = entry(pair, config)
    if out is not None:
        out.write(pair_line(pair, row) + b"\n")
    return row


def _watched(pairs: Iterable[Pair], path: Path) -> Iterator[Pair]:
    """The same pairs, counted on a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield from pairs
        return
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console,
        transient=True,
    ) as progress:  # fmt: skip
        yield from progress.track(pairs, description=f"scoring {path.name}")


def show(result: Result, format_: str, *, everything: bool = False) -> None:
    """The verdict on stdout in the asked format; warnings for people on stderr."""
    verdict, tests = result.verdict, result.judgement.mcnemar
    if format_ == "json":
        click.echo(json.dumps(to_json(verdict), ensure_ascii=False, indent=1, allow_nan=False))
    elif format_ == "junit":
        click.echo(junit(verdict, tests), nl=False)
    elif format_ == "markdown":
        click.echo(markdown(verdict, tests), nl=False)
    else:
        print_verdict(wide_console(), verdict, tests, everything=everything)
    for warning in verdict.warnings:
        click.echo(f"warning: {warning}", err=True)
