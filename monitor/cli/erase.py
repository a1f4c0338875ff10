"""`tailgate erase`: forget a data subject."""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from monitor.cli.source import DEFAULT_URL, post
from monitor.errors import StoreError, Unreachable

PATIENCE_SECONDS = 3600.0
"""An erasure rewrites the whole database and every exported file that holds the subject."""


@click.command("erase")
@click.option("--subject", required=True, help="The subject, as the header privacy.subject carries it.")
@click.option("--url", default=DEFAULT_URL, show_default=True, help="Address of the running monitor.")
@click.option("--db", type=click.Path(path_type=Path, dir_okay=False), help="Database of a stopped monitor.")
def command(subject: str, url: str, db: Path | None) -> None:
    """Delete what is stored about a data subject, in the database, in exported files and in the spool.

    Prints how many pairs and spool records are gone; the audit keeps the count, never the subject.
    """
    found = (
        post(url, "/api/v1/erase", {"subject": subject}, timeout=PATIENCE_SECONDS)
        if db is None
        else erased(db, subject)
    )
    click.echo(json.dumps(found))
    if unreached := found.get("unreached"):
        raise Unreachable("not erased from earlier exports: " + "; ".join(unreached))


def erased(db: Path, subject: str) -> dict[str, Any]:
    """Forget a subject in a stopped monitor's database and spool, and in what was exported of it."""
    from collectors.spool_reader import erase as erase_waiting
    from monitor import forgetting
    from monitor.cli.sealed import config_of, key_of
    from monitor.ledger import Keys
    from monitor.parquet.places import place_of
    from monitor.parquet.routine import erase_exported
    from monitor.store import Store

    if not db.exists():
        raise StoreError(f"{db}: no such database")
    with closing(Store(db)) as store:
        key = key_of(store)
        if key is None:
            raise StoreError(
                f"{db}: the key that names subjects is not at hand (privacy.key_env, tailgate.key)"
            )
        config, hashed, now = config_of(store), Keys(key).subject(subject), time.time()
        waiting = erase_waiting(config.spool_directory, key, subject)
        pairs = forgetting.erase(store, hashed, now)
        where = config.export.directory
        exported = erase_exported(store, place_of(where) if where else None, hashed)
    remark = forgetting.remark(config.privacy.subject)
    return {"pairs": pairs, "spool": waiting, **exported, **remark}
