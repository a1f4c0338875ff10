"""`tailgate shipper`: the spool to Kafka, beside a sidecar."""

from __future__ import annotations

import logging
import signal
import time
from functools import partial
from pathlib import Path
from types import FrameType

import click

from monitor.cli.options import config_from, config_options
from monitor.cli.sidecar import STANDALONE_SPOOL
from monitor.config import Config
from monitor.errors import ConfigError


@click.command("shipper")
@config_options()
def command(path: Path | None, settings: tuple[str, ...]) -> None:
    """Ship what a sidecar spooled to Kafka, and release what a monitor has committed."""
    config = config_from(path, settings, {})
    if config.handover.kind != "kafka":
        raise ConfigError("handover.kind: is spool, so there is nothing to ship; set it to kafka")
    logging.basicConfig(level="INFO", format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("kafka").setLevel("CRITICAL")  # it reports every attempt to reconnect; we report states
    run(config)


def run(config: Config) -> None:
    """Until SIGTERM."""
    from prometheus_client import start_http_server

    from collectors.kafka_records import Sealer
    from collectors.kafka_topic import SETTLED, Consumer, Producer
    from collectors.shipper import Shipper
    from collectors.spool import bind, load_key
    from collectors.spool_reader import Reader
    from monitor.addresses import host_port
    from monitor.replica import cluster_of, prepare
    from monitor.replica_metrics import registry_of

    cluster, directory = cluster_of(config), config.spool.directory or STANDALONE_SPOOL
    key = load_key(directory, config.privacy.key_env)
    bind(directory, f"kafka:{cluster.prefix}")
    shipper = Shipper(
        cluster,
        Sealer(key),
        open_reader=partial(Reader, directory, key),
        producer=Producer(cluster),
        hear=partial(Consumer(cluster, SETTLED).poll_now, 500, 0.05),
        prepare=partial(prepare, config, cluster),
        codec=config.kafka.compression,
    )
    host, port = host_port(config.kafka.shipper_listen)
    start_http_server(port, host, registry_of(config.route.name, shipper.measures))
    stopping = _on_stop()
    while not stopping:
        time.sleep(shipper.turn())
    shipper.close()


def _on_stop() -> list[int]:
    """Fills when a signal asks to stop."""
    asked: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        asked.append(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, note)
    return asked
