"""`tailgate score`: recorded pairs to a verdict."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from collectors.jsonl import Tally, read_pairs
from monitor.cautions import unknown_keys, unreadable
from monitor.cli import EXIT_CODES
from monitor.cli.files import opened
from monitor.cli.json_out import echo_json
from monitor.cli.options import config_from, config_options, format_option
from monitor.cli.render_junit import junit
from monitor.cli.render_markdown import markdown
from monitor.cli.render_table import print_verdict, wide_console
from monitor.config import Config
from monitor.inert import one_line
from monitor.pair_lines import pair_line
from monitor.recorded import Entry, Result, Source, entry, verdict_of
from monitor.records import Completion, Pair
from monitor.reference import PLAIN, Rules, rules_of
from monitor.residue import Residue
from monitor.verdict import to_json

Sink = Callable[[Pair, Entry], object]


@click.command("score")
@click.argument("pairs", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--control",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PAIRS.jsonl",
    help="Noise-floor arm: the baseline as candidate against itself.",
)
@click.option(
    "--base",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="PAIRS.jsonl",
    help="Third arm: the model before fine-tuning as candidate, paired by id; adds the residue index.",
)
@click.option("--db", type=click.Path(path_type=Path, dir_okay=False), help="Keep scores in this database.")
@click.option("--pairs-out", type=click.Path(path_type=Path), help="Write scores per pair, JSON Lines.")
@click.option("--all", "everything", is_flag=True, help="Every row in the table, not only divergence.")
@config_options()
@format_option("table", "json", "junit", "markdown")
def command(
    *,
    pairs: tuple[Path, ...],
    control: tuple[Path, ...],
    base: tuple[Path, ...],
    db: Path | None,
    pairs_out: Path | None,
    everything: bool,
    path: Path | None,
    settings: tuple[str, ...],
    format_: str,
) -> int:
    """Score recorded pairs of baseline and candidate answers and say which segments diverge.

    PAIRS are JSON Lines files (`-` is standard input). Exit code 0 ok, 1 diverged, 3 inconclusive.
    """
    config = config_from(path, settings, {"db": db})
    residue = Residue(_candidates(base)) if base else None
    with ExitStack() as stack:
        sinks = list(_sinks(stack, config, db, pairs_out))
        rows, source = score_files(pairs, config, [*sinks, residue.add] if residue else sinks)
    floor, floor_source = score_files(control, config)
    notes = [*source.notes, *(f"control: {note}" for note in floor_source.notes)]
    notes += residue.sentences() if residue else ()
    result = verdict_of(rows, floor, config, Source(source.unusable, notes))
    show(result, format_, everything=everything)
    return EXIT_CODES[result.verdict.verdict]


def _sinks(stack: ExitStack, config: Config, db: Path | None, pairs_out: Path | None) -> Iterator[Sink]:
    """Where scored pairs go besides the verdict; closed with the stack."""
    if pairs_out is not None:
        out = stack.enter_context(opened(pairs_out, "wb"))
        yield lambda pair, row: out.write(pair_line(pair, row) + b"\n")
    if db is not None:
        from monitor.cli.keeping import keeper  # duckdb, only where it is asked for

        yield stack.enter_context(keeper(db, config)).keep


def _candidates(paths: Sequence[Path]) -> dict[str, Completion]:
    """The candidates' answers of recorded pairs, by id."""
    found: dict[str, Completion] = {}
    for path in paths:
        with opened(path, "rb") as lines:
            found |= {pair.id: pair.candidate for pair in read_pairs(lines, time.time(), Tally())}
    return found


def score_files(
    paths: Sequence[Path], config: Config, sinks: Sequence[Sink] = ()
) -> tuple[list[Entry], Source]:
    """Score every usable line of the files, in order. Raises Unreachable for a file that is not there."""
    rows: list[Entry] = []
    unusable: Counter[str] = Counter()
    notes: list[str] = []
    rules = rules_of(config) if paths else PLAIN
    for path in paths:
        tally = Tally()
        with opened(path, "rb") as lines:
            rows += _scored(_watched(read_pairs(lines, time.time(), tally), path), config, rules, sinks)
        notes += unreadable(str(path), tally.bad, tally.examples)
        notes += unknown_keys(str(path), tally.unknown_keys)
        unusable.update(tally.bad)
    return rows, Source(unusable, notes)


def _scored(pairs: Iterable[Pair], config: Config, rules: Rules, sinks: Sequence[Sink]) -> Iterator[Entry]:
    for pair in pairs:
        row = entry(pair, config, rules)
        for sink in sinks:
            sink(pair, row)
        yield row


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
        echo_json(to_json(verdict), indent=1)
    elif format_ == "junit":
        click.echo(junit(verdict, tests), nl=False)
    elif format_ == "markdown":
        click.echo(markdown(verdict, tests), nl=False)
    else:
        print_verdict(wide_console(), verdict, tests, everything=everything)
    for warning in verdict.warnings:
        click.echo(f"warning: {one_line(warning, 2000)}", err=True)
