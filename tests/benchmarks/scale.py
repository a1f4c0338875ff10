"""`make bench-scale`: exchanges per second and core through spool and Kafka, and what a large store costs.

    python -m tests.benchmarks.scale [--pairs N] [--rows N]… [--only bytes|flow|store|billion]

The whole monitor with its default signals; the candidate is another process that answers from recorded pairs
(tests/benchmarks/exchanges.py), so what is measured is ours. CPU seconds, not wall clock: the machine's other
tenants get in the way of the second. `loop_ms` is what a fixed loop of Python took just then: figures of two
machines compare by it, and where neighbours took more of the machine during one run than during another the ratio of CPU
seconds is also given per loop. The broker is Tansu, not Apache Kafka. Writes
tests/benchmarks/results/scale_*.json.
"""

from __future__ import annotations

import argparse
import base64
import json
import math
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import mean
from typing import Any

import httpx
import zstandard

from collectors.exchanges import Decoding, exchange_of
from collectors.kafka_records import Sealer, Shipment
from collectors.spool_reader import Position
from collectors.wire import Capture
from monitor.config import Config
from monitor.judging import Judging
from monitor.ledger import Keys
from monitor.pairing import Paired
from monitor.publishing import BATCH
from monitor.records import Pair
from monitor.score_records import encode, record_of
from monitor.settling import Account, Settled
from tests.benchmarks.exchanges import KEY, available, candidate, capture_of, fill, pairs
from tests.benchmarks.hotpath import process
from tests.benchmarks.results import ROOT, figure, write_result
from tests.benchmarks.scale_store import Tenants, store_costs
from tests.faults.rig import TAILGATE, eventually, fetch, tailgate
from tests.real.kafka_broker import serving
from tests.real.kafka_fleet import Fleet

IMAGE = ROOT / ".cache" / "image-monitor" / "bin" / "tailgate"
"""What the container image carries: Debian's interpreter."""
PAIRS = 3_000
SAMPLE = 512
REPLICATION = 3
ROWS = (1_000_000, 10_000_000)
MONITORS = (1, 2, 4)
LEAST_PAIRS_PER_CORE_SECOND = 300
MOST_CPU_RATIO = 1.15
MOST_IDLE = 0.2
PATIENCE = 600.0
WARM = 300
"""Pairs per monitor before the clock runs: language models load with the first question that needs them."""
CONCURRENCY = 32
Json = dict[str, Any]


def main() -> int:
    """Measure, print and write each part."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.scale", description=__doc__)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--rows", type=int, action="append")
    parser.add_argument("--only", choices=("bytes", "flow", "store", "billion"))
    arguments = parser.parse_args()
    parts: dict[str, Callable[[], Json]] = {
        "bytes": bytes_per_pair,
        "flow": lambda: flow(arguments.pairs),
        "store": lambda: {str(rows): store_costs(rows, Tenants()) for rows in arguments.rows or ROWS},
        "billion": billion_a_day,
    }
    for name, measure in parts.items():
        if arguments.only in {None, name}:
            found = {"source": available(), "loop_ms": round(loop_ms(), 1), **measure()}
            print(json.dumps({name: found}, indent=1), flush=True)
            write_result(f"scale_{name}", found)
    return 0


def billion_a_day() -> Json:
    """On paper, from the other results: what a billion pairs a day take. Dollars are the user's."""
    rate, mega, giga = 1e9 / 86_400, 1e6, 1e9
    cores = {
        kind: rate * figure(f"scale_flow.kafka.1.{kind}_cpu_seconds_per_10_000") / 1e4
        for kind in ("scoring", "evidence", "shipper")
    }
    exchange, score = figure("scale_bytes.exchange"), figure("scale_bytes.score_compressed")
    return {
        "pairs_per_second": round(rate),
        "scoring_cores": math.ceil(cores["scoring"]),
        "shipper_cores": math.ceil(cores["shipper"]),
        # a route's evidence is one process; it should sleep a third of the time
        "routes": math.ceil(1.5 * cores["evidence"]),
        "exchanges_megabytes_per_second": round(rate * exchange / mega, 1),
        "exchanges_kept_gigabytes": round(3600 * REPLICATION * rate * exchange / giga, 1),
        "scores_gigabytes_a_day": round(86_400 * REPLICATION * rate * score / giga, 1),
    }


