"""The half of a monitor that judges: the route's log in, evidence, verdict and word to the shippers out."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Coroutine, Mapping
from functools import partial
from typing import Any

from collectors.kafka_topic import (
    DECISIONS,
    FIRST_PARTITION,
    SCORES,
    SETTLED,
    Cluster,
    Consumer,
    Message,
    Producer,
)
from monitor.app import IDENTITY_SECONDS, settled_ranges, settling_of
from monitor.candidate import Leg
from monitor.errors import Unreachable
from monitor.evidence_log import EPOCH, OFFSET, EvidenceLog
from monitor.label_topic import LabelTopic
from monitor.records import Verdict
from monitor.replica import Replica, topics_of
from monitor.service import Service
from monitor.settling import Settling
from monitor.standing import Standing

log = logging.getLogger("tailgate.evidence")

LIMIT = 500
ANNOUNCE_SECONDS = 1.0
REPEAT_SECONDS = 60.0
DECIDE_SECONDS = 5.0


class Evidence:
    """Reads the log from where its store ends."""

    def __init__(self, replica: Replica, standing: Standing) -> None:
        self._replica, self._standing = replica, standing
        offsets = standing.store.mapping("offsets")
        ((since,),) = standing.store.query("SELECT max(since) FROM candidates")
        self.log = EvidenceLog(
            standing, settled_ranges(standing.store), start=int(offsets.get(OFFSET, 0)), since=since or 0.0
        )
        self.log.reads(offsets.get(EPOCH, ""))
        self._consumer = Consumer(replica.cluster, SCORES, start=self.log.next, epoch=self.log.epoch)
        self._producer = Producer(replica.cluster)
        self._labels = LabelTopic(
            replica.cluster,
            standing.store,
            bury=replica.bury,
            put_aside=lambda: replica.send_letters(self._producer),
        )
        self._fresh: set[str] = set(self.log.streams)
        replica.values |= {"lag_scores": lambda: self._consumer.lag, "repeats": lambda: self.log.repeats}

    def settling(self, service: Service) -> Settling:
        """The owner of the log on the store's side."""
        made = settling_of(self._standing, service, self._committed, self.log.positions)
        self.log.attach(made)
        return made

    def erase(self, subject: str) -> int:
        """Keep out what is still on the topics of a data subject; nobody knows how many."""
        return self.log.erase(self._standing.keys.subject(subject), time.time())

    def tasks(self, service: Service, candidate: Leg) -> Mapping[str, Coroutine[Any, Any, None]]:
        """What runs for ever."""
        return {
            "scores": self._read(),
            "labels": self._take_labels(service),
            "seen": _look(service, candidate),
            "announce": self._announce_for_ever(),
            "decisions": self._decide(service),
        }

    async def close(self) -> None:
        """Stop reading."""
        await self._consumer.close()
        await self._labels.close()
        self._producer.close()

    async def _read(self) -> None:
        await topics_of(self._replica)
        while True:
            records = await self._consumer.poll(LIMIT)
            self.log.reads(self._consumer.epoch)
            for record in records:
                await self.log.take(record.offset, record.value, partial(self._replica.bury, record))
            await self._replica.send_letters(self._producer)

    async def _take_labels(self, service: Service) -> None:
        await topics_of(self._replica)
        while True:
            if await self._labels.turn():
                service.look_for_labels()

    def _committed(self, offsets: Mapping[str, str]) -> None:
        self._fresh.update(name for name in offsets if name not in {OFFSET, EPOCH})

    async def _announce_for_ever(self) -> None:
        """What is committed, once per second; all of it now and then, for a topic that came back empty."""
        rounds = 0
        while True:
            await asyncio.sleep(ANNOUNCE_SECONDS)
            rounds += 1
            if rounds % (REPEAT_SECONDS / ANNOUNCE_SECONDS) == 0:
                self._fresh.update(self.log.streams)
            if self._fresh:
                await self._send(self._announce())

    async def _announce(self) -> None:
        names = tuple(self._fresh)
        settled = await asyncio.to_thread(self._settled, names)
        await asyncio.to_thread(self._producer.send, announcements(self._replica.cluster, settled))
        self._fresh.difference_update(names)

    def _settled(self, names: tuple[str, ...]) -> dict[str, str]:
        """From the store, not from memory: what a crash cannot take back."""
        found = settled_ranges(self._standing.store)
        return {name: found[name].dump() for name in names if name in found}

    async def _decide(self, service: Service) -> None:
        """The verdict on its topic whenever it changes, for systems that act on it."""
        last = ""
        while True:
            await asyncio.sleep(DECIDE_SECONDS)
            decision = _decision(await asyncio.to_thread(service.verdict))
            text = json.dumps(decision, sort_keys=True)
            if text != last:
                message = Message(
                    self._replica.cluster.topic(DECISIONS), text.encode(), decision["route"].encode()
                )
                if await self._send(asyncio.to_thread(self._producer.send, [message])):
                    last = text

    @staticmethod
    async def _send(sending: Coroutine[Any, Any, Any]) -> bool:
        try:
            await sending
        except Unreachable as error:
            log.warning("%s; trying again", error)
            return False
        return True


async def _look(service: Service, candidate: Leg) -> None:
    """Whether the candidate answers, for the gauges; what it is stands in the log."""
    while True:
        service.seen(await candidate.identity())
        await asyncio.sleep(IDENTITY_SECONDS)


def announcements(cluster: Cluster, settled: Mapping[str, str]) -> list[Message]:
    """What of each stream is settled, where shippers listen: a topic that a broker made by itself may have more
    partitions than one, and keys would scatter."""
    topic = cluster.topic(SETTLED)
    return [Message(topic, text.encode(), name.encode(), FIRST_PARTITION) for name, text in settled.items()]


def _decision(verdict: Verdict) -> dict[str, Any]:
    """What the topic of decisions carries, version 1."""
    return {
        "v": 1,
        "route": verdict.route,
        "verdict": verdict.verdict,
        "config_hash": verdict.config_hash,
        "diverged": sorted(
            {
                f"{row.segment} {row.signal}"
                for row in verdict.segments
                if row.verdict == "diverged" and row.explained_by is None
            }
        ),
    }
