"""`tailgate run`: sidecar and monitor (and with Kafka between them the shipper), one command."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import click

from monitor.cli.options import as_arguments, config_from, config_options
from monitor.errors import ConfigError
from monitor.supervisor import Child, Supervisor


@click.command("run")
@config_options("baseline", "candidate", "listen", "http", "db", "sample", "replay_share", "store")
def command(path: Path | None, settings: tuple[str, ...], **flags: Any) -> int:
    """Capture and monitor, one command.

    Point your clients at --listen; the verdict, metrics and page are at --http.
    """
    config = config_from(path, settings, flags)
    if config.candidate.url is None:
        raise ConfigError("candidate.url: is required; --candidate http://host:8000 names it")
    logging.basicConfig(level="INFO", format="%(asctime)s %(name)s %(message)s")
    arguments = as_arguments(path, settings, flags)
    spool = ["--set", f"spool.directory={config.spool_directory}"]
    click.echo(
        f"clients: http://{config.sidecar.listen}   verdict, metrics, page: http://{config.http.listen}   "
        f"kill switch: http://{config.sidecar.admin}/-/sampling",
        err=True,
    )
    children = [
        Child("sidecar", ["sidecar", *arguments, *spool]),
        Child("monitor", ["monitor", *arguments, *spool]),
    ]
    if config.handover.kind == "kafka":
        children.insert(1, Child("shipper", ["shipper", *arguments, *spool]))
    if config.collect.ways:
        children.insert(1, Child("collect", ["collect", *arguments, *spool]))
    return Supervisor(children, drain_seconds=config.sidecar.drain_seconds + 5).run()
