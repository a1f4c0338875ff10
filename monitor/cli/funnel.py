"""`tailgate funnel`: why is nothing mirrored?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from monitor.cli.json_out import echo_json
from monitor.cli.options import format_option
from monitor.cli.render_live import print_capabilities, print_funnel, print_warnings
from monitor.cli.source import source_options, verdicts


@click.command("funnel")
@source_options
@format_option("table", "json")
def command(urls: Sequence[str], db: Path | None, format_: str) -> None:
    """Where every eligible request ended, each in exactly one counted state."""
    for verdict in verdicts(urls, db):
        if format_ == "json":
            echo_json(verdict["funnel"], indent=2)
        else:
            console = Console()
            print_funnel(console, verdict["funnel"])
            print_capabilities(console, verdict.get("capabilities", {}))
            print_warnings(console, verdict)
