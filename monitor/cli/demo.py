"""`tailgate demo`: see it work, with nothing to set up."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.live import Live

from monitor.cli.ending import ending_in_order
from monitor.cli.json_out import echo_json
from monitor.cli.options import format_option
from monitor.cli.render_live import chosen_rows, print_funnel, print_rows, print_warnings, rows_table
from monitor.demo import Plan, Sent, Stage, play, raise_stage, result, unexplained


@click.command("demo")
@click.option(
    "--seconds", type=click.FloatRange(10, 3600), default=45.0, show_default=True, help="of traffic"
)
@click.option("--plant", default="language=sw", show_default=True, help="segment to break, or none")
@click.option("--seed", default=1, show_default=True, help="of the traffic")
@click.option("--baseline", help="URL of a real baseline instead of a stand-in")
@click.option("--candidate", help="URL of a real candidate instead of a stand-in (nothing is planted then)")
@click.option("--keep", is_flag=True, help="leave everything running until Ctrl-C")
@format_option("table", "json")
def command(
    *,
    seconds: float,
    plant: str,
    seed: int,
    baseline: str | None,
    candidate: str | None,
    keep: bool,
    format_: str,
) -> int:
    """Real traffic through a real sidecar to two stand-in servers, one of them broken in one small segment.

    Exit 0 if and only if the unexplained diverged segments are exactly the planted one.
    """
    planted = None if plant == "none" or candidate else plant
    plan = Plan(seconds, planted, seed, baseline, candidate)
    console = Console(stderr=True)
    with ending_in_order(), tempfile.TemporaryDirectory(prefix="tailgate-demo-") as directory:
        started = time.monotonic()
        stage = raise_stage(plan, Path(directory))
        try:
            _introduce(console, plan, stage)
            outcome = _watch(console, plan, stage, started)
            _conclude(console, plan, outcome)
            if format_ == "json":
                echo_json(outcome, indent=2)
            if keep:
                console.print("still running; Ctrl-C ends it")
                _sleep_until_interrupted()
        finally:
            stage.stop()
    return 0 if outcome["ok"] or candidate else 1


def _introduce(console: Console, plan: Plan, stage: Stage) -> None:
    kind = "real servers" if plan.baseline or plan.candidate else "two stand-in servers (no models)"
    console.print(f"[bold]tailgate demo[/]: {kind}, {plan.seconds:.0f} s of traffic through a sidecar")
    if plan.planted:
        console.print(
            f"planted in the candidate: answers break in [bold]{plan.planted}[/], about 6 % of traffic"
        )
    for name in ("clients", "monitor", "sidecar"):
        console.print(f"  {name:8} {stage.urls[name]}", highlight=False)


def _watch(console: Console, plan: Plan, stage: Stage, started: float) -> dict[str, Any]:
    with Live(console=console, refresh_per_second=2, transient=True) as live:
        show = _live(live, console) if console.is_terminal else _lines(console)
        verdict, sent = asyncio.run(play(stage, plan, show))
    return result(verdict, sent, plan, stage, time.monotonic() - started)


def _live(live: Live, console: Console) -> Callable[[dict[str, Any], Sent], None]:
    def show(verdict: dict[str, Any], sent: Sent) -> None:
        del sent
        # The worst rows that fit: a table taller than the terminal would hide its end.
        shown = {**verdict, "segments": chosen_rows(verdict)[: console.height - 4]}
        live.update(rows_table(shown, width=console.width))

    return show


def _lines(console: Console) -> Callable[[dict[str, Any], Sent], None]:
    """One line every five seconds, for logs."""
    last = [0.0]

    def show(verdict: dict[str, Any], sent: Sent) -> None:
        if time.monotonic() - last[0] < 5:
            return
        last[0] = time.monotonic()
        names = ", ".join(sorted(unexplained(verdict))) or "nothing"
        console.print(
            f"{sent.requests} requests, {verdict['pairs']} pairs; diverged: {names}", highlight=False
        )

    return show


def _conclude(console: Console, plan: Plan, outcome: dict[str, Any]) -> None:
    verdict = outcome["verdict"]
    print_rows(console, verdict, only_diverged=True)
    print_warnings(console, verdict)
    print_funnel(console, verdict["funnel"])
    found = ", ".join(outcome["found"]) or "nothing"
    if plan.planted is None:
        console.print(f"found: {found}; nothing was planted")
    else:
        style = "bold green" if outcome["ok"] else "bold red"
        console.print(
            f"[{style}]found: {found}[/]; planted: {plan.planted} ({outcome['planted_pairs']} pairs); "
            f"{outcome['failed_requests']} of {outcome['requests']} client requests failed"
        )


def _sleep_until_interrupted() -> None:
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        return
