"""`tailgate labels FILE`: delayed truth about scored exchanges."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from monitor.cli.files import opened
from monitor.cli.source import DEFAULT_URL, post

BATCH = 1000


@click.command("labels")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--url", default=DEFAULT_URL, show_default=True, help="Address of the running monitor.")
def command(file: Path, url: str) -> None:
    """Send labels, JSON Lines: {"id": …, "baseline_correct": true, "candidate_correct": false}.

    Unusable lines are counted on stderr with their number.
    """
    accepted = rejected = 0
    batch: list[Any] = []
    with opened(file, "rb") as lines:
        for label in _read(lines):
            if label is None:
                rejected += 1
                continue
            batch.append(label)
            if len(batch) == BATCH:
                accepted, rejected = _send(url, batch, accepted, rejected)
                batch = []
    accepted, rejected = _send(url, batch, accepted, rejected)
    click.echo(json.dumps({"accepted": accepted, "rejected": rejected}))


def _read(lines: Any) -> Iterator[dict[str, Any] | None]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            label = json.loads(line)
        except (ValueError, RecursionError):
            label = None
        if not isinstance(label, dict):
            click.echo(f"line {number}: not a JSON object", err=True)
            yield None
        else:
            yield label


def _send(url: str, batch: Sequence[Any], accepted: int, rejected: int) -> tuple[int, int]:
    if not batch:
        return accepted, rejected
    counts = post(url, "/api/v1/labels", list(batch))
    return accepted + counts["accepted"], rejected + counts["rejected"]
