"""Alerts on Tailgate and on what it lives on, each by its real condition: four routes side by side.

`test_alerts.py` holds the alerts on what the candidate says.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from monitor.demo import Plan, Stage
from tests.deploy.tools import DEPLOY
from tests.real.alerting import Alerting, alerting, eventually
from tests.real.product import Product, sidecar
from tests.real.routes import end, raised, sending, targets
from tests.standin.process import running_standin

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.timeout(240),
    # Four routes for minutes, with waits that a busy machine outlasts: `make test` has no room for them.
    pytest.mark.full,
]

SECONDS = 40.0
WAIT = 70.0
"""Seconds from the first request until the last alert must have arrived."""


def squeezed(baseline: str) -> Plan:
    """No replays, a busy candidate, bounds too small, a label per session, retention of seconds."""
    return Plan(
        SECONDS, None, baseline=baseline, route="squeezed", rate=12, faults=("all:shed:0.5",),
        settings={
            "replay": {"share": 0},
            "sidecar": {"max_body_bytes": 4_000},
            "segments": {"session": {"header": "x-session-id"}},
            "store": {"text": "redacted", "retention_days": 5 / 86_400},
        },
    )  # fmt: skip


def uneven(baseline: str) -> Plan:
    """One task wrong and sure of it, and some answers of every segment slow."""
    faults = ("task=math:overconfident:0.8", "all:slow:0.04")
    return Plan(SECONDS, "task=math", baseline=baseline, route="uneven", rate=20, share=0.3, faults=faults)


def stuck(baseline: str) -> Plan:
    """A candidate that keeps more and more requests, under a deadline of minutes."""
    return Plan(
        SECONDS, None, baseline=baseline, route="stuck", rate=8, faults=("all:hang:0.1",),
        settings={"candidate": {"concurrency": 4, "deadline_floor_seconds": 300}},
    )  # fmt: skip


def with_defects(stage: Stage) -> None:
    """Put a monitor with two defects in the place of the stage's."""
    end(stage, "monitor")
    command = [sys.executable, "-m", "tests.real.defective_monitor", "monitor", "-c", "tailgate.yaml"]
    environment = {**os.environ, "PYTHONPATH": str(DEPLOY.parent)}
    with (stage.directory / "monitor.log").open("w") as log:
        stage.processes["monitor"] = subprocess.Popen(
            command, stdout=log, stderr=log, text=True, cwd=stage.directory, env=environment
        )
    assert eventually(lambda: httpx.get(f"{stage.urls['monitor']}/-/ready").status_code == 200)


@contextmanager
def overloaded() -> Iterator[str]:
    """A server that accepts ten connections a second; whom its queue does not hold tries again after 1 s."""
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"

    def serve() -> None:
        with suppress(OSError):  # the listener is closed at the end
            while True:
                with listener.accept()[0] as connection:
                    connection.recv(65_536)
                    connection.sendall(answer)
                time.sleep(0.1)

    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def trouble(product: Product) -> None:
    """Requests through a sidecar whose baseline is overloaded and whose workers die."""

    def ask(_: int) -> None:
        with suppress(httpx.HTTPError):
            httpx.post(f"{product.clients}/v1/chat/completions", json={"messages": []}, timeout=10)

    with ThreadPoolExecutor(8) as clients:
        list(clients.map(ask, range(80)))
    for _ in range(4):
        kill_children(product.pid)
        time.sleep(1.2)


def kill_children(pid: int) -> None:
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # gone meanwhile
            if int(status.read_text().rpartition(")")[2].split()[1]) == pid:
                os.kill(int(status.parent.name), signal.SIGKILL)


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Alerting, float]]:
    """All four routes with their traffic, and when it began."""
    folder = tmp_path_factory.mktemp("troubled")
    with ExitStack() as stack, ThreadPoolExecutor(3) as pool:
        baseline = stack.enter_context(running_standin("--latency", "first=0.02,token=0.001,jitter=0.2"))
        lone = stack.enter_context(
            sidecar(stack.enter_context(overloaded()), folder, "route.name=overloaded", "sidecar.workers=2")
        )
        plans = [squeezed(baseline), uneven(baseline), stuck(baseline)]
        stages = list(pool.map(lambda plan: raised(plan, folder, stack), plans))
        with_defects(stages[0])
        scraped = {"sidecar": lone.admin}
        for plan, stage in zip(plans, stages, strict=True):
            scraped |= targets(stage, plan.route)
        with alerting(scraped, folder) as servers:
            for plan, stage in zip(plans, stages, strict=True):
                sending(stage, plan)
            threading.Thread(target=trouble, args=(lone,), daemon=True).start()
            yield servers, time.monotonic()


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("TailgateProxyOverheadHigh", {"route": "overloaded"}),
        ("TailgateWorkerRestarting", {"route": "overloaded"}),
        ("TailgateMirrorDropping", {"route": "squeezed"}),
        ("TailgateCandidateRefusing", {"route": "squeezed"}),
        ("TailgateNoiseFloorThin", {"route": "squeezed"}),
        ("TailgateSegmentOverflow", {"route": "squeezed"}),
        ("TailgateRetentionOverdue", {"route": "squeezed"}),
        ("TailgateScorerFailing", {"scorer": "code", "error_type": "KeyError"}),
        ("TailgateRedactionFailing", {}),
        ("TailgateScoringStalled", {"route": "stuck"}),
        ("TailgateScoringLagging", {"route": "stuck"}),
        ("TailgateSegmentStarved", {"route": "uneven"}),
        ("TailgateMedianHidesTail", {"route": "uneven", "dimension": "task", "signal": "answer"}),
        ("TailgateCalibrationGapWidened", {"route": "uneven", "segment": "task=math"}),
        ("TailgateTailLatencyRegressed", {"route": "uneven"}),
    ],
)
def test_its_condition_brings_the_alert(
    troubled: tuple[Alerting, float], name: str, where: dict[str, str]
) -> None:
    servers, started = troubled
    assert servers.inbox.await_alert(name, max(1.0, started + WAIT - time.monotonic()), **where)


def test_every_alert_of_the_catalogue_is_brought_to_fire() -> None:
    rules = "".join(path.read_text() for path in (DEPLOY / "prometheus").glob("*.yaml"))
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_alerts*.py"))
    catalogue = set(re.findall(r"alert: (\w+)", rules))
    assert catalogue - set(re.findall(r'"(Tailgate\w+)"', tests)) == set()
