"""`make soak-kafka`: four producers, three monitors, everything dies; every exchange is scored exactly once.

    python -m tests.benchmarks.kafka_soak [--exchanges N] [--kills N] [--freezes N]

First chaos: real shippers and monitors on a real broker; monitors die by SIGKILL in turn, the one with the
evidence among them, and the broker stands still (SIGSTOP) in between; each death and return is a rebalance.
Then the loss: the broker dies and comes back empty. Passes where every exchange that was written is in the
store exactly once, spools are empty in the end, and, without the loss of its log, the evidence is to the bit
what one process makes of the same log. The broker is Tansu: nothing here was run against Apache Kafka.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from collectors.kafka_admin import ensure_topics
from collectors.kafka_topic import Cluster
from tests.benchmarks.exchanges import candidate, fill
from tests.benchmarks.results import write_result
from tests.real.kafka_broker import Broker, serving
from tests.real.kafka_fleet import PREFIX, Fleet, alone, kept

PAUSE_SECONDS = 4.0
FROZEN_SECONDS = (2.0, 8.0)
STUCK_SECONDS = 300.0
PARTITIONS = 12
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens, and how much of it."""

    exchanges: int = 20_000
    producers: int = 4
    monitors: int = 3
    kills: int = 20
    freezes: int = 5
    rate: float = 25.0
    """Exchanges per second and producer."""


def main() -> int:
    """Both scenarios, one result."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.kafka_soak", description=__doc__)
    parser.add_argument("--exchanges", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--freezes", type=int, default=5)
    arguments = parser.parse_args()
    plan = Plan(exchanges=arguments.exchanges, kills=arguments.kills, freezes=arguments.freezes)
    loss = Plan(exchanges=arguments.exchanges // 4, kills=0, freezes=0)
    found: Json = {}
    for name, scenario, each in (("chaos", chaos, plan), ("loss", broker_lost, loss)):
        found[name] = scenario(each)
        print(json.dumps({name: found[name]}, indent=1), flush=True)
    if plan == Plan():
        write_result("kafka_soak", {"broker": "Tansu 0.6.0 (not Apache Kafka)", **found})
    return int(not all(each["passed"] for each in found.values()))


@contextmanager
def fleet_of(plan: Plan) -> Iterator[tuple[Fleet, Broker]]:
    """A running fleet on a broker of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="tailgate-fleet-") as name,
        serving(Path(name)) as broker,
        candidate("made") as url,
        Fleet(Path(name), broker.address, url, shippers=plan.producers, scoring=plan.monitors) as fleet,
    ):
        _until(lambda: all(fleet.listens(each) for each in fleet.ports), "not everything started")
        yield fleet, broker


def chaos(plan: Plan, rng: Random | None = None) -> Json:
    """Kills, freezes and rebalances while producers write."""
    rng = rng or Random(6)
    with fleet_of(plan) as (fleet, broker):
        began = time.monotonic()
        writers = _produce(fleet, plan)
        for event in _shuffled(["kill"] * plan.kills + ["freeze"] * plan.freezes, rng):
            if event == "freeze":
                _freeze(broker, rng.uniform(*FROZEN_SECONDS))
            else:
                _kill(fleet, rng.choice(fleet.monitors))
            time.sleep(PAUSE_SECONDS)
        seconds = _settled(fleet, writers, plan, began)
        resent, funnel, left = _resent(fleet), fleet.funnel(), fleet.unreleased
        fleet.processes.pop("evidence").terminate()
        time.sleep(PAUSE_SECONDS)
        lived, again = kept(fleet), alone(fleet)
    return {
        **_judged(plan, lived.ids, funnel, left),
        "evidence_equals_one_process": lived.evidence == again.evidence,
        "order_equals_one_process": lived.ids == again.ids,
        "funnel_equals_one_process": lived.funnel == again.funnel,
        "passed": _once(plan, lived.ids) and (lived.evidence, lived.ids, lived.funnel)
        == (again.evidence, again.ids, again.funnel),
        "kills": plan.kills, "freezes": plan.freezes, "sent_again": resent, "seconds": round(seconds, 1),
    }  # fmt: skip


