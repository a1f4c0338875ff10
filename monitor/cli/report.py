"""`tailgate report`: the weekly drift report from exported files, or from a stopped monitor's database."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitor.cli.archived import archive_of, archive_options
from monitor.errors import StoreError, UsageError

if TYPE_CHECKING:
    from monitor.parquet.reading import Archive
    from monitor.store import Store

_UNITS = {"m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_STEPS = 32


def moment(text: str, now: float) -> float:
    """`7d`, `12h`, `30m`, `2w` before `now`, or an ISO date or time (UTC where it names no zone)."""
    found = re.fullmatch(r"(\d{1,6}(?:\.\d+)?)([mhdw])", text.strip())
    if found:
        return now - float(found[1]) * _UNITS[found[2]]
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"--since: {text!r} is neither like 7d or 12h nor a date like 2026-11-22") from error
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


@click.command("report")
@click.option(
    "--db",
    type=click.Path(path_type=Path, dir_okay=False),
    help="database of a stopped monitor",
)
@archive_options
@click.option("--since", default="7d", show_default=True, help="start of the window: 7d, 12h or a date")
@click.option("--until", default=None, help="its end [default: now]")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="file to write [default: stdout]"
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["html", "markdown", "json"]),
    default=None,
    help="[default: by the file's name, else html]",
)
def command(
    *,
    db: Path | None,
    archive: str | None,
    route: str | None,
    since: str,
    until: str | None,
    output: Path | None,
    format_: str | None,
) -> None:
    """The drift report: median against tail, reasons, latency, calibration, worst pairs, data quality."""
    from monitor.cli.sealed import vault_of
    from monitor.report.gather import gather
    from monitor.report.model import Window
    from monitor.report.render import FORMATS

    now = time.time()
    window = Window(moment(since, now), now if until is None else moment(until, now))
    if window.since >= window.until:
        raise UsageError("--since must lie before --until")
    with _opened(db, archive, route, window.before.since) as store, Steps() as steps:
        report = gather(store, window, now, steps, vault_of(store))
    _write(FORMATS[format_ or _format(output)](report), output)


@contextmanager
def _opened(
    db: Path | None, archive: str | None, route: str | None, since: float
) -> Iterator[Store | Archive]:
    """What the report is made from; `since` is where its reference window begins."""
    if (db is None) == (archive is None):
        raise UsageError("give --db or --archive, and not both")
    if archive is not None:
        with archive_of(archive, route, since) as opened:
            yield opened
        return
    from monitor.store import Store

    if db is None or not db.exists():
        raise StoreError(f"{db}: no such database")
    with closing(Store(db)) as store:
        yield store


def _format(output: Path | None) -> str:
    suffix = output.suffix.lower() if output else ""
    return {".md": "markdown", ".markdown": "markdown", ".json": "json"}.get(suffix, "html")


def _write(text: str, output: Path | None) -> None:
    """Whole or not at all: a reader never finds half a report."""
    if output is None:
        click.echo(text, nl=False)
        return
    part = output.with_name(output.name + ".part")
    try:
        part.write_text(text, "utf-8", errors="replace")
        part.replace(output)
    except OSError as error:
        raise StoreError(f"{output}: cannot be written: {error.strerror}") from error
    click.echo(f"{output}: {output.stat().st_size:,} bytes", err=True)


class Steps:
    """A progress bar on a terminal, silence elsewhere."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import Progress

        self._progress = Progress(
            console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True
        )
        self._task = self._progress.add_task("report", total=_STEPS)

    def __enter__(self) -> Steps:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, what: str) -> None:
        self._progress.update(self._task, advance=1, description=what)
