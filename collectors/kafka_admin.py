"""I/O: the topics of one route, made where they are missing (kafka-python's admin client)."""

from __future__ import annotations

import logging
from typing import Any

from collectors.kafka_topic import (
    DEAD_LETTER,
    DECISIONS,
    EXCHANGES,
    LABELS,
    SCORES,
    SETTLED,
    Cluster,
    reaching,
)
from monitor.errors import Unreachable

log = logging.getLogger("tailgate.kafka")


def ensure_topics(
    cluster: Cluster, partitions: int, retention_seconds: float, replication: int, max_bytes: int = 20 << 20
) -> None:
    """Create what is missing; topics that exist are left as they are, and told of where they have partitions that
    nobody reads. Raises Unreachable."""
    from kafka.admin import KafkaAdminClient, NewTopic
    from kafka.errors import KafkaError, TopicAlreadyExistsError

    admin = reaching(cluster, lambda: KafkaAdminClient(**cluster.options))
    largest = {"max.message.bytes": str(max_bytes)}
    retention = {"retention.ms": str(int(1000 * retention_seconds)), **largest}
    shapes: dict[str, tuple[int, dict[str, str]]] = {
        EXCHANGES: (partitions, retention),
        SCORES: (1, {"retention.ms": str(7 * 86_400_000), **largest}),
        SETTLED: (1, {"cleanup.policy": "compact"}),
        LABELS: (1, {}),
        DECISIONS: (1, {}),
        DEAD_LETTER: (1, {}),
    }
    try:
        known = set(admin.list_topics())
        if cluster.topic(LABELS) in known:
            _tell_of_unread(admin, cluster.topic(LABELS))
        for name, (count, settings) in shapes.items():
            if cluster.topic(name) in known:
                continue
            new = NewTopic(cluster.topic(name), count, replication, topic_configs=settings)
            try:
                admin.create_topics([new])
            except TopicAlreadyExistsError:
                continue
    except KafkaError as error:
        raise Unreachable(f"kafka: topics cannot be created: {error}") from error
    finally:
        admin.close()


def _tell_of_unread(admin: Any, topic: str) -> None:
    """What others write to by key goes to any partition."""
    (count,) = (len(each["partitions"]) for each in admin.describe_topics([topic]))
    if count > 1:
        log.warning(
            "%s has %d partitions, and only partition 0 is read: create it with one, or write to that one",
            topic,
            count,
        )
