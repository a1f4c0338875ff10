"""I/O: topics, producer and consumers of one route on a Kafka cluster (kafka-python).

Topics carry a prefix of their own per route: `exchanges` (sealed, from the shippers to the monitors that
score), `scores` (one partition: the route's log), `settled` (compacted: what of each stream needs no
sending again), `labels` (delayed truth, from anybody), `decisions` (alarms, clears, verdicts) and `dead-letter`.

A client that cannot reach its brokers blocks its caller for up to half a minute, which is why no process
in the path of production imports this file. Lag is `highwater - position`: some brokers answer
`end_offsets` wrongly.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NamedTuple, TypeVar

from monitor.errors import BadInput, ConfigError, Unreachable

log = logging.getLogger("tailgate.kafka")

EXCHANGES, SCORES, SETTLED, LABELS, DECISIONS, DEAD_LETTER = (
    "exchanges",
    "scores",
    "settled",
    "labels",
    "decisions",
    "dead-letter",
)
FIRST_PARTITION = 0
"""Where `scores`, `settled` and `labels` are read: somebody may have made them with more."""
ACK_SECONDS = 15.0
RETRY_SECONDS = 1.0
POLL_SECONDS = 0.2
DEAD_LETTER_BYTES = 900_000
"""A dead letter carries the record itself up to this size: below every broker's default limit."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Cluster:
    """How to reach the brokers; `security` are options of kafka-python with their secrets."""

    bootstrap: tuple[str, ...]
    prefix: str = "tailgate."
    security: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def topic(self, name: str) -> str:
        """A topic's full name."""
        return self.prefix + name

    @property
    def options(self) -> dict[str, Any]:
        """What every client is made with."""
        return {"bootstrap_servers": list(self.bootstrap), "client_id": "tailgate", **self.security}

    @property
    def reading(self) -> dict[str, Any]:
        """The same for clients that use topics: one made by accident has another shape than `ensure_topics`."""
        return {**self.options, "allow_auto_create_topics": False}


class Message(NamedTuple):
    """One record to produce; `topic` is the full name."""

    topic: str
    value: bytes
    key: bytes | None = None
    partition: int | None = None
    headers: Sequence[tuple[str, bytes]] = ()


