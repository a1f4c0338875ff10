"""What the event loop pays to hand one exchange over, with the writer's thread at work.

Only `Admission.finish` runs in the loop: a bound is checked and a reference appended. Encoding, sealing,
writing and syncing are the thread's.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from collectors.counters import Board
from collectors.settings import Settings
from collectors.spool import load_key, new_stream
from collectors.wire import Exchange
from collectors.worker import Worker

COUNT, PER_SECOND, BODY_BYTES = 2_000, 500, 4_000


def handover(python: Path, rounds: int = 3) -> list[dict[str, float]]:
    """Microseconds per exchange, p50 and p99 and largest, at 500 exchanges of 4 KB per second, with that interpreter."""
    # As a script and away from the tree, so that it imports what is installed there.
    command = [str(python), str(Path(__file__).resolve()), str(rounds)]
    done = subprocess.run(command, cwd=tempfile.gettempdir(), capture_output=True, text=True, check=True)
    measured: list[dict[str, float]] = json.loads(done.stdout)
    return measured


def _round() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as directory:
        settings = Settings(upstream=("127.0.0.1", 1), spool=f"{directory}/spool", fraction=1.0)
        key = load_key(Path(settings.spool))
        worker = Worker(settings, Board(1, 1.0), 0, stream=new_stream(0), key=key, parent=-1)
        worker.writer.start()
        try:
            took = sorted(_timed(worker) for _ in range(COUNT))
        finally:
            worker.writer.close()
    return {"p50_us": took[COUNT // 2], "p99_us": took[COUNT * 99 // 100], "max_us": took[-1]}


def _timed(worker: Worker) -> float:
    time.sleep(1 / PER_SECOND)
    exchange = _exchange(worker)  # after the sleep, as in the loop: observation comes right before
    began = time.perf_counter_ns()
    worker.admission.finish(exchange)
    return (time.perf_counter_ns() - began) / 1000


def _exchange(worker: Worker) -> Exchange:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nx-request-id: 1\r\n\r\n"
    exchange = worker.admission.admit(head, time.monotonic_ns())
    assert exchange is not None
    exchange.response_body.append(b"x" * BODY_BYTES)
    exchange.status = 200
    return exchange


if __name__ == "__main__":
    json.dump([_round() for _ in range(int(sys.argv[1]))], sys.stdout)
