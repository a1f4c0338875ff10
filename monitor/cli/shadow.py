"""`tailgate shadow`: recorded exchanges to a live candidate, then as `score`."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import click
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from collectors.jsonl import Tally, dump_pair, read_exchanges
from collectors.mapping import RecordMapping, load, read_mapped
from monitor.cautions import unknown_keys, unreadable
from monitor.cli import EXIT_CODES
from monitor.cli.files import opened
from monitor.cli.options import config_from, config_options, format_option
from monitor.cli.score import show
from monitor.config import Config
from monitor.recorded import Entry, Source, entry, verdict_of
from monitor.records import Exchange
from monitor.reference import rules_of
from monitor.shadow import shadow


@click.command("shadow")
@click.argument("exchanges", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True))
@click.option("--candidate", required=True, help="URL of the model under judgement.")
@click.option("--baseline", help="URL of the baseline; replays every exchange for the noise floor.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the pairs, JSON Lines.")
@click.option(
    "--mapping",
    metavar="NAME|FILE",
    help="EXCHANGES are another tool's records: litellm, dynamo, or a mapping file.",
)
@click.option("--all", "everything", is_flag=True, help="Every row in the table, not only divergence.")
@config_options()
@format_option("table", "json", "junit", "markdown")
def command(
    *,
    exchanges: tuple[Path, ...],
    candidate: str,
    baseline: str | None,
    output: Path | None,
    mapping: str | None,
    everything: bool,
    path: Path | None,
    settings: tuple[str, ...],
    format_: str,
) -> int:
    """Send recorded EXCHANGES to a live candidate and score the pairs.

    Exit code 0 ok, 1 diverged, 3 inconclusive, 4 the candidate does not answer.
    """
    config = config_from(
        path, (*_defaults(baseline), *settings), {"candidate": candidate, "baseline": baseline}
    )
    tallies: dict[Path, Tally] = {}
    with ExitStack() as stack:
        out = stack.enter_context(opened(output, "wb")) if output else None
        places = load(mapping) if mapping else None
        read = _exchanges(exchanges, places, tallies, stack)
        rows, skipped = asyncio.run(_collect(read, config, out))
    source = _source(tallies, skipped)
    result = verdict_of(rows, [], config, source)
    show(result, format_, everything=everything)
    return EXIT_CODES[result.verdict.verdict]


def _defaults(baseline: str | None) -> tuple[str, ...]:
    """A recording harms nobody's users: with a baseline every exchange is replayed."""
    if baseline is None:
        return ("replay.share=0",)
    return ("replay.share=1", "replay.max_share_of_traffic=1", "replay.concurrency=8")


def _exchanges(
    paths: Sequence[Path], mapping: RecordMapping | None, tallies: dict[Path, Tally], stack: ExitStack
) -> Iterator[Exchange]:
    for path in paths:
        tally = tallies.setdefault(path, Tally())
        lines = stack.enter_context(opened(path, "rb"))
        if mapping is None:
            yield from read_exchanges(lines, time.time(), tally)
        else:
            yield from read_mapped(lines, mapping, time.time(), tally)


def _source(tallies: Mapping[Path, Tally], skipped: Counter[str]) -> Source:
    """Everything that did not become a pair, by reason, and a sentence about each."""
    notes = [f"{count} exchanges were not comparable: {why}" for why, count in skipped.items()]
    unusable = Counter(skipped)
    for path, tally in tallies.items():
        unusable.update(tally.bad)
        notes += [
            *unreadable(str(path), tally.bad, tally.examples),
            *unknown_keys(str(path), tally.unknown_keys),
        ]
    return Source(dict(unusable), notes)


async def _collect(
    exchanges: Iterator[Exchange], config: Config, out: BinaryIO | None
) -> tuple[list[Entry], Counter[str]]:
    rows: list[Entry] = []
    skipped: Counter[str] = Counter()
    rules = rules_of(config)
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("asking the candidate", total=None)
        async for paired in shadow(exchanges, config):
            progress.advance(task)
            if paired.pair is None:
                skipped[paired.skipped or "unknown"] += 1
                continue
            rows.append(entry(paired.pair, config, rules))
            if out is not None and paired.pair.generated:
                out.write(dump_pair(paired.pair) + b"\n")
    return rows, skipped
