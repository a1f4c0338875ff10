"""`tailgate sidecar` as people start it: ready quickly, wrong input named, exit codes as documented."""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from monitor.cli.sidecar import settings_of
from monitor.config_file import load
from tests.collectors.harness import Upstream, answer, connect, play, request

TAILGATE = str(Path(sys.executable).with_name("tailgate"))
ANYWHERE = ["--listen", "127.0.0.1:0", "--set", "sidecar.admin=127.0.0.1:0"]


def refused(directory: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and complaint of a sidecar that cannot start."""
    run = subprocess.run(
        [TAILGATE, "sidecar", *arguments],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return run.returncode, run.stderr


def children_cpu_seconds() -> float:
    """Of all processes that this one has waited for: what others do on the machine is not in it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_it_starts_cheaply_and_spools_beside_itself(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.script = [("read", len(request())), ("send", answer()), ("end",)]
    command = [
        TAILGATE,
        "sidecar",
        "--baseline",
        f"http://127.0.0.1:{upstream.port}",
        *ANYWHERE,
        "--sample",
        "1",
    ]
    before = children_cpu_seconds()
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE) as process, ExitStack() as stack:
        stack.callback(process.terminate)
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        with connect(int(ready["listen"].rpartition(":")[2])) as client:
            assert play(client, [("send", request()), ("read", len(answer()))]).received == answer()
    upstream.close()
    assert children_cpu_seconds() - before < 3.0  # parent and two workers; 0.5 s on a quiet machine
    assert process.returncode == 0
    assert ready["spool"] == str(tmp_path / "tailgate.spool")
    assert (tmp_path / "tailgate.key").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--baseline", "http://127.0.0.1:1/v1"], 2, "belongs to the client"),
        (["--set", "sidecar.wrokers=3"], 2, "sidecar.wrokers: unknown key"),
        (["--set", "sidecar.token_env=TAILGATE_NO_SUCH"], 2, "TAILGATE_NO_SUCH is not set"),
        (["--set", "sidecar.tls.cert=/nowhere.pem"], 2, "cannot be loaded"),
        (["--set", "spool.directory=/proc/no"], 4, "cannot be created"),
    ],
)
def test_what_is_wrong_is_named(arguments: Sequence[str], code: int, message: str, tmp_path: Path) -> None:
    status, said = refused(tmp_path, *ANYWHERE, *arguments)
    assert status == code
    assert message in said


def test_a_taken_port_is_refused_and_never_shared(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as taken:
        status, said = refused(tmp_path, *ANYWHERE[2:], "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
    assert status == 4
    assert "cannot listen on 127.0.0.1:" in said


def test_settings_carry_names_of_secrets_and_never_their_values(tmp_path: Path) -> None:
    os.environ["TAILGATE_TEST_ADMIN"] = "s3cret"
    config = load(settings=["sidecar.token_env=TAILGATE_TEST_ADMIN", "baseline.url=https://api.example.com"])
    settings = settings_of(config, tmp_path)
    assert "s3cret" not in repr(settings)
    assert (settings.upstream, settings.upstream_tls, settings.rewrite_host) == (
        ("api.example.com", 443),
        True,
        True,
    )
    assert settings.host_value == b"api.example.com"
