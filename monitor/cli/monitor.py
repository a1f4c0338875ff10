"""`tailgate monitor`: the monitor alone, reading a spool (or Kafka) that a sidecar fills."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import click

from monitor import heap
from monitor.cli.options import config_from, config_options
from monitor.errors import ConfigError


@click.command("monitor")
@config_options("baseline", "candidate", "http", "db", "replay_share", "store")
def command(path: Path | None, settings: tuple[str, ...], **flags: Any) -> None:
    """Score what a sidecar captured; serves metrics, verdict, gates and page."""
    config = config_from(path, settings, flags)
    if config.candidate.url is None:
        raise ConfigError("candidate.url: is required; --candidate http://host:8000 names it")
    heap.bound()
    logging.basicConfig(level="INFO", format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("httpx").setLevel("WARNING")
    if config.handover.kind == "kafka":
        from monitor.replicas import run
    else:
        from monitor.app import run

    run(config, reload=lambda: config_from(path, settings, flags))
