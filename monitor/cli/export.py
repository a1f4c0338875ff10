"""`tailgate export`: what a stopped monitor's database holds, as Parquet."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from monitor.errors import StoreError


@click.command("export")
@click.option(
    "--db",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="database of a stopped monitor",
)
@click.option("--to", "location", required=True, metavar="DIRECTORY|S3URL", help="where the files go")
@click.option("--route", default=None, metavar="NAME", help="name of the route [default: the database's]")
def command(db: Path, location: str, route: str | None) -> None:
    """Export everything that was not exported to that place yet; a running monitor does it by itself.

    The files are hive-partitioned Parquet: pairs and scores by route and day, and events, labels,
    candidates and stores whole. `report --archive`, `discover --archive` and `sql` read them.
    """
    from monitor.config import Config
    from monitor.parquet.export import EVERYTHING, Exporter
    from monitor.parquet.layout import DAY
    from monitor.parquet.places import place_of
    from monitor.store import Store

    if not db.exists():
        raise StoreError(f"{db}: no such database")
    place = place_of(location)
    with closing(Store(db)) as store:
        saved = store.mapping("meta").get("config")
        name = route or (Config.model_validate_json(saved) if saved else Config()).route.name
        pairs = Exporter(store, place, name, unit=DAY, patience=0).turn(EVERYTHING)
    click.echo(f"{pairs:,} pairs exported to {location}", err=True)
