"""A running `tailgate collect` and what it spooled."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from collectors.exchanges import Decoding, exchange_of
from collectors.spool import load_key
from collectors.spool_reader import Reader
from collectors.wire import Capture
from monitor.records import Exchange
from tests.collectors.harness import wait_until

TAILGATE = str(Path(sys.executable).with_name("tailgate"))


@dataclass(frozen=True, slots=True)
class Collecting:
    """The process, its addresses and its spool."""

    process: subprocess.Popen[bytes]
    ready: dict[str, Any]
    spool: Path

    def funnel(self) -> dict[str, Any]:
        """`/-/funnel` of the admin port."""
        with urllib.request.urlopen(f"http://{self.ready['admin']}/-/funnel", timeout=10) as reply:
            counts: dict[str, Any] = json.load(reply)
        return counts

    def settled(self, requests: int) -> dict[str, Any]:
        """The funnel once that many requests were seen and nothing is pending."""
        wait_until(lambda: self.funnel()["requests"] >= requests and not self.funnel()["pending"], 120)
        return self.funnel()

    def captures(self) -> list[Capture]:
        """Everything spooled so far."""
        reader = Reader(self.spool, load_key(self.spool))
        records = [entry.record for entry in reader.read(1_000_000)]
        reader.close()
        return [record for record in records if isinstance(record, Capture)]

    def exchanges(self, *, subject: str | None = None) -> list[Exchange]:
        """The same as exchanges, as the monitor makes them."""
        return [exchange_of(c, Decoding(subject_header=subject), time.time()) for c in self.captures()]


@contextlib.contextmanager
def collecting(directory: Path, *settings: str) -> Iterator[Collecting]:
    """`tailgate collect` with a fraction of 1 and these `key=value` settings."""
    spool = directory / "spool"
    known = [
        f"spool.directory={spool}", "sampling.fraction=1", "collect.admin=127.0.0.1:0",
        "sidecar.max_queue_items=20000", *settings,
    ]  # fmt: skip
    command = [TAILGATE, "collect", *(word for each in known for word in ("--set", each))]
    with subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield Collecting(process, json.loads(process.stdout.readline()), spool)
        finally:
            process.send_signal(signal.SIGCONT)  # a test may have stopped it
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
