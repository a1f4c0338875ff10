"""Machine output: JSON on standard output, harmless where a person looks at it on a terminal."""

from __future__ import annotations

import json

import click

from monitor.inert import in_json


def echo_json(value: object, indent: int | None = None) -> None:
    """One JSON value; NaN is an error of ours, never output."""
    click.echo(in_json(json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False)))
