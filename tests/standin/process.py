"""`tailgate standin` as its users start it: a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

TAILGATE = str(Path(sys.executable).with_name("tailgate"))


@contextmanager
def running_standin(*flags: str) -> Iterator[str]:
    """The URL of a stand-in that answers at once, started with `flags`."""
    command = [TAILGATE, "standin", "--port", "0", "--latency", "first=0,token=0,jitter=0", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert url.startswith("http"), "the stand-in did not start"
            # It listens before its language models are loaded: seconds on a busy machine.
            httpx.get(f"{url}/health", timeout=60, verify=False)  # noqa: S501  our own loopback process
            yield url
        finally:
            process.kill()
