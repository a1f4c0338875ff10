"""Runs Tailgate in front of the mock upstream, with one thing broken on purpose."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.benchmarks.hotpath import process

TAILGATE = str(Path(sys.executable).with_name("tailgate"))


@dataclass(frozen=True, slots=True)
class Rig:
    """A running Tailgate: where production talks to it, and where it can be asked."""

    process: subprocess.Popen[bytes]
    directory: Path
    port: int
    admin: int
    http: int

    @property
    def spool(self) -> Path:
        return self.directory / "spool"

    def metrics(self) -> dict[str, float]:
        """The sidecar's samples as `name{labels}` to value."""
        text = fetch(f"http://127.0.0.1:{self.admin}/metrics").decode()
        return {m[1]: float(m[2]) for m in re.finditer(r"^(\w+(?:\{.*\})?) (\S+)$", text, re.MULTILINE)}

    def requests(self, outcome: str) -> int:
        """Production requests with this outcome."""
        return total(self.metrics(), "tailgate_requests_total", f'outcome="{outcome}"')

    def dropped(self) -> int:
        """Sampled exchanges that were not handed over, whatever the reason."""
        return total(self.metrics(), "tailgate_mirror_dropped_total", "")

    def funnel(self) -> dict[str, Any]:
        """The monitor's funnel."""
        answer: dict[str, Any] = json.loads(fetch(f"http://127.0.0.1:{self.http}/api/v1/funnel"))
        return answer

    def signal(self, number: int) -> None:
        """Send a signal to every process of this rig."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    @contextmanager
    def awake(self) -> Iterator[None]:
        """Runs only within the block: the other arm of a comparison must not share its core."""
        self.signal(signal.SIGCONT)
        try:
            yield
        finally:
            self.signal(signal.SIGSTOP)


def fetch(url: str) -> bytes:
    """The body of a GET on loopback."""
    return httpx.get(url, timeout=20).raise_for_status().content


def total(samples: dict[str, float], family: str, label: str) -> int:
    """Sum of a family's samples whose labels contain `label`."""
    return int(sum(v for name, v in samples.items() if name.split("{")[0] == family and label in name))


@contextmanager
def tailgate(
    command: str,
    directory: Path,
    upstream: int,
    *,
    ready: bool = True,
    program: str = TAILGATE,
    **settings: object,
) -> Iterator[Rig]:
    """`tailgate COMMAND` on free ports with everything it writes in `directory`.

    `settings` are configuration keys with `_` for the first `.`; every request is mirrored.
    Waits until it listens, unless it need not be `ready`.
    """
    port, admin, http = process.free_port(), process.free_port(), process.free_port()
    merged: dict[str, object] = {
        "sidecar.admin": f"127.0.0.1:{admin}",
        "sidecar.listen": f"127.0.0.1:{port}",
        "baseline.url": f"http://127.0.0.1:{upstream}",
        "http.listen": f"127.0.0.1:{http}",
        "store.path": directory / "store.duckdb",
        "spool.directory": directory / "spool",
        "sampling.fraction": 1.0,
        **{key.replace("_", ".", 1): value for key, value in settings.items()},
    }
    sets = [word for key, value in merged.items() for word in ("--set", f"{key}={value}")]
    directory.mkdir(parents=True, exist_ok=True)
    with process.running([program, command, *sets], directory) as running:
        if ready:
            process.wait_for_port(http if command == "monitor" else port, running)
        rig = Rig(running, directory, port, admin, http)
        try:
            yield rig
        finally:
            rig.signal(signal.SIGCONT)


def eventually(check: Callable[[], bool], seconds: float = 20) -> bool:
    """Whether `check` comes true in time. An endpoint that does not answer yet is not yet true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with suppress(OSError, httpx.HTTPError):
            if check():
                return True
        time.sleep(0.05)
    return False
