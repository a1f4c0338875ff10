"""`tailgate erase`: forget a data subject."""

from __future__ import annotations

import json

import click

from monitor.cli.source import DEFAULT_URL, post


@click.command("erase")
@click.option("--subject", required=True, help="The subject, as the header privacy.subject carries it.")
@click.option("--url", default=DEFAULT_URL, show_default=True, help="Address of the running monitor.")
def command(subject: str, url: str) -> None:
    """Delete what is stored about a data subject, in the database and in the spool.

    Prints how many pairs and spool records are gone; the audit keeps the count, never the subject.
    """
    click.echo(json.dumps(post(url, "/api/v1/erase", {"subject": subject})))
