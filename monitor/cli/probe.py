"""`tailgate probe`: the candidate's boundaries, known before users find them."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from collectors.jsonl import Tally, read_exchanges
from monitor.addresses import http_url
from monitor.candidate import Leg
from monitor.cautions import unreadable
from monitor.cli import EXIT_CODES
from monitor.cli.files import opened
from monitor.cli.json_out import echo_json
from monitor.cli.options import format_option
from monitor.cli.render_probe import junit, table, to_json, to_rows, worst
from monitor.cli.render_table import wide_console
from monitor.cli.source import post
from monitor.config_file import secret
from monitor.errors import ConfigError, UsageError
from monitor.inert import one_line
from monitor.probes import runner
from monitor.probes.axes import AXES
from monitor.probes.families import FAMILIES
from monitor.probes.findings import Result
from monitor.probes.loading import read_arrivals
from monitor.probes.pack import NAMES, Pack, load
from monitor.records import Arm


@click.command("probe")
@click.option("--candidate", metavar="URL", help="Server under judgement.")
@click.option("--baseline", metavar="URL", help="Production server; findings are about the difference.")
@click.option(
    "--pack", "packs", multiple=True, metavar="NAME|FILE",
    help=f"{', '.join(NAMES)}; a YAML pack; or your own items, JSON Lines with checks. [default: boundaries]",
)  # fmt: skip
@click.option("--candidate-model", help="Model name to ask the candidate for. [default: the first it lists]")
@click.option("--baseline-model", help="The same for the baseline.")
@click.option("--token-env", help="Environment variable with the candidate's bearer token.")
@click.option("--baseline-token-env", help="The same for the baseline.")
@click.option("--exchanges", type=click.Path(path_type=Path), metavar="FILE",
              help="Recorded exchanges, JSON Lines: must the candidate's answers survive rewording?")  # fmt: skip
@click.option(
    "--max-exchanges", type=click.IntRange(1), default=100, show_default=True, help="At most so many of them."
)
@click.option("--arrivals", type=click.Path(path_type=Path), metavar="FILE",
              help='Trace of arrivals for a load pack, JSON Lines {"t": seconds}; Poisson without one.')  # fmt: skip
@click.option("--seed", default=0, show_default=True, help="Chooses the items; the same seed asks the same.")
@click.option("--max-calls", type=click.IntRange(1), help="At most so many calls, both arms together.")
@click.option("--max-tokens", type=click.IntRange(1), help="At most so many tokens, prompts included.")
@click.option("--concurrency", type=click.IntRange(1, 256), default=8, show_default=True, help="Per arm.")
@click.option(
    "--deadline", type=click.FloatRange(1), default=120.0, show_default=True, help="Seconds per answer."
)
@click.option("--resume", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Keep every answer here and go on where an earlier run stopped.")  # fmt: skip
@click.option(
    "--junit", "junit_path", type=click.Path(path_type=Path), metavar="FILE", help="Write JUnit XML, too."
)
@click.option("--monitor", metavar="URL", help="Running monitor that stores and counts the results.")
@click.option("--list", "listed", is_flag=True, help="The packs and what they ask, then stop.")
@click.option("--describe", metavar="NAME", help="One axis, family or pack with an example, then stop.")
@format_option("table", "json", "junit")
def command(
    *,
    candidate: str | None,
    baseline: str | None,
    packs: tuple[str, ...],
    candidate_model: str | None,
    baseline_model: str | None,
    token_env: str | None,
    baseline_token_env: str | None,
    exchanges: Path | None,
    max_exchanges: int,
    arrivals: Path | None,
    seed: int,
    max_calls: int | None,
    max_tokens: int | None,
    concurrency: int,
    deadline: float,
    resume: Path | None,
    junit_path: Path | None,
    monitor: str | None,
    listed: bool,
    describe: str | None,
    format_: str,
) -> int:
    """Ask generated questions of rising difficulty and say where the candidate's abilities end.

    With a baseline, a finding is a threshold more than half an octave lower, or a share significantly
    lower (Holm at 5 %). A candidate that fails an axis's easiest level has no threshold there: both arms
    answer the same fresh items at that level, and their shares decide. Exit code 0 ok, 1 a finding, 3 the budget did not suffice, 4 not reached.
    """
    if listed or describe:
        _show(describe)
        return 0
    if candidate is None:
        raise UsageError("--candidate URL is required (or --list, --describe NAME)")
    loaded = [load(name) for name in packs or ("boundaries",)]
    if resume is not None and len(loaded) > 1:
        raise UsageError("--resume takes one --pack at a time")
    budget = runner.Budget(max_calls, max_tokens)
    trace = tuple(read_arrivals(arrivals)) if arrivals else ()
    recorded = _recorded(exchanges, max_exchanges) if exchanges else ()
    results = []
    for pack in loaded:
        # An open loop must not wait for a place of ours.
        at_once = concurrency if pack.load is None else pack.load.requests
        legs = (
            _leg("candidate", candidate, at_once, token_env),
            _leg("baseline", baseline, at_once, baseline_token_env) if baseline else None,
        )
        with runner.resumed(resume, pack, seed) as log, _progress(pack) as progress:
            if log.known:  # of whichever servers were asked then
                click.echo(f"{resume}: {len(log.known)} answers of an earlier run are used", err=True)
            results.append(
                asyncio.run(
                    runner.probe(
                        runner.Plan(pack, seed, recorded, trace), *legs, models=(candidate_model, baseline_model), budget=budget,
                        log=log, deadline=deadline, progress=progress,
                    )
                )
            )  # fmt: skip
    _print(results, format_)
    if junit_path is not None:
        with opened(junit_path, "wb") as out:
            out.write(junit(results).encode())
    if monitor is not None:
        post(monitor, "/api/v1/probes", [sent for result in results for sent in to_rows(result)])
    return EXIT_CODES[worst(results)]


def _recorded(path: Path, most: int) -> tuple[Mapping[str, Any], ...]:
    """Bodies of the first chat exchanges of a file; what cannot be read is said and skipped."""
    tally = Tally()
    with opened(path, "rb") as lines:
        read = read_exchanges(lines, time.time(), tally)
        bodies = (exchange.request.body for exchange in read if exchange.request.operation == "chat")
        found = tuple(islice(bodies, most))
    for note in unreadable(str(path), tally.bad, tally.examples):
        click.echo(f"warning: {one_line(note, 2000)}", err=True)
    return found


def _leg(arm: Arm, url: str, concurrency: int, token_env: str | None) -> Leg:
    try:
        address = http_url(url)
    except ValueError as error:
        raise UsageError(f"--{arm}: {error}") from error
    return Leg(arm, address, concurrency=concurrency, token=secret(token_env, f"--{arm}"))


@contextmanager
def _progress(pack: Pack) -> Iterator[runner.Progress]:
    """Counts calls on a terminal; silent elsewhere."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(pack.name)
        yield lambda item, calls: bar.update(task, description=f"{pack.name}: {calls} calls, {item}")


