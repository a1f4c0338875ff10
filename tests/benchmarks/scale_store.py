"""What a store of a million or ten million pairs costs: rows in, questions, export."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from monitor import archive
from monitor.parquet.export import EVERYTHING, Exporter
from monitor.parquet.places import place_of
from monitor.store import Batch, Store
from tests.monitor.test_store import pair as pair_row
from tests.monitor.test_store import score

BLOCKS, BLOCK = 40, 256
QUANTILES = (
    "SELECT segments['tenant'], quantile_cont(candidate.duration, [0.5, 0.99])"
    " FROM pairs WHERE candidate.error IS NULL GROUP BY ALL"
)


@dataclass(frozen=True, slots=True)
class Tenants:
    """How the made rows are segmented."""

    count: int = 1000


def store_costs(rows: int, tenants: Tenants) -> dict[str, Any]:
    """Seconds (wall and CPU) of each operation on a store of `rows` pairs with two scores each."""
    with tempfile.TemporaryDirectory() as name:
        store = Store(Path(name) / "large.duckdb")
        _fill(store, rows, tenants)
        megabytes = store.size_bytes() / 1e6
        costs = {
            "ingest_10_240": _cost(lambda: _ingest(store, rows)),
            "latency_gauges": _cost(lambda: archive.latency(store, 0.0)),
            "worst_pairs": _cost(lambda: store.query("worst_pairs", {"first": 0, "signal": "answer", **archive.parts_of("language=l3"), "limit": 20})),
            "history": _cost(lambda: store.query("history", {"first": 0, **archive.parts_of("language=l3")})),
            "quantiles_of_1000_segments": min((_cost(lambda: store.query(QUANTILES)) for _ in range(3)), key=lambda c: c["seconds"]),
            "export": _cost(lambda: _export(store, Path(name))),
        }  # fmt: skip
        exported = sum(path.stat().st_size for path in (Path(name) / "out").rglob("*.parquet")) / 1e6
        store.close()
    ingest = costs["ingest_10_240"]
    return {
        "rows": rows, "megabytes": round(megabytes, 1), "exported_megabytes": round(exported, 1),
        "ingest_pairs_per_core_second": round(BLOCKS * BLOCK / ingest["cpu_seconds"]), **costs,
    }  # fmt: skip


def _cost(work: Callable[[], object]) -> dict[str, float]:
    began, cpu = time.monotonic(), time.process_time()
    work()
    return {
        "seconds": round(time.monotonic() - began, 2),
        "cpu_seconds": round(time.process_time() - cpu, 2),
    }


def _fill(store: Store, rows: int, tenants: Tenants) -> None:
    """Rows made inside the database: segments of nine dimensions, lognormal durations, a fifth replayed."""
    store.write(f"""INSERT INTO pairs SELECT i, i // 256, 'p' || i, 1.7e9 + i * 0.05, 1.7e9 + i * 0.05 + 2,
        MAP {{'all': 'all', 'language': 'l' || (hash(i, 1) % 12), 'script': 's' || (hash(i, 2) % 6),
              'task': 't' || (hash(i, 3) % 6), 'context': 'c' || (hash(i, 4) % 6), 'turn': 'u' || (hash(i, 5) % 3),
              'stream': 'v' || (hash(i, 6) % 2), 'model': 'm', 'tenant': 'x' || (hash(i, 7) % {tenants.count})}},
        'chat', 'spool', 0.05, hash(i, 8)::VARCHAR, NULL, NULL, [], [], [1.0, NULL, NULL, NULL],
        {_leg(11)}, {_leg(12)}, CASE WHEN hash(i, 13) % 5 = 0 THEN {_leg(14)} END, NULL, NULL
        FROM range(1, {rows} + 1) t(i)""")
    store.write(f"""INSERT INTO scores SELECT i, s, (hash(i, s) % 20 = 0)::INT, NULL, '', '', NULL, NULL
        FROM range(1, {rows} + 1) t(i), (VALUES ('answer'), ('degenerate')) v(s)""")


def _leg(salt: int) -> str:
    """One arm; Box and Muller on two hashes."""
    first, second = (
        f"((hash(i, {salt}) % 1000003 + 1) / 1000004.0)",
        f"((hash(i, {salt + 100}) % 1000003) / 1000003.0)",
    )
    seconds = f"exp(-0.5 + 0.6 * sqrt(-2 * ln({first})) * cos(2 * pi() * {second}))"
    return (
        f"{{'duration': {seconds}, 'ttft': {seconds} / 8, 'input_tokens': 100, 'output_tokens': 40,"
        f" 'finish_reason': 'stop', 'model': 'm', 'error': NULL, 'confidence': 0.9, 'in_flight': 1}}"
    )  # fmt: skip


def _ingest(store: Store, rows: int) -> None:
    """Blocks as the monitor commits them, rows made beforehand in no time."""
    rng = Random(1)
    for block in range(BLOCKS):
        seqs = range(rows + 1 + block * BLOCK, rows + 1 + (block + 1) * BLOCK)
        made = [pair_row(seq, block=seq // 256, at=1.8e9 + seq * 0.05) for seq in seqs]
        scores = [
            score(seq, signal, float(rng.random() < 0.05))
            for seq in seqs
            for signal in ("answer", "degenerate")
        ]
        store.commit(Batch(pairs=made, scores=scores, offsets={"w0": str(block)}))


def _export(store: Store, directory: Path) -> None:
    Exporter(store, place_of(str(directory / "out")), "default", unit=3600, patience=0.0).turn(EVERYTHING)
