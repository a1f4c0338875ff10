"""Delayed labels from the topic `labels`, each message as POST /api/v1/labels takes them:

    {"id": "…", "baseline_correct": true, "candidate_correct": false, "source": "…"}

Rows and the offset behind them are one transaction of the store: a label counts once, whoever dies.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from collectors.kafka_topic import LABELS, Cluster, Consumer, Received
from monitor.archive import label_row
from monitor.errors import BadInput, StoreError
from monitor.store import Batch, Row, Store

log = logging.getLogger("tailgate.labels")

OFFSET: Final = "kafka:labels"
EPOCH: Final = "kafka:labels:epoch"
LIMIT = 1000
RETRY_SECONDS = 5.0


class LabelTopic:
    """Reads on from where the store ends. `bury` notes what nobody can use, `put_aside` sends it away."""

    def __init__(
        self,
        cluster: Cluster,
        store: Store,
        *,
        bury: Callable[[Received, BadInput], object],
        put_aside: Callable[[], Awaitable[None]],
    ) -> None:
        self._store, self._bury, self._put_aside = store, bury, put_aside
        offsets = store.mapping("offsets")
        start, epoch = int(offsets.get(OFFSET, 0)), offsets.get(EPOCH, "")
        self._consumer = Consumer(cluster, LABELS, start=start, epoch=epoch)

    async def turn(self) -> int:
        """Store what has come; how many labels that was."""
        records = await self._consumer.poll(LIMIT)
        if not records:
            return 0
        rows = [row for record in records if (row := self._row(record)) is not None]
        await self._put_aside()
        offsets = {OFFSET: str(records[-1].offset + 1), EPOCH: self._consumer.epoch}
        await self._commit(Batch(labels=rows, offsets=offsets))
        return len(rows)

    async def close(self) -> None:
        """Stop reading."""
        await self._consumer.close()

    def _row(self, record: Received) -> Row | None:
        try:
            return row_of(record.value)
        except BadInput as reason:
            self._bury(record, reason)
            return None

    async def _commit(self, batch: Batch) -> None:
        """Until it is written: a full disk stops us."""
        while True:
            try:
                await asyncio.to_thread(self._store.commit, batch)
            except StoreError as error:
                log.error("%s; trying again", error)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return


def row_of(value: bytes | None) -> Row:
    """A row of `labels`, or BadInput: `malformed`, `unusable_label`."""
    try:
        label = json.loads(value or b"")
    except (ValueError, RecursionError) as error:
        raise BadInput("malformed", str(error)) from error
    row = label_row(label, time.time()) if isinstance(label, dict) else None
    if row is None:
        raise BadInput("unusable_label", "a label has an id and candidate_correct or baseline_correct")
    return row
