"""A real S3 server: SeaweedFS in a venv of its own (`make .cache/seaweedfs/.installed`)."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from monitor.demo import free_ports
from tests.deploy.tools import absent

WEED = Path(__file__).parents[2] / ".cache" / "seaweedfs" / "bin" / "weed"
KEY, SECRET = "tailgate", "tailgate-secret"
_PARTS = ("master", "volume", "filer", "s3")
_IDENTITY = {
    "identities": [
        {
            "name": "t",
            "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
    ]
}


def program() -> Path:
    """Where `weed` lies; skips without it, fails in CI."""
    if not WEED.exists():
        absent("no SeaweedFS: make .cache/seaweedfs/.installed")
    return WEED


@contextmanager
def serving(directory: Path) -> Iterator[str]:
    """`host:port` of the S3 API."""
    ports = free_ports(2 * len(_PARTS))
    identity = directory / "s3.json"
    identity.write_text(json.dumps(_IDENTITY))
    (directory / "data").mkdir()
    flags = [f"-{part}.port={port}" for part, port in zip(_PARTS, ports, strict=False)]
    flags += [f"-{part}.port.grpc={port}" for part, port in zip(_PARTS, ports[len(_PARTS) :], strict=True)]
    command = [str(program()), "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={directory / 'data'}", "-s3",
               f"-s3.config={identity}", "-master.volumeSizeLimitMB=64", "-volume.max=40", *flags]  # fmt: skip
    with (
        (directory / "weed.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            _await(ports[3], directory / "weed.log")
            yield f"127.0.0.1:{ports[3]}"
        finally:
            process.kill()


def _await(port: int, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail(f"SeaweedFS did not start: {log.read_text('utf-8', 'replace')[-500:]}")