class Received(NamedTuple):
    """One record consumed."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


def reaching(cluster: Cluster, make: Callable[[], T]) -> T:
    """The client, or Unreachable."""
    from kafka.errors import KafkaConfigurationError, KafkaError

    try:
        return make()
    except KafkaConfigurationError as error:
        raise ConfigError(f"kafka: {error}") from error
    except KafkaError as error:
        raise Unreachable(
            f"kafka.bootstrap: none of {', '.join(cluster.bootstrap)} answers ({error})"
        ) from error
    except (ValueError, OSError) as error:  # an unreadable certificate, an unknown mechanism
        raise ConfigError(f"kafka.security: {error}") from error


class Producer:
    """Sends batches and waits for all acknowledgements, one batch at a time."""

    def __init__(self, cluster: Cluster, compression: str | None = None) -> None:
        self._cluster, self._compression = cluster, compression
        self._client: Any = None
        self._lock = threading.Lock()

    def _connected(self) -> Any:
        if self._client is None:
            from kafka import KafkaProducer

            self._client = reaching(
                self._cluster,
                lambda: KafkaProducer(
                    **self._cluster.reading,
                    acks="all",
                    enable_idempotence=False,  # readers know repeats; sequence numbers do not survive a new broker
                    linger_ms=5,
                    batch_size=1 << 18,
                    max_in_flight_requests_per_connection=1,  # a retry overtakes nothing
                    max_request_size=64 << 20,
                    compression_type=self._compression,
                    bootstrap_timeout_ms=5000,
                    max_block_ms=5000,
                    request_timeout_ms=10_000,
                    delivery_timeout_ms=int(1000 * ACK_SECONDS),
                ),
            )
        return self._client

    def partitions(self, topic: str) -> int:
        """How many partitions a topic has. Raises Unreachable."""
        return len(reaching(self._cluster, lambda: self._connected().partitions_for(topic)) or ()) or 1

    def send(self, messages: Sequence[Message]) -> list[tuple[int, int]]:
        """(partition, offset) of each, acknowledged by all replicas in sync. After Unreachable some may
        have arrived, or still will: the readers know repeats by their positions. Raises BadInput where a
        broker refuses one for its size."""
        with self._lock:
            return self._send(messages)

    def _send(self, messages: Sequence[Message]) -> list[tuple[int, int]]:
        from kafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError

        try:
            client = self._connected()
            futures = [
                client.send(
                    m.topic, key=m.key, value=m.value, partition=m.partition, headers=list(m.headers) or None
                )
                for m in messages
            ]
            acknowledged = [future.get(timeout=ACK_SECONDS + 5) for future in futures]
        except (MessageSizeTooLargeError, RecordListTooLargeError) as error:
            raise BadInput("too_large_for_topic", "raise max.message.bytes of the topic") from error
        except KafkaError as error:
            self.close()
            raise Unreachable(f"kafka: not acknowledged: {type(error).__name__} {error}") from error
        except ValueError as error:  # a topic that came back with fewer partitions
            self.close()
            raise Unreachable(f"kafka: {error}") from error
        return [(metadata.partition, metadata.offset) for metadata in acknowledged]

    def close(self) -> None:
        """Drop the connection; the next `send` makes a new one."""
        client, self._client = self._client, None
        if client is not None:
            client.close(timeout=0.5)


def dead_letter(cluster: Cluster, record: Received, reason: BadInput) -> Message:
    """The record that nobody can use, with where it lay and why; its size and hash where it is large."""
    value = record.value or b""
    headers = {
        "reason": reason.reason,
        "detail": str(reason)[:500],
        "topic": record.topic,
        "partition": str(record.partition),
        "offset": str(record.offset),
        "size": str(len(value)),
        "sha256": sha256(value).hexdigest(),
    }
    kept = value if len(value) <= DEAD_LETTER_BYTES else b""
    named = [(f"tailgate.{name}", text.encode("utf-8", "replace")) for name, text in headers.items()]
    return Message(cluster.topic(DEAD_LETTER), kept, record.key, headers=named)


class Consumer:
    """One consumer and the thread that owns it. Offsets are nobody's but the caller's."""

    def __init__(
        self,
        cluster: Cluster,
        topic: str,
        *,
        group: str | None = None,
        session_seconds: float = 30.0,
        partition: int = FIRST_PARTITION,
        start: int = 0,
        epoch: str = "",
    ) -> None:
        """A member of `group`, dead after `session_seconds` of silence; else the reader of one partition
        from `start` on, or from its beginning if the topic is not the one that `epoch` names."""
        self._cluster, self._topic, self._group = cluster, cluster.topic(topic), group
        self._session_seconds = session_seconds
        self._partition, self._start = partition, start
        self.epoch = epoch
        """Names the topic that is read (KIP-516): a cluster that lost everything makes another of the same name."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"kafka-{topic}")
        self._client: Any = None
        self._connections: frozenset[Any] = frozenset()
        self._read: dict[int, int] = {}  # next offset per partition
        self.lag = 0
        self.assigned = 0
        """Partitions that are read here."""

    def _connected(self) -> Any:
        if self._client is None:
            from kafka import KafkaConsumer, TopicPartition

            client = reaching(
                self._cluster,
                lambda: KafkaConsumer(
                    **self._cluster.reading,
                    **(
                        {"group_id": self._group, **_membership(self._session_seconds)} if self._group else {}
                    ),
                    enable_auto_commit=False,
                    auto_offset_reset="earliest",
                    bootstrap_timeout_ms=5000,
                    max_partition_fetch_bytes=4 << 20,
                ),
            )
            if self._group:
                client.subscribe([self._topic])
            else:
                partition = TopicPartition(self._topic, self._partition)
                client.assign([partition])
                client.seek(partition, self._start)
            self._client, self._connections = client, _connections(client)
        return self._client

    async def poll(self, limit: int) -> list[Received]:
        """What has come, at most `limit`; an empty list after a while. Failures are logged and waited out."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self.poll_now, limit)

    def poll_now(self, limit: int, seconds: float = POLL_SECONDS) -> list[Received]:
        """The same, in the calling thread; use one or the other."""
        from kafka.errors import KafkaError

        try:
            client = self._connected()
            batches = client.poll(timeout_ms=int(1000 * seconds), max_records=limit)
            if self._has_lost_a_connection(client):
                self._forget()  # the next client asks for the topic's name before it reads on
                return []
            if self._is_another(client):
                return []
            for partition, batch in batches.items():
                self._read[partition.partition] = batch[-1].offset + 1
            self._measure(client)
        except (KafkaError, Unreachable) as error:
            log.warning("%s: %s; trying again", self._topic, error)
            self._forget()
            return []
        records = [
            Received(r.topic, r.partition, r.offset, r.key, r.value, r.headers)
            for batch in batches.values()
            for r in batch
        ]
        if records:
            self._start = (
                records[-1].offset + 1
            )  # where a reader without a group goes on after a reconnection
        return records

    def _is_another(self, client: Any) -> bool:
        """Whether the topic is not the one that was read so far; then its beginning comes next.

        Offsets of a lost log say nothing of the new one: Apache Kafka answers OFFSET_OUT_OF_RANGE while the
        new one is shorter, Tansu nothing at all, and once it is longer neither has reason to complain.
        """
        epoch = str(client._cluster.topic_id(self._topic) or "")  # noqa: SLF001  kafka-python shows it nowhere else
        known, self.epoch = self.epoch, epoch or self.epoch
        if not known or self.epoch == known:
            return False
        log.warning("%s: another topic of that name; reading it from its start", self._topic)
        self._start = 0
        self._read.clear()
        for partition in client.assignment():
            client.seek(partition, 0)
        return True

    def _has_lost_a_connection(self, client: Any) -> bool:
        """Whether what came may be another topic's: its name is as old as the client's metadata, which may be
        older than the connection. A group's reader keeps its membership: what it reads twice is known by position.
        """
        known, self._connections = self._connections, _connections(client)
        return self._group is None and not known <= self._connections

    def _measure(self, client: Any) -> None:
        """Lag from what was read: `position` waits for a broker to say where a partition begins."""
        partitions = client.assignment()
        self.assigned = len(partitions)
        read = {
            each.partition: self._read[each.partition] for each in partitions if each.partition in self._read
        }
        ends = {each.partition: client.highwater(each) for each in partitions}
        self.lag = sum(max(0, (ends[number] or 0) - offset) for number, offset in read.items())
        self._read = read

    async def commit(self, offsets: Mapping[int, int]) -> None:
        """Next offset per partition. What a rebalance took away is somebody else's to repeat."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._commit, offsets)

    def _commit(self, offsets: Mapping[int, int]) -> None:
        from kafka import TopicPartition
        from kafka.errors import KafkaError
        from kafka.structs import OffsetAndMetadata

        if self._client is None:
            return
        mine = self._client.assignment()
        wanted = {TopicPartition(self._topic, number): offset for number, offset in offsets.items()}
        held = {each: OffsetAndMetadata(offset, "", -1) for each, offset in wanted.items() if each in mine}
        if not held:
            return
        try:
            self._client.commit(held)
        except KafkaError as error:
            log.warning(
                "%s: offsets not committed (%s); what is behind them may come again", self._topic, error
            )

    def _forget(self) -> None:
        client, self._client = self._client, None
        self.assigned = 0
        if client is not None:
            client.close(autocommit=False)

    async def close(self) -> None:
        """Leave the group."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._forget)
        self._thread.shutdown()


def _connections(client: Any) -> frozenset[Any]:
    """Those that stand; kafka-python counts lost ones only as rates."""
    return frozenset(client._manager._conns.values())  # noqa: SLF001


def _membership(session_seconds: float) -> dict[str, Any]:
    """How monitors share the exchanges: partitions that stay are read on while others move (KIP-429)."""
    from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor

    return {
        "partition_assignment_strategy": [CooperativeStickyAssignor],
        "session_timeout_ms": int(1000 * session_seconds),
        "heartbeat_interval_ms": int(100 * session_seconds),
        "max_poll_interval_ms": 300_000,
    }
