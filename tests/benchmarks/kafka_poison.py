"""Second half of `make soak-kafka`: ten thousand unusable records among good ones, and how long the good ones wait.

    python -m tests.benchmarks.kafka_poison [--count N]

Truncated JSON, NUL bytes, another version, an unknown codec, a broken seal and records of 50 MB are mixed at 9 to 1
into a topic by another process, while a monitor that scores reads it, once without the large ones and once with. Passes where each of them is a dead letter with its
reason and no good one waits for more than a second between its acknowledgement and its place in the pipeline. Writes
tests/benchmarks/results/kafka_poison.json.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

from collectors.kafka_admin import ensure_topics
from collectors.kafka_records import Shipment
from collectors.kafka_topic import DEAD_LETTER, EXCHANGES, Cluster, Consumer, Message, Producer
from collectors.spool_reader import Position
from monitor.config_file import load
from monitor.replica import Replica
from monitor.scoring_replica import Scoring
from monitor.shadow import legs_of
from tests.benchmarks.exchanges import KEY
from tests.benchmarks.results import write_result
from tests.collectors.test_wire import capture
from tests.real.kafka_broker import serving
from tests.real.test_kafka_flow import SEALER, poison

COUNT, GROUP, LARGE = 10_000, 9, 3
RATE = 400.0
MOST_SECONDS = 1.0
Json = dict[str, Any]


def main() -> int:
    """Measure, print, write where it is complete."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.kafka_poison", description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT)
    arguments = parser.parse_args()
    found = {f"large_{large}": _one(arguments.count, large) for large in (0, LARGE)}
    print(json.dumps(found, indent=1))
    if arguments.count == COUNT:
        write_result("kafka_poison", {"broker": "Tansu 0.6.0 (not Apache Kafka)", **found})
    return int(not all(each["passed"] for each in found.values()))


def _one(count: int, large: int) -> Json:
    with tempfile.TemporaryDirectory() as name, serving(Path(name)) as broker:
        return poisoned(count, large, Cluster((broker.address,), "p."), Path(name))


def poisoned(count: int, large: int, cluster: Cluster, directory: Path) -> Json:
    """Read mixed records as a monitor does while they are written; count letters and delays."""
    ensure_topics(cluster, 1, 3600, 1)
    good, reasons = count // GROUP, Counter(reason for reason, _ in poison(count))
    reasons["too_large"] = large
    context = multiprocessing.get_context("spawn")
    told: multiprocessing.Queue[dict[int, float]] = context.Queue()
    writer = context.Process(target=_write, args=(cluster, count, large, good, told))
    writer.start()
    arrived, letters = asyncio.run(_read(cluster, directory, good, sum(reasons.values())))
    acknowledged = told.get(timeout=60)
    writer.join()
    delays = sorted(arrived[number] - acknowledged[number] for number in arrived)
    found = _letters(cluster, letters)
    return {
        "bad": sum(reasons.values()), "good": good, "good_arrived": len(arrived), "dead_letters": letters,
        "reasons": dict(found), "delay_seconds": {"median": round(median(delays), 3), "most": round(delays[-1], 3)},
        "passed": len(arrived) == good and found == +reasons and delays[-1] <= MOST_SECONDS,
    }  # fmt: skip


def _write(
    cluster: Cluster, count: int, large: int, good: int, told: multiprocessing.Queue[dict[int, float]]
) -> None:
    """Nine bad ones, a good one, at `RATE`; the large ones evenly in between."""
    producer, topic = Producer(cluster), cluster.topic(EXCHANGES)
    values = [Message(topic, value, b"w0-x") for _, value in poison(count)]
    source, acknowledged, began = iter(values[:-1]), dict[int, float](), time.monotonic()
    for number in range(good):
        some = list(itertools.islice(source, GROUP))
        some += values[-1:] if large and number % (good // large) == good // large // 2 else []
        producer.send(some)
        place = Position(1, 100 * (number + 1), number + 1)
        made = Shipment(Position(1, 100 * number, number), place, capture(number + 1, time.time(), b"{}"))
        producer.send([Message(topic, SEALER.seal(b"w0-a", made, "zstd"), b"w0-a")])
        acknowledged[number] = time.monotonic()  # one clock for all processes of a machine
        time.sleep(max(0.0, began + (number + 1) * (GROUP + 1) / RATE - time.monotonic()))
    producer.send(list(source))
    producer.close()
    told.put(acknowledged)


async def _read(cluster: Cluster, directory: Path, good: int, bad: int) -> tuple[dict[int, float], int]:
    """When each good one had its place, and how many were buried."""
    config = load(overrides={"store.path": directory / "e.duckdb", "candidate.url": "http://127.0.0.1:1"})
    replica = Replica(config, cluster, KEY)
    scoring = Scoring(replica, legs_of(config)[0], None)
    consumer, producer = Consumer(cluster, EXCHANGES), Producer(cluster)
    arrived: dict[int, float] = {}
    while len(arrived) < good or replica.dead_letters < bad:
        for record in await consumer.poll(256):
            if scoring._incoming(record).account.stream:
                arrived[len(arrived)] = time.monotonic()
        await replica.send_letters(producer)
    await consumer.close()
    producer.close()
    return arrived, replica.dead_letters


def _letters(cluster: Cluster, count: int) -> Counter[str]:
    """Reasons on the topic of dead letters."""
    reader, found = Consumer(cluster, DEAD_LETTER), Counter[str]()
    while found.total() < count and (letters := reader.poll_now(1000, 3.0)):
        found.update(dict(letter.headers)["tailgate.reason"].decode() for letter in letters)
    asyncio.run(reader.close())
    return found


if __name__ == "__main__":
    sys.exit(main())
