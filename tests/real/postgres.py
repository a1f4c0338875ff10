"""A PostgreSQL of one's own: Debian's package, in a directory of its own, never the machine's service."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from monitor.demo import free_ports

PASSWORD = "a secret of the test"


def programs() -> Path:
    """Where `postgres` lies; skips without it."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found:
        pytest.skip("no PostgreSQL: apt-get install --no-install-recommends postgresql")
    return found[-1].parent


@dataclass(slots=True)
class Postgres:
    """One cluster, which can be stopped and started again."""

    directory: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What libpq reads, password included."""
        return {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.port),
            "PGUSER": "tailgate",
            "PGPASSWORD": PASSWORD,
            "PGDATABASE": "postgres",
        }

    def start(self) -> None:
        flags = [
            "-p",
            str(self.port),
            "-k",
            str(self.directory),
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "fsync=off",
        ]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [programs() / "postgres", "-D", self.directory / "data", *flags],
                stdout=log,
                stderr=log,
                **_servant(),
            )
        deadline = time.monotonic() + 60
        asked = [str(programs() / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        while time.monotonic() < deadline:
            if subprocess.run(asked, check=False).returncode == 0:
                return
            time.sleep(0.1)
        pytest.fail(f"PostgreSQL did not start: {(self.directory / 'log').read_text()[-500:]}")

    def stop(self) -> None:
        """At once, connections or not."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(60)

    def ask(self, sql: str) -> str:
        """What `psql` prints."""
        command = [str(programs() / "psql"), "-X", "-At", "-v", "ON_ERROR_STOP=1", "-c", sql]
        done = subprocess.run(
            command, env=os.environ | self.environment, capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout.strip()


def _servant() -> dict[str, Any]:
    """PostgreSQL refuses to run as root."""
    return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}


@contextmanager
def serving() -> Iterator[Postgres]:
    """A started cluster that asks for a password; it and its directory go afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="tailgate-postgres-"))  # one of pytest is not open to its user
    found = Postgres(directory, free_ports(1)[0])
    try:
        if os.geteuid() == 0:
            shutil.chown(directory, "postgres")
        secret = directory / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        subprocess.run(
            [programs() / "initdb", "-D", directory / "data", "-U", "tailgate", "-A", "scram-sha-256",
             f"--pwfile={secret}", "--no-sync"],
            check=True, capture_output=True, timeout=100, **_servant(),
        )  # fmt: skip
        found.start()
        yield found
    finally:
        found.stop()
        shutil.rmtree(directory, ignore_errors=True)
