"""`tailgate export`: what a stopped monitor's database holds, as Parquet; or what is kept about one person."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import click

from monitor.cli.json_out import echo_json
from monitor.cli.source import DEFAULT_URL, post
from monitor.errors import StoreError, UsageError


@click.command("export")
@click.option("--db", type=click.Path(path_type=Path, dir_okay=False), help="database of a stopped monitor")
@click.option("--to", "location", metavar="DIRECTORY|S3URL", help="where the files go")
@click.option("--route", default=None, metavar="NAME", help="name of the route [default: the database's]")
@click.option("--subject", default=None, help="print as JSON lines what is kept about this data subject")
@click.option(
    "--url", default=DEFAULT_URL, show_default=True, help="with --subject: address of the running monitor"
)
def command(db: Path | None, location: str | None, route: str | None, subject: str | None, url: str) -> None:
    """Export everything that was not exported to that place yet; a running monitor does it by itself.

    The files are hive-partitioned Parquet: pairs and scores by route and day, and events, labels,
    candidates and stores whole. `report --archive`, `discover --archive` and `sql` read them.

    With --subject: one JSON object per pair of a data subject, texts as they are kept, on stdout.
    """
    if subject is not None:
        pairs = (
            post(url, "/api/v1/subject", {"subject": subject})["pairs"] if db is None else _kept(db, subject)
        )
        for pair in pairs:
            echo_json(pair)
        return
    if db is None or location is None:
        raise UsageError("give --db and --to, or --subject")
    click.echo(f"{_export(db, location, route):,} pairs exported to {location}", err=True)


def _export(db: Path, location: str, route: str | None) -> int:
    from monitor.cli.sealed import config_of
    from monitor.parquet.export import EVERYTHING, Exporter
    from monitor.parquet.layout import DAY
    from monitor.parquet.places import place_of
    from monitor.store import Store

    if not db.exists():
        raise StoreError(f"{db}: no such database")
    place = place_of(location)
    with closing(Store(db)) as store:
        name = route or config_of(store).route.name
        return Exporter(store, place, name, unit=DAY, patience=0).turn(EVERYTHING)


def _kept(db: Path, subject: str) -> list[dict[str, Any]]:
    from monitor import forgetting
    from monitor.cli.sealed import key_of
    from monitor.ledger import Keys
    from monitor.store import Store
    from monitor.vault import Vault

    if not db.exists():
        raise StoreError(f"{db}: no such database")
    with closing(Store(db)) as store:
        if (key := key_of(store)) is None:
            raise StoreError(
                f"{db}: the key that names subjects is not at hand (privacy.key_env, tailgate.key)"
            )
        return forgetting.export(store, Keys(key).subject(subject), Vault(key))
