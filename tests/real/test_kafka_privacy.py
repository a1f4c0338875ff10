"""A full run over a real broker with planted strings: no record of any topic holds one, in whatever form.

The broker keeps everything in memory, so its records are read back instead of its disk; files are searched too.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from collectors.kafka_topic import DEAD_LETTER, EXCHANGES, SCORES, SETTLED, Cluster, Message, Producer
from monitor.demo import free_ports
from tests.benchmarks.exchanges import KEY
from tests.cli.test_privacy import CREDENTIALS, PLANTED, holding
from tests.cli.test_run import Running, eventually, running
from tests.real.kafka_broker import serving

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.timeout(300),
]
HEADERS = {**CREDENTIALS, "api-key": "5eedfeed-planted-azure-key", "x-user": "rqvwkz-7719-subject"}
QUERY_KEY, USER, TEXT = "bead0042-planted-query-key", "mzkxqj-4406-user", "plvqzw-3391-text"
PLANTS = [*PLANTED, *HEADERS.values(), QUERY_KEY, USER, TEXT, "planted"]
PREFIX = "private."
ASKED = 30


@dataclass(frozen=True, slots=True)
class Found:
    """What a run left: on the broker by topic, in its directory, and on its metrics pages."""

    records: dict[str, list[bytes]]
    directory: Path
    pages: bytes


def forms(plant: str) -> Iterator[bytes]:
    """A string as it is, in hex, and as base64 shows it at each of the three places it can begin."""
    raw = plant.encode()
    yield from (raw, raw.hex().encode())
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + raw)
        inner = encoded[4 if offset else 0 : len(encoded) // 4 * 4 - 4]
        yield from (inner, inner.translate(bytes.maketrans(b"+/", b"-_")))


NEEDLES = sorted({form for plant in PLANTS for form in forms(plant) if len(form) >= 7})


def ask(run: Running, number: int) -> None:
    body = {
        "model": "standin",
        "user": USER,
        "messages": [{"role": "user", "content": f"What is {number} + 2? {TEXT}"}],
    }
    answer = httpx.post(
        f"{run.clients}/v1/chat/completions", params={"api-key": QUERY_KEY}, json=body, headers=HEADERS, timeout=30
    )  # fmt: skip
    assert answer.status_code == 200


def everything(address: str) -> dict[str, list[bytes]]:
    """Keys, values and headers of all records of all topics, as any client may read them."""
    from kafka import KafkaConsumer, TopicPartition

    client = KafkaConsumer(
        bootstrap_servers=[address], enable_auto_commit=False, auto_offset_reset="earliest"
    )
    topics = sorted(client.topics())
    places = [TopicPartition(topic, n) for topic in topics for n in client.partitions_for_topic(topic) or ()]
    client.assign(places)
    client.seek_to_beginning()
    found: dict[str, list[bytes]] = {topic: [] for topic in topics}
    idle = 0
    while idle < 3:
        polled = client.poll(500)
        idle = 0 if polled else idle + 1
        for place, records in polled.items():
            for record in records:
                headers = [
                    part for name, value in record.headers or () for part in (name.encode(), value or b"")
                ]
                found[place.topic].append(b"\0".join((record.key or b"", record.value or b"", *headers)))
    client.close()
    return found


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Found]:
    directory = tmp_path_factory.mktemp("kafka-privacy")
    with pytest.MonkeyPatch.context() as patch, serving(directory) as broker:
        patch.setenv("TAILGATE_KEY", base64.b64encode(KEY).decode())
        (shipper,) = free_ports(1)
        more = {
            "handover.kind": "kafka", "kafka.bootstrap": [broker.address], "kafka.topic_prefix": PREFIX,
            "kafka.shipper_listen": f"127.0.0.1:{shipper}", "privacy.key_env": "TAILGATE_KEY",
        }  # fmt: skip
        with running(directory, "--fault", "all:wrong_number", text="full", more=more) as run:
            cluster = Cluster((broker.address,), PREFIX)
            for number in range(ASKED):
                ask(run, number)
            assert eventually(lambda: run.verdict()["funnel"]["scored"] == ASKED, 120)
            producer = Producer(cluster)
            producer.send([Message(cluster.topic(EXCHANGES), b"not a record", b"w0-x")])
            producer.close()
            urls = (run.monitor, run.admin, f"http://127.0.0.1:{shipper}")
            pages = b"".join(httpx.get(f"{url}/metrics").content for url in urls)
            written = [cluster.topic(name) for name in (EXCHANGES, SCORES, SETTLED, DEAD_LETTER)]
            assert eventually(lambda: all(map(everything(broker.address).__getitem__, written)), 120)
            yield Found(everything(broker.address), directory, pages)


def test_every_topic_of_the_flow_was_written(left: Found) -> None:
    counts = {topic.removeprefix(PREFIX): len(records) for topic, records in left.records.items()}
    assert counts[EXCHANGES] > ASKED
    assert min(counts[SCORES], counts[SETTLED], counts[DEAD_LETTER]) > 0, counts


def test_no_record_of_any_topic_holds_a_planted_string_in_any_form(left: Found) -> None:
    holders = {
        (topic, needle)
        for topic, records in left.records.items()
        for record in records
        for needle in NEEDLES
        if needle in record
    }
    assert holders == set()


def test_no_file_and_no_metric_of_the_run_holds_one_either(left: Found) -> None:
    assert [needle for needle in NEEDLES if needle in left.pages] == []
    assert holding(left.directory, *(needle.decode() for needle in NEEDLES)) == []


def test_the_search_finds_what_is_there_in_each_form(left: Found) -> None:
    assert any(b"tailgate.reason" in record for record in left.records[PREFIX + DEAD_LETTER])
    for offset in range(3):
        hidden = base64.b64encode(b"." * offset + HEADERS["api-key"].encode() + b"..")
        assert any(needle in hidden for needle in NEEDLES)
