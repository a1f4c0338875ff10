"""I/O: records that another tool writes to a Kafka topic of its own, read by a mapping file.

The offset is committed once what lies before it was handed over: after a crash the last few records come
again, and those that were written twice are scored twice. `X-Request-Id` in the mapping lets you see them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from collectors.intake import Intake
from collectors.kafka_topic import Cluster, Consumer, Received
from collectors.mapping import RecordMapping
from collectors.posted import take
from monitor.config_collect import Topic

LIMIT = 200


@asynccontextmanager
async def record_topic(
    intake: Intake, cluster: Cluster, settings: Topic, mapping: RecordMapping
) -> AsyncIterator[str]:
    """Reads while it is open; yields topic and brokers. A broker that does not answer is waited for."""
    name = settings.name or ""
    consumer = Consumer(Cluster(cluster.bootstrap, "", cluster.security), name, group=settings.group)
    reading = asyncio.create_task(_read(intake, consumer, mapping, settings.max_record_bytes))
    try:
        yield f"{name} on {', '.join(cluster.bootstrap)}"
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await consumer.close()


async def _read(intake: Intake, consumer: Consumer, mapping: RecordMapping, max_bytes: int) -> None:
    while True:
        ends: dict[int, int] = {}
        for record in await consumer.poll(LIMIT):
            _take(intake, mapping, record, max_bytes)
            ends[record.partition] = record.offset + 1
        if ends:
            await consumer.commit(ends)


def _take(intake: Intake, mapping: RecordMapping, record: Received, max_bytes: int) -> None:
    """Every record ends in the spool or in one count; a tombstone is none."""
    if record.value is None:
        return
    if len(record.value) > max_bytes:
        intake.refuse("too_large")
    else:
        take(intake, mapping, record.value)
