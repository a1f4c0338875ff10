"""The demo keeps its promise: what was planted is found and named, a healthy twin stays silent."""

from __future__ import annotations

import json
import re
import subprocess
from itertools import takewhile
from typing import Any

import httpx
import pytest

from tests.standin.process import TAILGATE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def demo(*arguments: str) -> tuple[int, Any]:
    command = [TAILGATE, "demo", "--format", "json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_the_planted_segment_is_the_only_unexplained_one() -> None:
    code, outcome = demo()
    assert (code, outcome["found"]) == (0, ["language=sw"])
    assert outcome["planted"] == "language=sw"
    assert outcome["planted_pairs"] >= 60
    assert outcome["failed_requests"] == 0
    funnel = outcome["verdict"]["funnel"]
    assert funnel["eligible"] == funnel["scored"] + sum(funnel["skipped"].values()) == outcome["requests"]


def test_nothing_planted_nothing_found() -> None:
    code, outcome = demo("--plant", "none", "--seconds", "30", "--seed", "2")
    assert (code, outcome["found"]) == (0, [])
    assert [row for row in outcome["verdict"]["segments"] if row["verdict"] == "diverged"] == []


def test_a_segment_that_the_traffic_lacks_is_a_usage_error() -> None:
    done = subprocess.run(
        [TAILGATE, "demo", "--plant", "language=tlh"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "language=tlh" in done.stderr


def test_a_demo_that_is_ended_leaves_nothing_running() -> None:
    with subprocess.Popen([TAILGATE, "demo"], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        started = "".join(takewhile(lambda line: not line.startswith("  sidecar"), process.stderr))
        process.terminate()
        process.stderr.read()
    addresses = re.findall(r"http://127\.0\.0\.1:\d+", started)
    assert (process.returncode, len(addresses)) == (143, 2)  # of sidecar's data path and monitor
    for address in addresses:
        with pytest.raises(httpx.ConnectError):
            httpx.get(address)
