"""`tailgate verdict`: the gate for CI and rollouts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from monitor.cli import EXIT_CODES
from monitor.cli.json_out import echo_json
from monitor.cli.options import format_option
from monitor.cli.render_live import print_funnel, print_rows, print_warnings
from monitor.cli.source import source_options, verdicts, wait_for_decision, worst


@click.command("verdict")
@source_options
@click.option("--wait", type=click.FloatRange(0), metavar="SECONDS", help="wait for ok or diverged")
@format_option("table", "json")
def command(urls: Sequence[str], db: Path | None, wait: float | None, format_: str) -> int:
    """Exit 0 ok, 1 diverged, 3 inconclusive, 4 the monitor was never reached."""
    found = verdicts(urls, db) if wait is None else wait_for_decision(urls, db, wait)
    if format_ == "json":
        echo_json(found[0] if len(found) == 1 else found, indent=2)
    else:
        for verdict in found:
            _print(verdict)
    return EXIT_CODES[worst(found)]


def _print(verdict: dict[str, Any]) -> None:
    console = Console(stderr=True)
    print_rows(console, verdict, only_diverged=True)
    print_warnings(console, verdict)
    print_funnel(console, verdict["funnel"])
