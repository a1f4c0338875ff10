"""What both halves of a monitor on Kafka share: the cluster, the key, dead letters and counters."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from collectors.kafka_admin import ensure_topics
from collectors.kafka_topic import Cluster, Message, Producer, Received, dead_letter
from monitor.config import Config
from monitor.config_file import secret
from monitor.errors import BadInput, Unreachable

log = logging.getLogger("tailgate.replica")

CONNECT_SECONDS = 2.0
LETTERS = 64


def cluster_of(config: Config) -> Cluster:
    """The brokers and how to talk to them; secrets come from the environment."""
    security = {
        key.removesuffix("_env"): secret(value, f"kafka.security.{key}") if key.endswith("_env") else value
        for key, value in config.kafka.security.items()
    }
    return Cluster(config.kafka.bootstrap, config.kafka.topic_prefix, security)


def prepare(config: Config, cluster: Cluster) -> None:
    """The topics, where they do not exist. Exchanges are kept as long as a spool would keep them."""
    kafka = config.kafka
    ensure_topics(
        cluster, kafka.partitions, config.spool.max_age_seconds, kafka.replication, max_record_bytes(config)
    )


def max_record_bytes(config: Config) -> int:
    """Both messages as captured, headers and marks; sealing and packing add less than the slack."""
    return 2 * config.sidecar.max_body_bytes + (4 << 20)


def codec_of(config: Config) -> str | None:
    """How the client compresses."""
    return None if config.kafka.compression == "none" else config.kafka.compression


async def topics_of(replica: Replica) -> None:
    """Until the topics are there."""
    while True:
        try:
            await asyncio.to_thread(prepare, replica.config, replica.cluster)
        except Unreachable as error:
            log.warning("%s; trying again", error)
            await asyncio.sleep(CONNECT_SECONDS)
        else:
            return


@dataclass(slots=True)
class Replica:
    """What both halves share: configuration, cluster, key and counters."""

    config: Config
    cluster: Cluster
    key: bytes = field(repr=False)
    dead_letters: int = 0
    values: dict[str, Callable[[], float]] = field(default_factory=dict)
    _letters: list[Message] = field(default_factory=list)
    _reasons: Counter[str] = field(default_factory=Counter)
    _sending: asyncio.Lock = field(default_factory=asyncio.Lock)

    def bury(self, record: Received, reason: BadInput) -> None:
        """Note a record that nobody can use; `send_letters` puts it aside."""
        self.dead_letters += 1
        self._reasons[reason.reason] += 1
        self._letters.append(dead_letter(self.cluster, record, reason))

    async def send_letters(self, producer: Producer) -> None:
        """Put aside what was buried, before anybody goes on behind it."""
        async with self._sending:
            await self._send_letters(producer)

    async def _send_letters(self, producer: Producer) -> None:
        while letters := self._letters[:LETTERS]:
            try:
                await asyncio.to_thread(producer.send, letters)
            except Unreachable as error:
                log.warning("dead letters wait: %s", error)
                await asyncio.sleep(CONNECT_SECONDS)
            else:
                del self._letters[: len(letters)]
        if self._reasons:
            log.warning(
                "dead letters: %s", ", ".join(f"{count} {why}" for why, count in self._reasons.items())
            )
            self._reasons.clear()

    def measures(self) -> Mapping[str, float]:
        """For the metrics."""
        return {"dead_letters": self.dead_letters, **{name: read() for name, read in self.values.items()}}
