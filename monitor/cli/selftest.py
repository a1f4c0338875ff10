"""`tailgate selftest`: the canary of the canary."""

from __future__ import annotations

import asyncio
import os
import secrets
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console

from monitor.cli.ending import ending_in_order
from monitor.cli.json_out import echo_json
from monitor.cli.options import format_option
from monitor.demo import TOKEN_ENV, Plan, play, raise_stage
from monitor.selftest import ROUTE, Alerting, Check, checks


@click.command("selftest")
@click.option(
    "--seconds", type=click.FloatRange(10), default=45.0, show_default=True, help="length of the traffic"
)
@click.option(
    "--plant", default="language=sw", show_default=True, metavar="DIM=VALUE", help="segment to break"
)
@click.option(
    "--http",
    metavar="HOST:PORT",
    help="address of its monitor, for your Prometheus to scrape [default: a free port]",
)
@click.option("--prometheus", metavar="URL", help="must show the firing alert")
@click.option("--alertmanager", metavar="URL", help="must have received the alert")
@click.option(
    "--wait", type=click.FloatRange(0), default=300.0, show_default=True, help="seconds that both have for it"
)
@format_option("table", "json")
def command(
    *,
    seconds: float,
    plant: str,
    http: str | None,
    prometheus: str | None,
    alertmanager: str | None,
    wait: float,
    format_: str,
) -> int:
    """Plant a known tail regression between two stand-ins; fail unless it is found and alerted.

    Exit 0 if every link of the chain held, 1 if one did not, 4 if a named server was not reached.
    Its route is `selftest`, so that your routing can tell it from production.
    """
    # An address beyond loopback needs a token; nobody but this run writes to its monitor.
    os.environ.setdefault(TOKEN_ENV, secrets.token_urlsafe())
    plan = Plan(seconds, plant, route=ROUTE, http=http)
    console = Console(stderr=True)
    started = time.monotonic()
    seen: list[Check] = []
    with ending_in_order(), tempfile.TemporaryDirectory(prefix="tailgate-selftest-") as directory:
        stage = raise_stage(plan, Path(directory))
        try:
            verdict, sent = asyncio.run(play(stage, plan, lambda _verdict, _sent: None))
            for check in checks(stage, plan, verdict, sent, Alerting(prometheus, alertmanager, wait)):
                seen.append(check)
                mark = "[green]ok[/]" if check.ok else "[red]FAILED[/]"
                console.print(f"{mark:8} {check.name:13}", end="")
                console.print(check.detail, markup=False, highlight=False)
        finally:
            stage.stop()
    ok = all(check.ok for check in seen)
    if format_ == "json":
        outcome = {
            "ok": ok,
            "planted": plant,
            "seconds": round(time.monotonic() - started, 1),
            "checks": [*map(asdict, seen)],
        }
        echo_json(outcome, indent=2)
    return 0 if ok else 1
