"""The half of a monitor that asks and scores: exchanges in, the route's log out."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from typing import Any

from collectors.exchanges import Decoding
from collectors.kafka_records import Sealer
from collectors.kafka_topic import EXCHANGES, FIRST_PARTITION, SCORES, Consumer, Message, Producer, Received
from monitor import heap
from monitor.app import evaluations_of, incoming, probe_for_ever, watch
from monitor.candidate import Identity, Leg
from monitor.capabilities import Capabilities
from monitor.errors import BadInput
from monitor.judging import Judging
from monitor.ledger import Keys, Outcome
from monitor.pairing import Paired, Pairing
from monitor.pipeline import Incoming, Pipeline
from monitor.publishing import Publishing, position
from monitor.reference import rules_of
from monitor.replica import Replica, codec_of, max_record_bytes, topics_of
from monitor.score_records import VERSION, ScoreRecord
from monitor.settling import Account

log = logging.getLogger("tailgate.scoring")

LIMIT = 256
ANNOUNCE_SECONDS = 1.0
REPEAT_SECONDS = 60.0


class Scoring:
    """The half that asks and scores: exchanges in, log out. Stateless but for what it knows of the servers."""

    def __init__(self, replica: Replica, candidate: Leg, replay: Leg | None) -> None:
        config = replica.config
        self._replica, self._candidate, self._replay = replica, candidate, replay
        self._judging = Judging(config, Keys(replica.key), rules_of(config))
        self._events = {"sent": 0, "queue_full": 0, "unreachable": 0}
        self._evaluations = evaluations_of(config, self._count_events)
        self._sealer = Sealer(replica.key)
        self._consumer = Consumer(
            replica.cluster, EXCHANGES, group=config.kafka.group, session_seconds=config.kafka.session_seconds
        )
        producer = Producer(replica.cluster, codec_of(config))
        self._producer = producer
        topic, key = replica.cluster.topic(SCORES), config.route.name.encode()
        self.publishing = Publishing(
            # the route's log is one partition: its order is the evidence's
            lambda values: producer.send([Message(topic, value, key, FIRST_PARTITION) for value in values]),
            self._consumer.commit,
        )
        self.identity: Identity | None = None
        self._since = 0.0
        self._capabilities = ""
        self._production = 0.0
        self._idle = 0.0
        self._loaded = False
        self.pairing = Pairing(config, candidate, replay, lambda: int(self._production), self.model)
        self.pipeline = Pipeline(
            pairing=self.pairing,
            judge=self.judge,
            settler=self.publishing,
            window=8 * config.candidate.concurrency,
        )
        self._decoding = Decoding(
            session_header=config.sampling.header,
            subject_header=config.privacy.subject,
            max_age_seconds=config.spool.max_age_seconds,
        )
        self._max_bytes = max_record_bytes(config)
        replica.values |= {
            "lag_exchanges": lambda: self._consumer.lag,
            "partitions": lambda: self._consumer.assigned,
            "scored": lambda: self.publishing.scored,
            "idle": lambda: self._idle,
            "events_sent": lambda: self._events["sent"],
            "events_dropped": lambda: self._events["queue_full"] + self._events["unreachable"],
        }

    def tasks(self) -> Mapping[str, Coroutine[Any, Any, None]]:
        """What runs for ever."""
        return {
            "exchanges": self._feed(),
            "settle": self.pipeline.settle(),
            "watch": watch(self.pairing, self._candidate, self._replay, self),
            "probe": probe_for_ever(self.pairing, self._candidate, self._replay, self),
            "identity": self._repeat_identity(),
            **({"evaluations": self._evaluations.run()} if self._evaluations else {}),
        }

    async def close(self) -> None:
        """Leave the group, so that others take over at once."""
        await self._consumer.close()
        self._producer.close()

    def not_ready(self) -> str | None:
        """Why nothing can be scored now; None = it can."""
        if not self._loaded:
            return "loading the language models"
        return None if self._consumer.assigned else "no partition is assigned"

    # what `watch` and `probe_for_ever` ask

    def model(self) -> str | None:
        """Model name for the candidate: configured, else the one it serves."""
        return self._replica.config.candidate.model or (self.identity.model if self.identity else None)

    async def identified(self, identity: Identity | None) -> bool:
        """Note what serves at the candidate's address; True where it is another candidate."""
        if identity is None or identity == self.identity:
            return False
        self.identity, self._since, self._capabilities = identity, time.time(), ""
        self._announce()
        return True

    def probed(self, capabilities: Capabilities) -> None:
        """Note what both servers can do."""
        self._capabilities = str(capabilities)

    def _announce(self) -> None:
        mark = ScoreRecord(
            VERSION,
            mark="candidate",
            identity=str(self.identity),
            since=self._since,
            capabilities=self._capabilities,
        )
        self.publishing.announce(mark)

    async def _repeat_identity(self) -> None:
        """A log that came back empty must learn it, too, and capabilities are found out late."""
        told = ""
        waited = 0.0
        while True:
            await asyncio.sleep(ANNOUNCE_SECONDS)
            waited += ANNOUNCE_SECONDS
            if self.identity is not None and (self._capabilities != told or waited >= REPEAT_SECONDS):
                told, waited = self._capabilities, 0.0
                self._announce()

    def judge(self, paired: Paired) -> Outcome:
        """Score one pair (in the loop or a thread, one at a time)."""
        outcome = self._judging.judge(paired)
        if self._evaluations is not None and outcome.kept is not None:
            self._evaluations.offer(paired.exchange, outcome.kept)
        return outcome

    def _count_events(self, result: str, count: int) -> None:
        self._events[result] += count

    async def _feed(self) -> None:
        await self.pipeline.warm_up(self._judging.load_models)
        heap.freeze()
        self._loaded = True
        await topics_of(self._replica)
        while True:
            began = time.monotonic()
            records = await self._consumer.poll(LIMIT)
            self._idle += time.monotonic() - began
            found = [self._incoming(record) for record in records]
            await self._replica.send_letters(self._producer)
            for each in found:
                await self.pipeline.feed(each)

    def _incoming(self, record: Received) -> Incoming:
        try:
            shipment = self._sealer.open(record.key, record.value, self._max_bytes)
            stream = (record.key or b"").decode("ascii")
        except (BadInput, UnicodeError) as error:
            reason = error if isinstance(error, BadInput) else BadInput("malformed", "the key is not ASCII")
            self._replica.bury(record, reason)
            return Incoming(Account("", position(record.partition, record.offset)))
        found = incoming(shipment.entry(stream), self._decoding, time.time())
        where = position(record.partition, record.offset, shipment.after, shipment.position)
        if found.exchange is not None:
            self._production += 1.0 / max(found.exchange.inclusion_probability, 1e-6)
        return _placed(found, where)


def _placed(found: Incoming, where: str) -> Incoming:
    return replace(found, account=replace(found.account, position=where))