def _print(results: list[Result], format_: str) -> None:
    if format_ == "json":
        echo_json(to_json(results), indent=1)
    elif format_ == "junit":
        click.echo(junit(results), nl=False)
    else:
        for result in results:
            table(wide_console(), result)
    for note in (note for result in results for note in result.notes):
        click.echo(f"warning: {one_line(note, 2000)}", err=True)


def _show(name: str | None) -> None:
    if name is None:
        for pack in map(load, NAMES):
            click.echo(f"{pack.name}: {pack.about}")
            for asked in (*pack.axes, *pack.families):
                about = AXES[asked].about if asked in AXES else FAMILIES[asked].about
                click.echo(f"  {asked:13} {about}")
        return
    click.echo(_described(name))


def _described(name: str) -> str:
    if name in AXES:
        axis = AXES[name]
        levels = axis.scale.levels
        example = axis.item(levels[len(levels) // 4], 0, 0)
        head = f"{name}: {axis.about}\n{axis.unit} from {levels[0]:g} to {levels[-1]:g}, {len(levels)} levels"
        return f"{head}\n\nat {example.level:g}:\n{_short(example.prompt)}\n\ncheck: {_short(json.dumps(example.check))}"
    if name in FAMILIES:
        family = FAMILIES[name]
        shown = [
            f"{item.group}:\n{_short(item.prompt)}\ncheck: {json.dumps(item.check)}"
            for item in family.items(1, 0)
        ]
        return "\n\n".join([f"{name}: {family.about}", *shown])
    try:
        pack = load(name)
    except ConfigError as error:
        known = ", ".join((*AXES, *FAMILIES))
        raise ConfigError(f"--describe {name}: no axis or family ({known}), and no pack: {error}") from error
    return pack.model_dump_json(indent=1, exclude={"items"})


def _short(text: str) -> str:
    return text if len(text) <= 900 else f"{text[:600]} … {text[-280:]}"
