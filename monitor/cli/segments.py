"""`tailgate segments`: the verdict table, once or live."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from monitor.cli.json_out import echo_json
from monitor.cli.options import format_option
from monitor.cli.render_live import Json, print_rows, rows_table
from monitor.cli.source import source_options, verdicts
from monitor.errors import Unreachable
from monitor.inert import one_line


@click.command("segments")
@source_options
@click.option("--all", "everything", is_flag=True, help="every row, not only the worst of each segment")
@click.option("--watch", is_flag=True, help="refresh until interrupted")
@format_option("table", "json")
def command(urls: Sequence[str], db: Path | None, everything: bool, watch: bool, format_: str) -> None:  # noqa: FBT001  click passes them
    """The segments, worst unexplained divergence first."""
    console = Console(stderr=format_ == "json")
    if watch:
        watch_rows(console, lambda: verdicts(urls, db)[0], everything=everything)
    for verdict in verdicts(urls, db):
        if format_ == "json":
            echo_json(verdict["segments"], indent=2)
        else:
            print_rows(console, verdict, everything=everything)


def watch_rows(console: Console, ask: Callable[[], Json], *, everything: bool, pause: float = 1.0) -> None:
    """Refresh for ever. A monitor that stops answering is said and waited for, once it has answered; where
    nothing can be redrawn (a log) the table is printed again when a verdict in it changes."""
    verdict, said = ask(), None
    with Live(console=console, refresh_per_second=2) as live:
        while True:
            problem = ""
            try:
                verdict = ask()
            except Unreachable as error:
                problem = one_line(error)
            read = f"read {time.strftime('%H:%M:%S', time.gmtime())}Z"
            state = [(row["segment"], row["signal"], row["verdict"]) for row in verdict["segments"]], problem
            if console.is_terminal:
                table = rows_table(verdict, everything=everything, width=console.width)
                table.caption, table.caption_justify = Text(problem or read), "left"
                live.update(table)
            elif state != said and problem:
                console.print(Text(problem))
            elif state != said:
                print_rows(console, verdict, everything=everything)
            said = state
            time.sleep(pause)
