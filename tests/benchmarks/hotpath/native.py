"""Compiles the mock upstream and the load generator, and runs them.

They are C because they share one core: a Python load generator would be slower than every proxy
it is to measure, and its own garbage collection would be the tail.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.hotpath.process import pinned
from tests.benchmarks.results import ROOT

SOURCES = Path(__file__).parent
CACHE = ROOT / ".cache" / "hotpath"


def missing() -> str | None:
    """Why the tools cannot be built here, or None."""
    return None if shutil.which("cc") else "no C compiler (apt-get install gcc libc6-dev)"


def program(name: str) -> Path:
    """The compiled `name.c`, built when its text or the shared header changed."""
    text = (SOURCES / f"{name}.c").read_bytes() + (SOURCES / "net.h").read_bytes()
    path = CACHE / f"{name}-{hashlib.sha256(text).hexdigest()[:12]}"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{os.getpid()}")
        source = str(SOURCES / f"{name}.c")
        subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(fresh), source], check=True)
        fresh.rename(path)
    return path


@contextmanager
def upstream(
    *, chunks: int = 150, interval_us: int = 20_000, first_us: int = 0, core: int | None = None
) -> Iterator[int]:
    """A running mock upstream; yields its port."""
    command = [str(program("upstream")), "-n", str(chunks), "-i", str(interval_us), "-f", str(first_us)]
    with subprocess.Popen(pinned(command, core), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


@dataclass(frozen=True, slots=True)
class Load:
    """One run of the load generator; fields are its options (see load.c)."""

    seconds: float
    warm_up: float = 0.5
    grace: float = 0.0
    connections: int = 32
    rate: float = 0.0
    chunks: int = 0
    spread_us: int = 0
    body_bytes: int = 1000
    path: str = "/v1/chat/completions"
    trace: Path | None = None

    def command(self, port: int, run: str) -> list[str]:
        options = {
            "-p": port, "-c": self.connections, "-d": self.seconds, "-w": self.warm_up, "-g": self.grace,
            "-r": self.rate, "-s": self.chunks, "-y": self.spread_us, "-b": self.body_bytes, "-x": run,
            "-u": self.path,
        }  # fmt: skip
        trace = ["-t", str(self.trace)] if self.trace else []
        return [str(program("load")), *(str(word) for option in options.items() for word in option), *trace]

    @property
    def longest(self) -> float:
        """Seconds after which a run that has not ended is stuck."""
        return self.seconds + self.warm_up + self.grace + 30


def start_load(load: Load, port: int, *, run: str = "run", core: int | None = None) -> subprocess.Popen[str]:
    """Start the load generator; `read_load` waits for its report."""
    return subprocess.Popen(pinned(load.command(port, run), core), stdout=subprocess.PIPE, text=True)


def read_load(process: subprocess.Popen[str], load: Load) -> dict[str, Any]:
    """The load generator's report (see load.c). Raises TimeoutExpired when it is stuck."""
    try:
        out, _ = process.communicate(timeout=load.longest)
    finally:
        process.kill()
    report: dict[str, Any] = json.loads(out)
    return report


def run_load(load: Load, port: int, *, run: str = "run", core: int | None = None) -> dict[str, Any]:
    """Run the load generator to its end and return its report."""
    return read_load(start_load(load, port, run=run, core=core), load)
