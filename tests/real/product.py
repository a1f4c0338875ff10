"""Tailgate as its users start it, in front of servers that are already there."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from monitor.demo import free_ports

TAILGATE = str(Path(sys.executable).with_name("tailgate"))
READY_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Product:
    """Where clients talk to it, and where it is asked."""

    clients: str
    admin: str
    monitor: str = ""
    pid: int = 0

    def sidecar_metrics(self) -> str:
        return httpx.get(f"{self.admin}/metrics").text

    def monitor_metrics(self) -> str:
        return httpx.get(f"{self.monitor}/metrics").text

    def funnel(self) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(f"{self.monitor}/api/v1/funnel").json()
        return found

    def verdict(self) -> tuple[int, dict[str, Any]]:
        """Exit code and JSON of `tailgate verdict`."""
        asked = [TAILGATE, "verdict", "--url", self.monitor, "--format", "json"]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        return done.returncode, json.loads(done.stdout)


@contextmanager
def sidecar(baseline: str, directory: Path, *settings: str) -> Iterator[Product]:
    """`tailgate sidecar`, everything sampled."""
    command = [TAILGATE, "sidecar", "--baseline", baseline, "--listen", "127.0.0.1:0", "--sample", "1"]
    for setting in ("sidecar.admin=127.0.0.1:0", f"spool.directory={directory}/spool", *settings):
        command += ["--set", setting]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            yield Product(f"http://{ready['listen']}", f"http://{ready['admin']}", pid=process.pid)
        finally:
            process.terminate()


@contextmanager
def run(
    baseline: str, candidate: str, directory: Path, *settings: str, replay_share: float = 0.3
) -> Iterator[Product]:
    """`tailgate run`, everything mirrored and a third of it replayed."""
    listen, admin, http = (f"127.0.0.1:{port}" for port in free_ports(3))
    command = [TAILGATE, "run", "--baseline", baseline, "--candidate", candidate, "--listen", listen]
    command += ["--http", http, "--db", f"{directory}/t.duckdb", "--sample", "1"]
    command += ["--replay-share", str(replay_share)]
    for setting in (f"sidecar.admin={admin}", "replay.max_share_of_traffic=1", *settings):
        command += ["--set", setting]
    log = directory / "run.log"
    with log.open("w") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            _until_ready([f"http://{admin}/-/ready", f"http://{http}/-/ready"], process, log)
            yield Product(f"http://{listen}", f"http://{admin}", f"http://{http}")
        finally:
            process.terminate()
            process.wait(30)


def _until_ready(urls: list[str], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while urls:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, f"not ready: {urls} {log.read_text()}"
        try:
            if httpx.get(urls[0], timeout=2).status_code == 200:
                urls = urls[1:]
        except httpx.HTTPError:
            time.sleep(0.1)
