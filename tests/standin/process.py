"""`tailgate standin` in a process of its own, ready in a tenth of a second."""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock

TAILGATE = str(Path(sys.executable).with_name("tailgate"))
_ONE_QUESTION = Lock()


@contextmanager
def running_standin(*flags: str) -> Iterator[str]:
    """The URL of a stand-in that answers at once, started with `flags`."""
    pid, url = _asked(["--port", "0", "--latency", "first=0,token=0,jitter=0", *flags])
    assert url.startswith("http"), "the stand-in did not start"
    try:
        yield url
    finally:
        _asked(pid)


def _asked(line: list[str] | int) -> tuple[int, str]:
    nursery = _nursery()
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    with _ONE_QUESTION:
        nursery.stdin.write(json.dumps(line) + "\n")
        nursery.stdin.flush()
        pid, url = json.loads(nursery.stdout.readline())
    return pid, url


@cache
def _nursery() -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.standin.nursery"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    )
    atexit.register(process.communicate)
    return process
