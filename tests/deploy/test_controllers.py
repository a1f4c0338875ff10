"""What Argo Rollouts, Flagger and GitHub Actions do with our gates: their requests byte for byte, their reading of answers.

Argo: metricproviders/webmetric (GET, 2xx or an error measurement, JSON, then the conditions). Flagger:
pkg/controller/webhook.go (POST of a JSON payload, anything above 202 halts with the body as the event's text).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.demo import free_ports
from monitor.http.api import application
from monitor.http.guard import Tokens
from monitor.records import State
from tests.cli.test_score import LOOP, pair, write
from tests.deploy.tools import DEPLOY
from tests.monitor.http.test_api import FixedService, listening, row, verdict

METRIC = yaml.safe_load((DEPLOY / "argo" / "analysis-template-web.yaml").read_text())["spec"]["metrics"][0]
HOOKS = yaml.safe_load((DEPLOY / "flagger" / "canary-example.yaml").read_text())["spec"]["analysis"][
    "webhooks"
]
STEPS = yaml.safe_load((DEPLOY / "github-actions" / "gate.yaml").read_text())["jobs"]


def state_of(state: State) -> FixedService:
    return FixedService(verdict(state, *([row()] if state == "diverged" else [])))


@pytest.fixture
def service() -> FixedService:
    return state_of("ok")


@pytest.fixture
def address(service: FixedService) -> Iterator[str]:
    """A monitor as the chart runs it: beyond loopback, with a token that the controllers do not have."""
    with listening(application(service, tokens=Tokens("secret"), loopback=False)) as address:
        yield address


def said(address: str, request: bytes, seconds: float) -> tuple[int, str]:
    """Status and body, as Go's client reads them; OSError where the monitor is not there."""
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=seconds) as connection:
        connection.sendall(request.replace(b"HOST", address.encode()))
        answer = HTTPResponse(connection)
        answer.begin()
        return answer.status, answer.read().decode()


def argo(address: str) -> str:
    """Phase of Argo's measurement."""
    path = METRIC["provider"]["web"]["url"].removeprefix("{{args.monitor}}")
    request = f"GET {path} HTTP/1.1\r\nHost: HOST\r\nUser-Agent: Go-http-client/1.1\r\nAccept-Encoding: gzip\r\n\r\n"
    try:
        status, body = said(address, request.encode(), METRIC["provider"]["web"]["timeoutSeconds"])
        result = json.loads(body)
    except (OSError, ValueError):
        return "Error"
    if not 200 <= status < 300:
        return "Error"
    held = {name: _holds(METRIC[f"{name}Condition"], result) for name in ("success", "failure")}
    return "Failed" if held["failure"] else "Successful" if held["success"] else "Inconclusive"


def _holds(condition: str, result: dict[str, Any]) -> bool:
    key, wanted = re.fullmatch(r'result\.(\w+) == "(\w+)"', condition).groups()  # type: ignore[union-attr]
    return bool(result[key] == wanted)


def flagger(address: str, hook: dict[str, Any]) -> tuple[bool, str]:
    """Whether the canary goes on, and the text of the event where it does not."""
    payload = {"name": "llm", "namespace": "test", "phase": "Progressing", "checksum": "85d557f47b"}
    body = json.dumps({**payload, "metadata": hook.get("metadata")}).encode()
    path = hook["url"].partition(":9870")[2]
    head = (
        f"POST {path} HTTP/1.1\r\nHost: HOST\r\nUser-Agent: Go-http-client/1.1\r\nContent-Length: {len(body)}\r\n"
        "Content-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n"
    )
    try:
        status, answer = said(address, head.encode() + body, float(hook["timeout"].rstrip("s")))
    except OSError as error:
        return False, str(error)
    return (True, "") if status <= 202 else (False, answer)


@pytest.mark.parametrize(
    ("state", "phase"), [("ok", "Successful"), ("diverged", "Failed"), ("inconclusive", "Inconclusive")]
)
def test_argo_measures_three_phases(service: FixedService, address: str, state: State, phase: str) -> None:
    service.state = state_of(state).state
    assert argo(address) == phase


HELD: dict[State, str] = {
    "diverged": "diverged: language=sw diverged on script",
    "inconclusive": "inconclusive: something is missing",
}


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["type"])
def test_flagger_goes_on_with_ok(address: str, hook: dict[str, Any]) -> None:
    assert flagger(address, hook) == (True, "")


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["type"])
@pytest.mark.parametrize("state", HELD)
def test_flagger_holds_and_reports_one_line_of_reason(
    service: FixedService, address: str, hook: dict[str, Any], state: State
) -> None:
    service.state = state_of(state).state
    goes_on, text = flagger(address, hook)
    assert (goes_on, text.startswith(HELD[state]), text.count("\n")) == (False, True, 1)


def test_an_unreachable_monitor_is_an_error_for_argo_and_holds_flagger() -> None:
    (port,) = free_ports(1)
    assert argo(f"127.0.0.1:{port}") == "Error"
    assert flagger(f"127.0.0.1:{port}", HOOKS[0])[0] is False


def test_argo_survives_a_restart_of_the_monitor_and_gives_up_on_a_missing_one() -> None:
    assert METRIC["consecutiveErrorLimit"] >= 3
    assert METRIC["failureLimit"] == 0


def run_step(job: str, directory: Path, **environment: str) -> tuple[int, str]:
    """Exit code and job summary of the job's own script, as the runner starts it."""
    if shutil.which("jq") is None:
        pytest.skip("no jq; GitHub's runners have it")
    (script,) = (
        step["run"]
        for step in STEPS[job]["steps"]
        if "tailgate " in step.get("run", "") and "pip" not in step["run"]
    )
    summary = directory / "summary.md"
    summary.touch()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-e", "-c", script], cwd=directory, check=False, capture_output=True, text=True, timeout=100,
        env={**os.environ, "PATH": path, "GITHUB_STEP_SUMMARY": str(summary), **environment},
    )  # fmt: skip
    return done.returncode, summary.read_text() + done.stdout


def recorded(directory: Path, count: int, *, tail: str) -> None:
    """Pairs with a tail of 20, and a control arm without one."""
    write(
        directory / "pairs.jsonl",
        [pair(n) for n in range(count)] + [pair(n, tail, group="tail") for n in range(count, count + 20)],
    )
    write(directory / "control.jsonl", [pair(n) for n in range(count)])


def test_the_workflow_fails_on_a_broken_tail_and_says_so_in_the_summary(tmp_path: Path) -> None:
    recorded(tmp_path, 180, tail=LOOP)
    code, summary = run_step("recorded", tmp_path)
    assert (code, "group=tail" in summary, "degenerate" in summary) == (1, True, True)


def test_the_workflow_warns_where_pairs_are_too_few(tmp_path: Path) -> None:
    recorded(tmp_path, 1, tail=pair(0)["candidate"]["text"])
    code, summary = run_step("recorded", tmp_path)
    assert (code, "::warning::" in summary) == (0, True)


@pytest.mark.parametrize(("state", "code"), [("ok", 0), ("diverged", 1)])
def test_the_live_job_waits_for_the_verdict_and_lists_what_diverged(
    service: FixedService, address: str, tmp_path: Path, state: State, code: int
) -> None:
    service.state = state_of(state).state
    found, summary = run_step("live", tmp_path, MONITOR=f"http://{address}")
    assert (found, f"## Tailgate: {state}" in summary) == (code, True)
    assert ("| language=sw | script |" in summary) == (state == "diverged")