def broker_lost(plan: Plan) -> Json:
    """The broker dies with all it had, once half is scored, and comes back empty a little later."""
    with fleet_of(plan) as (fleet, broker):
        began = time.monotonic()
        writers = _produce(fleet, plan)
        _until(lambda: fleet.funnel().get("scored", 0) >= plan.exchanges // 3, "nothing is scored")
        scored = fleet.funnel()["scored"]
        broker.kill()
        time.sleep(PAUSE_SECONDS)
        waiting = fleet.unreleased
        broker.start()
        # Tansu makes topics that anybody asks for, in a shape of its own, and mixes up what several make at once.
        ensure_topics(Cluster((broker.address,), PREFIX), PARTITIONS, 3600, 1)
        seconds = _settled(fleet, writers, plan, began)
        resent, funnel, left = _resent(fleet), fleet.funnel(), fleet.unreleased
        fleet.processes.pop("evidence").terminate()
        time.sleep(PAUSE_SECONDS)
        ids = kept(fleet).ids
    return {
        **_judged(plan, ids, funnel, left),
        "passed": _once(plan, ids) and left == 0,
        "scored_when_lost": scored, "segments_kept_when_lost": waiting, "sent_again": resent, "seconds": round(seconds, 1),
    }  # fmt: skip


def _judged(plan: Plan, ids: list[str], funnel: Json, left: int) -> Json:
    return {
        "exchanges": plan.exchanges, "producers": plan.producers, "monitors_scoring": plan.monitors,
        "scored": len(ids), "distinct": len(set(ids)), "funnel": funnel, "segments_left": left,
    }  # fmt: skip


def _once(plan: Plan, ids: list[str]) -> bool:
    return len(ids) == len(set(ids)) == plan.exchanges


def _produce(fleet: Fleet, plan: Plan) -> list[threading.Thread]:
    """Live streams, one per producer, whose tags are all different."""
    share = plan.exchanges // plan.producers
    threads = [
        threading.Thread(
            target=fill,
            args=(fleet.spool(number), f"w0-{number}a", "made", range(number * share, (number + 1) * share)),
            kwargs={"rate": plan.rate},
        )
        for number in range(plan.producers)
    ]
    for thread in threads:
        thread.start()
    return threads


def _shuffled(events: list[str], rng: Random) -> list[str]:
    rng.shuffle(events)
    return events


def _freeze(broker: Broker, seconds: float) -> None:
    broker.freeze()
    time.sleep(seconds)
    broker.thaw()


def _kill(fleet: Fleet, name: str) -> None:
    fleet.kill(name)
    fleet.start(name)
    _until(lambda: fleet.listens(name), f"{name} did not come back")


def _settled(fleet: Fleet, writers: list[threading.Thread], plan: Plan, began: float) -> float:
    """Wait for everything to be scored and released; seconds since `began`."""
    for thread in writers:
        thread.join()
    known = -1

    def done() -> bool:
        nonlocal known
        for name in fleet.ports:
            fleet.listens(name)  # or say which ended by itself
        known = fleet.funnel().get("scored", known)
        return known == plan.exchanges and fleet.unreleased == 0

    _until(done, lambda: f"{known} of {plan.exchanges} scored, {fleet.unreleased} segments left")
    return time.monotonic() - began


def _resent(fleet: Fleet) -> int:
    """What shippers sent again, as far as they live."""
    found = [fleet.measures(f"shipper{number}") for number in range(fleet.shippers)]
    return int(sum(v for page in found for name, v in page.items() if "resent" in name))


def _until(check: Callable[[], bool], complaint: str | Callable[[], str]) -> None:
    end = time.monotonic() + STUCK_SECONDS
    while not check():
        if time.monotonic() > end:
            raise TimeoutError(complaint if isinstance(complaint, str) else complaint())
        time.sleep(0.5)


if __name__ == "__main__":
    sys.exit(main())
