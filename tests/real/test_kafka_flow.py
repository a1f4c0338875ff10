"""Shipper, scoring side and evidence side on a real broker in one process, dying at every kind of moment.

What dies here is dropped without a word, as by SIGKILL: connections, memory and what was not committed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import TypeVar

import pytest

from collectors.kafka_admin import ensure_topics
from collectors.kafka_records import Sealer, Shipment
from collectors.kafka_topic import (
    DEAD_LETTER,
    EXCHANGES,
    LABELS,
    SCORES,
    SETTLED,
    Cluster,
    Consumer,
    Message,
)
from collectors.kafka_topic import Producer as KafkaClient
from collectors.shipper import Shipper
from collectors.spool import segments
from collectors.spool_reader import Position, Reader
from collectors.wire import Capture, Gap
from monitor.app import settled_ranges
from monitor.config import Config
from monitor.config_file import load
from monitor.errors import Unreachable
from monitor.evidence_log import EPOCH, OFFSET, EvidenceLog
from monitor.evidence_replica import announcements
from monitor.judging import Judging
from monitor.label_topic import LabelTopic
from monitor.ledger import Keys, Outcome
from monitor.publishing import Publishing, position
from monitor.replica import Replica
from monitor.scoring_replica import Scoring
from monitor.settling import Account, Settled
from monitor.shadow import legs_of
from monitor.standing import Standing
from monitor.store import Store
from tests.collectors.test_spool import KEY, write
from tests.collectors.test_wire import capture
from tests.monitor.test_standing import kept
from tests.real.kafka_broker import Broker, serving
from tests.real.kafka_fleet import settling

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.real,
    pytest.mark.timeout(300),
]
SEALER = Sealer(KEY)
JUDGING = Judging(Config(), Keys(KEY))

Client = TypeVar("Client", Consumer, KafkaClient)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with serving(tmp_path) as made:
        yield made


class Flow:
    """One spool, one shipper, one scoring side, one store."""

    def __init__(self, directory: Path, broker: Broker) -> None:
        self.spool, self.path = directory / "spool", directory / "evidence.duckdb"
        self.config = load(overrides={"store.path": str(self.path), "candidate.url": "http://127.0.0.1:1"})
        self.cluster = Cluster((broker.address,), "t.")
        self.open: list[Consumer | KafkaClient] = []
        self.start_shipper()
        self.start_scoring()
        self.start_evidence()

    def kept(self, client: Client) -> Client:
        self.open.append(client)
        return client

    def close(self) -> None:
        self.store.close()
        for client in self.open:
            client.close() if isinstance(client, KafkaClient) else asyncio.run(client.close())

    def start_shipper(self) -> None:
        self.settled_topic = self.kept(Consumer(self.cluster, SETTLED))
        self.shipper = Shipper(
            self.cluster,
            SEALER,
            open_reader=partial(Reader, self.spool, KEY),
            producer=self.kept(KafkaClient(self.cluster)),
            hear=lambda: self.settled_topic.poll_now(500, 0.05),
            prepare=lambda: ensure_topics(self.cluster, 3, 3600, 1),
            clock=lambda: 10 * time.monotonic(),  # its patience is for real networks
        )

    def start_scoring(self) -> None:
        self.client = self.kept(KafkaClient(self.cluster, "zstd"))
        topic = self.cluster.topic(SCORES)
        self.offsets: dict[int, int] = getattr(self, "offsets", {})
        self.publishing = Publishing(
            lambda values: self.client.send([Message(topic, value, b"r", 0) for value in values]), self.commit
        )
        self.exchanges = [
            self.kept(Consumer(self.cluster, EXCHANGES, start=self.offsets.get(number, 0), partition=number))
            for number in range(3)
        ]

    async def commit(self, offsets: dict[int, int] | object) -> None:
        assert isinstance(offsets, dict)
        self.offsets |= offsets

    def start_evidence(self) -> None:
        self.store = Store(self.path)
        self.standing = Standing(self.config, self.store, KEY)
        start = int(self.store.mapping("offsets").get(OFFSET, 0))
        self.log = EvidenceLog(self.standing, settled_ranges(self.store), start=start, since=0.0)
        self.log.attach(settling(self.standing, self.log))
        self.scores = self.kept(Consumer(self.cluster, SCORES, start=start))

    def crash_evidence(self) -> None:
        self.store.close()
        self.start_evidence()

    async def score(self, *, commit: bool = True) -> None:
        """Poll and publish once; without `commit` the process dies before its offsets are committed."""
        before = dict(self.offsets)
        for consumer in self.exchanges:
            for record in consumer.poll_now(64, 0.1):
                shipment = SEALER.open(record.key, record.value, 1 << 20)
                stream = (record.key or b"").decode()
                where = position(record.partition, record.offset, shipment.after, shipment.position)
                outcome = None
                if isinstance(shipment.record, Capture):
                    self.publishing.expect()
                    outcome = outcome_of(stream, shipment.record)
                await self.publishing.take(Settled(Account(stream, where), outcome))
        await self.publishing.flush()
        if not commit:
            self.offsets = before
            self.start_scoring()

    async def judge(self) -> None:
        for record in self.scores.poll_now(500, 0.1):
            await self.log.take(record.offset, record.value, lambda _reason: None)

    def announce(self) -> None:
        settled = {name: each.dump() for name, each in settled_ranges(self.store).items()}
        with suppress(Unreachable):
            self.client.send(announcements(self.cluster, settled))

    @property
    def ids(self) -> list[str]:
        return [row[0] for row in self.store.query("SELECT id FROM pairs ORDER BY id")]


def outcome_of(stream: str, capture: Capture) -> Outcome:
    name = f"{stream}-{capture.number}"
    made = kept(JUDGING, capture.number, Random(name), at=capture.received_at)
    return Outcome(name, capture.received_at, made, sent=True)


async def run(flow: Flow, wanted: int, rng: Random) -> None:
    """Until everything is scored and released; something dies in every third round."""
    for number in range(400):
        flow.shipper.turn()
        await flow.score(commit=rng.random() > 0.2)
        await flow.judge()
        if number % 3 == 0:
            flow.announce()
        if rng.random() < 0.15:
            flow.crash_evidence()
        if rng.random() < 0.1:
            flow.start_shipper()
        if len(flow.ids) == wanted and not segments(flow.spool):
            return
    pytest.fail(f"{len(flow.ids)} of {wanted}, {len(segments(flow.spool))} segments left")


@pytest.mark.parametrize(("seed", "partitions"), [(0, 1), (1, 3)])
def test_deaths_at_any_moment_lose_nothing_and_count_nothing_twice(
    tmp_path: Path, broker: Broker, seed: int, partitions: int
) -> None:
    """Whoever made the topic on which shippers hear what is settled: Tansu makes it when it is asked for."""
    streams = {f"w{number}-{seed}a": [1_000_000.0 + i / 7 for i in range(150)] for number in range(2)}
    for name, times in streams.items():
        write(tmp_path / "spool", name, *times)
    broker.make_topic("t." + SETTLED, partitions)
    flow = Flow(tmp_path, broker)
    asyncio.run(run(flow, 300, Random(seed)))
    funnel = flow.standing.tally.funnel()
    assert (funnel.scored, funnel.pending, len(set(flow.ids))) == (300, 0, 300)
    lived = flow.standing.engine.snapshot()
    flow.store.close()
    flow.path = tmp_path / "again.duckdb"
    flow.start_evidence()
    asyncio.run(drain(flow, 300))
    again = flow.standing.engine.snapshot()
    flow.close()
    assert again == lived


async def drain(flow: Flow, wanted: int) -> None:
    """A monitor that starts with an empty store reads the log from its start."""
    while len(flow.ids) < wanted:
        await flow.judge()


def poison(count: int) -> Iterator[tuple[str, bytes]]:
    """Records that nobody can use, with the reason that each must get."""
    good = SEALER.seal(b"w0-x", Shipment(Position(), Position(1, 9, 1), Gap("w0-x", "erased", 1)), "zstd")
    kinds = (
        ("malformed", b'{"id": "p1", "request": {"messages": [{"role": "us'),
        ("malformed", bytes(500)),
        ("unknown_version", good[:2] + b"\x09" + good[3:]),
        ("unknown_codec", good[:3] + b"\x63" + good[4:]),
        ("seal_broken", good[:-3] + b"end"),
    )
    for number in range(count):
        yield kinds[number % len(kinds)]
    yield "too_large", bytes(50 << 20)


async def put_aside(config: Config, cluster: Cluster) -> tuple[int, int]:
    """What a monitor that scores makes of the first partition: usable and unusable records."""
    replica = Replica(config, cluster, KEY)
    scoring = Scoring(replica, legs_of(config)[0], None)
    consumer, producer = Consumer(cluster, EXCHANGES), KafkaClient(cluster)
    usable = 0
    while usable < 100:
        usable += sum(
            scoring._incoming(record).account.stream != "" for record in consumer.poll_now(256, 0.5)
        )
        await replica.send_letters(producer)
    await consumer.close()
    producer.close()
    return usable, replica.dead_letters


def test_poison_is_put_aside_with_its_reason_before_anybody_goes_on(tmp_path: Path, broker: Broker) -> None:
    cluster, bad = Cluster((broker.address,), "t."), list(poison(1000))
    config = load(overrides={"store.path": str(tmp_path / "e.duckdb"), "candidate.url": "http://127.0.0.1:1"})
    ensure_topics(cluster, 1, 3600, 1)
    client, topic = KafkaClient(cluster), cluster.topic(EXCHANGES)
    for number in range(100):
        client.send([Message(topic, value, b"w0-x") for _, value in bad[10 * number : 10 * number + 10]])
        place = Position(1, 100 * (number + 1), number + 1)
        made = Shipment(Position(1, 100 * number, number), place, capture(number + 1, time.time(), b"{}"))
        last = bad[-1:] if number == 50 else []
        client.send([Message(topic, value, b"w0-x") for _, value in last])
        client.send([Message(topic, SEALER.seal(b"w0-a", made, "lz4"), b"w0-a")])
    assert asyncio.run(put_aside(config, cluster)) == (100, len(bad))
    letters = Consumer(cluster, DEAD_LETTER)
    found = [letter for _ in range(10) for letter in letters.poll_now(1000, 0.3)]
    asyncio.run(letters.close())
    client.close()
    reasons = Counter(dict(letter.headers)["tailgate.reason"].decode() for letter in found)
    assert reasons == Counter(reason for reason, _ in bad)


@pytest.mark.parametrize("length", [3, 40])
def test_a_log_that_came_back_empty_is_read_from_its_start(
    tmp_path: Path, broker: Broker, length: int
) -> None:
    cluster = Cluster((broker.address,), "t.")
    lost, fresh = (
        [b"%s %d" % (name, n) for n in range(count)] for name, count in ((b"lost", 20), (b"fresh", length))
    )
    reader = Consumer(cluster, SCORES)
    try:
        found = written(cluster, lost, reader)
        broker.kill()
        broker.start()
        again = written(cluster, fresh, reader)
    finally:
        asyncio.run(reader.close())
    assert (found, again) == (lost, fresh)


def written(cluster: Cluster, values: list[bytes], reader: Consumer) -> list[bytes | None]:
    """What a reader gets of values that are written to a topic made for them."""
    ensure_topics(cluster, 1, 3600, 1)
    client = KafkaClient(cluster)
    client.send([Message(cluster.topic(SCORES), value, b"r", 0) for value in values])
    client.close()
    found: list[bytes | None] = []
    for _ in range(100):
        found += [record.value for record in reader.poll_now(500)]
        if len(found) >= len(values):
            break
    return found


def test_the_evidence_forgets_where_it_was_in_a_log_that_is_gone(tmp_path: Path) -> None:
    store = Store(tmp_path / "e.duckdb")
    config = load(overrides={"store.path": store.path, "candidate.url": "http://127.0.0.1:1"})
    log = EvidenceLog(Standing(config, store, KEY), {}, start=70, since=0.0)
    log.reads("first")
    kept_place = dict(log.positions())
    log.reads("second")
    assert (kept_place, dict(log.positions())) == (
        {OFFSET: "70", EPOCH: "first"},
        {OFFSET: "0", EPOCH: "second"},
    )
    store.close()


def test_labels_of_the_topic_count_once_and_the_unusable_are_put_aside(
    tmp_path: Path, broker: Broker
) -> None:
    cluster, store = Cluster((broker.address,), "t."), Store(tmp_path / "e.duckdb")
    config = load(overrides={"store.path": store.path, "candidate.url": "http://127.0.0.1:1"})
    replica, client = Replica(config, cluster, KEY), KafkaClient(cluster)
    ensure_topics(cluster, 1, 3600, 1)
    good = [b'{"id": "p%d", "candidate_correct": true}' % number for number in range(3)]
    for values in (
        [*good, b"{", b'{"id": 4}'],
        [b'{"id": "p9", "baseline_correct": false, "source": "audit"}'],
    ):
        client.send([Message(cluster.topic(LABELS), value) for value in values])
        asyncio.run(read_labels(replica, client, store))
    client.close()
    found = store.query("SELECT id, source, baseline_correct, candidate_correct FROM labels ORDER BY id")
    store.close()
    assert found == [
        *((f"p{number}", "api", None, True) for number in range(3)),
        ("p9", "audit", False, None),
    ]
    assert replica.dead_letters == 2


def test_partitions_of_the_labels_topic_that_nobody_reads_are_told_of(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    broker.make_topic("t." + LABELS, 3)
    with caplog.at_level(logging.WARNING, "tailgate.kafka"):
        ensure_topics(Cluster((broker.address,), "t."), 1, 3600, 1)
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "t.labels has 3 partitions, and only partition 0 is read"
    ]


async def read_labels(replica: Replica, client: KafkaClient, store: Store) -> None:
    """Another process each time: only the store knows what was read."""
    labels = LabelTopic(
        replica.cluster, store, bury=replica.bury, put_aside=lambda: replica.send_letters(client)
    )
    for _ in range(100):
        if await labels.turn():
            break
    await labels.close()
