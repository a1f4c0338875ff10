"""Another tool's topic as a way in: records become exchanges or counts, and a restart goes on behind them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from collectors.kafka_topic import Cluster, Message, Producer
from tests.collectors.collecting import collecting
from tests.collectors.test_mapping import LITELLM
from tests.real.kafka_broker import Broker, serving

pytestmark = [pytest.mark.filterwarnings("ignore::ResourceWarning"), pytest.mark.real]
TOPIC = "litellm-logs"
UNUSABLE = [b"{", b'{"call_type": "embedding"}', b"x" * (5 << 20)]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with serving(tmp_path) as made:
        yield made


def records(*numbers: int) -> list[bytes]:
    now = time.time()
    times = {"startTime": now - 3, "completionStartTime": now - 2.5, "endTime": now - 1}
    return [json.dumps({**LITELLM, **times, "id": f"r{number}"}).encode() for number in numbers]


def produce(broker: Broker, values: list[bytes]) -> None:
    broker.make_topic(TOPIC, 2)
    producer = Producer(Cluster((broker.address,)))
    producer.send([Message(TOPIC, value, partition=number % 2) for number, value in enumerate(values)])
    producer.close()


def test_records_of_a_topic_are_exchanges_or_counted_once(tmp_path: Path, broker: Broker) -> None:
    settings = (f"collect.topic.name={TOPIC}", f"kafka.bootstrap=['{broker.address}']")
    produce(broker, [*records(*range(20)), *UNUSABLE])
    with collecting(tmp_path, *settings) as running:
        funnel = running.settled(23)
        assert {found.id for found in running.exchanges()} == {f"r{number}" for number in range(20)}
    produce(broker, records(20, 21))
    with collecting(tmp_path, *settings) as running:
        running.settled(2)
        ids = [found.id for found in running.exchanges()]
    assert (len(ids), len(set(ids))) == (22, 22)
    assert (funnel["dropped"], funnel["excluded"]) == (
        {"unreadable": 1, "too_large": 1},
        {"not_an_exchange": 1},
    ), funnel