def bytes_per_pair() -> Json:
    """What one pair weighs: bodies as captured, sealed on the topic, its line of the log alone and in a batch."""
    judging, sealer = Judging(Config(), Keys(KEY)), Sealer(KEY)
    captures = [
        capture_of(pair, "w0-1a", tag, time.time(), tag)
        for tag, pair in enumerate(pairs(available())[:SAMPLE])
    ]
    sealed = [
        len(sealer.seal(b"w0-1a", Shipment(Position(1, 0, 0), Position(1, 1, 1), capture), "zstd"))
        for capture in captures
    ]
    lines = [_line(judging, capture) for capture in captures]
    batches = [b"".join(lines[at : at + BATCH]) for at in range(0, SAMPLE, BATCH)]
    return {
        "pairs": SAMPLE,
        "captured": round(mean(len(each.request_body) + len(each.response_body) for each in captures)),
        "exchange": round(mean(sealed)),
        "score": round(mean(map(len, lines))),
        "score_compressed": round(sum(len(zstandard.compress(batch, 3)) for batch in batches) / SAMPLE),
    }


def _line(judging: Judging, capture: Capture) -> bytes:
    """The log's record of an exchange whose candidate answers as the baseline did."""
    exchange = exchange_of(capture, Decoding(), time.time())
    outcome = judging.judge(Paired(exchange, Pair(exchange, exchange.baseline)))
    return encode(record_of(Settled(Account("w0-1a", "[0, 0]"), outcome), (1, 0, 0), (1, 1, 1)))


def loop_ms() -> float:
    """Best of five: milliseconds of CPU for summing a million squares."""
    took = []
    for _ in range(5):
        began = time.process_time()
        sum(i * i for i in range(1_000_000))
        took.append(time.process_time() - began)
    return 1000 * min(took)


def flow(pairs: int) -> Json:
    """Spool, then Kafka with more and more monitors; ratios against one."""
    spool = through_spool(pairs)
    kafka = {str(count): through_kafka(pairs, count) for count in MONITORS}
    alone = kafka["1"]["scoring_cpu_seconds_per_10_000"]
    for each in kafka.values():
        each["cpu_ratio"] = round(each["scoring_cpu_seconds_per_10_000"] / alone, 3)
        each["cpu_ratio_per_loop"] = round(each["cpu_ratio"] * kafka["1"]["loop_ms"] / each["loop_ms"], 3)
        each["speed_up"] = round(kafka["1"]["seconds"] / each["seconds"], 2)
    return {
        "program": "as in the image" if IMAGE.exists() else "from its source",
        "spool": spool,
        "kafka": kafka,
        "targets": {
            "pairs_per_core_second": spool["pairs_per_core_second"] >= LEAST_PAIRS_PER_CORE_SECOND,
            "cpu_ratio": all(
                min(each["cpu_ratio"], each["cpu_ratio_per_loop"]) <= MOST_CPU_RATIO
                for each in kafka.values()
            ),
            "idle": all(each["most_idle"] <= MOST_IDLE for each in kafka.values()),
        },
    }


def program() -> str:
    """The monitor as the image carries it, or from its source where that is not built."""
    return str(IMAGE if IMAGE.exists() else TAILGATE)


def through_spool(pairs: int) -> Json:
    """One monitor on one machine."""
    with tempfile.TemporaryDirectory() as name, candidate(available()) as url:
        directory = Path(name)
        key = directory / "tailgate.key"
        key.write_bytes(base64.b64encode(KEY) + b"\n")
        key.chmod(0o600)
        with tailgate(
            "monitor",
            directory,
            1,
            program=program(),
            candidate_url=url,
            replay_share=0,
            candidate_concurrency=CONCURRENCY,
        ) as rig:
            _wait(lambda: _answers(rig.http, "/-/ready"))
            warm(directory / "spool", WARM, lambda: rig.funnel()["scored"])
            before, began = process.cpu_seconds(rig.process.pid), time.monotonic()
            fill(directory / "spool", "w0-1a", available(), range(pairs))
            _wait(lambda: rig.funnel()["scored"] >= pairs + WARM)
            seconds = time.monotonic() - began
            cpu = process.cpu_seconds(rig.process.pid) - before
    return {
        "pairs": pairs,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu, 2),
        "pairs_per_core_second": round(pairs / cpu, 1),
        "loop_ms": round(loop_ms(), 1),
    }


