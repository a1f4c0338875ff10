"""`tailgate segments`: the verdict table, once or live."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live

from monitor.cli.options import format_option
from monitor.cli.render_live import print_rows, rows_table
from monitor.cli.source import source_options, verdicts


@click.command("segments")
@source_options
@click.option("--all", "everything", is_flag=True, help="every row, not only the worst of each segment")
@click.option("--watch", is_flag=True, help="refresh until interrupted")
@format_option("table", "json")
def command(urls: Sequence[str], db: Path | None, everything: bool, watch: bool, format_: str) -> None:  # noqa: FBT001  click passes them
    """The segments, worst unexplained divergence first."""
    console = Console(stderr=format_ == "json")
    if watch:
        with Live(console=console, refresh_per_second=2) as live:
            while True:
                live.update(rows_table(verdicts(urls, db)[0], everything=everything, width=console.width))
                time.sleep(1)
    for verdict in verdicts(urls, db):
        if format_ == "json":
            click.echo(json.dumps(verdict["segments"], ensure_ascii=False, indent=2))
        else:
            print_rows(console, verdict, everything=everything)
