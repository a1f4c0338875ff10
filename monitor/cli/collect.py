"""`tailgate collect`: the other ways in (OTLP, Envoy, packets), beside or instead of the sidecar."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import click
import msgspec

from monitor.addresses import host_port
from monitor.cli.options import config_from, config_options
from monitor.cli.sidecar import STANDALONE_SPOOL, settings_of
from monitor.config_file import secret
from monitor.errors import ConfigError


@click.command("collect")
@config_options("sample")
def command(path: Path | None, settings: tuple[str, ...], **flags: Any) -> None:
    """Take exchanges from elsewhere and spool them for the monitor, as the sidecar does.

    Configured under `collect`. One line of JSON on stdout says when it is ready and on which
    addresses. SIGTERM writes what is queued and ends.
    """
    config = config_from(path, settings, flags)
    token = secret(config.collect.token_env, "collect.token_env")
    secret(config.privacy.key_env, "privacy.key_env")
    logging.basicConfig(level="INFO", format="%(asctime)s %(name)s %(message)s")
    # Nothing is forwarded here, hence no upstream; the admin port is this process's own.
    process = msgspec.structs.replace(
        settings_of(config, config.spool.directory or STANDALONE_SPOOL),
        upstream=("", 0),
        upstream_tls=False,
        admin=host_port(config.collect.admin),
        token_env=config.collect.token_env,
    )
    if config.collect.topic.name and not config.kafka.bootstrap:
        raise ConfigError("collect.topic.name: needs the brokers; set kafka.bootstrap=['HOST:PORT']")
    logging.getLogger("kafka").setLevel("CRITICAL")  # it reports every attempt to reconnect; we report states
    from collectors.collect import run
    from monitor.replica import cluster_of

    run(process, config.collect, token or "", cluster_of(config))