def warm(spool: Path, count: int, scored: Callable[[], int]) -> None:
    """Score these and wait."""
    fill(spool, "w9-1a", available(), range(1_000_000, 1_000_000 + count))
    _wait(lambda: scored() >= count)


def through_kafka(pairs: int, monitors: int) -> Json:
    """One shipper, `monitors` that score, one with the evidence; CPU of each kind apart."""
    with (
        tempfile.TemporaryDirectory(prefix="tailgate-scale-") as name,
        serving(Path(name)) as broker,
        candidate(available()) as url,
        Fleet(
            Path(name),
            broker.address,
            url,
            1,
            monitors,
            {"candidate.concurrency": CONCURRENCY},
            program=program(),
        ) as fleet,
    ):
        _wait(lambda: all(fleet.listens(each) for each in fleet.ports))
        _wait(lambda: all(_answers(fleet.ports[each], "/-/ready") for each in fleet.scorers))
        warm(fleet.spool(0), monitors * WARM, lambda: fleet.funnel().get("scored", 0))
        names, began = list(fleet.ports), time.monotonic()
        before = {each: process.cpu_seconds(fleet.processes[each].pid) for each in names}
        fill(fleet.spool(0), "w0-1a", available(), range(pairs))
        loops = [loop_ms()]
        idle = _idle_until(fleet, pairs + monitors * WARM)
        seconds = time.monotonic() - began
        loops.append(loop_ms())
        used = {each: process.cpu_seconds(fleet.processes[each].pid) - before[each] for each in names}
        scored = {each: fleet.measures(each)["tailgate_kafka_scored_total"] for each in fleet.scorers}
    return {
        "pairs": pairs,
        "seconds": round(seconds, 1),
        "pairs_per_second": round(pairs / seconds, 1),
        "pairs_per_core_second": round(pairs / sum(used.values()), 1),
        **_per_10_000(pairs, used),
        "most_idle": round(max(idle.values()), 3),
        "idle": {each: round(share, 3) for each, share in idle.items()},
        "scored": {each: int(count) for each, count in scored.items()},
        "loop_ms": round(sum(loops) / len(loops), 1),
    }


def _per_10_000(pairs: int, used: Mapping[str, float]) -> Json:
    """CPU seconds per ten thousand pairs of each kind of process."""
    scoring = sum(cpu for name, cpu in used.items() if name.startswith("scoring"))
    kinds = {"scoring": scoring, "evidence": used["evidence"], "shipper": used["shipper0"]}
    return {f"{kind}_cpu_seconds_per_10_000": round(1e4 * cpu / pairs, 2) for kind, cpu in kinds.items()}


def _idle_until(fleet: Fleet, wanted: int) -> dict[str, float]:
    """Share of the time with lag that each monitor waited for exchanges, until `wanted` are scored."""
    waited = dict.fromkeys(fleet.scorers, 0.0)
    lagging, last = 0.0, (time.monotonic(), _idle(fleet))
    end = time.monotonic() + PATIENCE
    while fleet.funnel().get("scored", 0) < wanted:
        assert time.monotonic() < end, "not everything was scored"
        time.sleep(1)
        lag = sum(fleet.measures(each).get("tailgate_kafka_lag_exchanges", 0) for each in fleet.scorers)
        now = (time.monotonic(), _idle(fleet))
        if lag > 0:
            lagging += now[0] - last[0]
            for name in waited:
                waited[name] += now[1][name] - last[1][name]
        last = now
    return {name: seconds / max(lagging, 1e-9) for name, seconds in waited.items()}


def _idle(fleet: Fleet) -> dict[str, float]:
    return {
        each: fleet.measures(each).get("tailgate_kafka_idle_seconds_total", 0.0) for each in fleet.scorers
    }


def _answers(port: int, path: str) -> bool:
    try:
        fetch(f"http://127.0.0.1:{port}{path}")
    except (httpx.HTTPError, OSError):
        return False
    return True


def _wait(check: Callable[[], bool]) -> None:
    assert eventually(check, PATIENCE), "waited in vain"


if __name__ == "__main__":
    sys.exit(main())
