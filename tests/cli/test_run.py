"""`tailgate run` and the commands that ask it: real processes, real sockets."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import duckdb
import httpx
import jsonschema
import pytest

from monitor.demo import free_ports
from monitor.verdict import schema
from tests.standin.process import TAILGATE, running_standin

PAIRS = 120
EMPTY: Mapping[str, object] = MappingProxyType({})
PROMTOOL = shutil.which("promtool")


@dataclass(frozen=True, slots=True)
class Running:
    """One `tailgate run` with its addresses."""

    process: subprocess.Popen[bytes]
    clients: str
    monitor: str
    admin: str
    directory: Path

    def ask(self, number: int, **extra: object) -> httpx.Response:
        text = f"What is {number} + 30?"
        body = {
            "model": "standin",
            "temperature": 0,
            "messages": [{"role": "user", "content": text}],
            **extra,
        }
        return httpx.post(f"{self.clients}/v1/chat/completions", json=body, timeout=30)

    def verdict(self) -> Any:
        return httpx.get(f"{self.monitor}/api/v1/verdict", timeout=10).json()

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [TAILGATE, *arguments, "--url", self.monitor],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


def eventually(check: Callable[[], bool], seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if check():
                return True
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    return False


@contextmanager
def running(
    directory: Path, *faults: str, text: str = "none", more: Mapping[str, object] = EMPTY
) -> Iterator[Running]:
    """`tailgate run` between two stand-ins; `more` are further settings. Its output is `directory`/log."""
    listen, admin, http = (f"127.0.0.1:{port}" for port in free_ports(3))
    with ExitStack() as stack:
        baseline = stack.enter_context(running_standin())
        candidate = stack.enter_context(running_standin("--role", "candidate", *faults))
        settings = {
            "baseline.url": baseline, "candidate.url": candidate, "sidecar.listen": listen, "sidecar.admin": admin,
            "http.listen": http, "store.path": directory / "t.duckdb", "store.text": text, "sampling.fraction": 1.0,
            "replay.max_share_of_traffic": 1.0, "replay.share": 0.5, "privacy.subject": "x-user",
            # a monitor that was kept waiting gets many at once, and a verdict needs its replays
            "replay.concurrency": 16,
            **more,
        }  # fmt: skip
        flags = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
        log = stack.enter_context((directory / "log").open("ab"))
        process = stack.enter_context(
            subprocess.Popen([TAILGATE, "run", *flags], cwd=directory, stdout=log, stderr=log)
        )
        run = Running(process, f"http://{listen}", f"http://{http}", f"http://{admin}", directory)
        try:
            ready = [f"{url}/-/ready" for url in (run.monitor, run.admin)]
            # a machine that is busy elsewhere takes long to start seven processes
            assert eventually(lambda: all(httpx.get(url).status_code == 200 for url in ready), 120)
            yield run
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("run"), "--fault", "all:wrong_number") as run:
        for number in range(PAIRS):
            assert run.ask(number, stream=number % 2 == 0).status_code == 200
        assert eventually(lambda: run.verdict()["funnel"]["scored"] == PAIRS)
        assert eventually(lambda: run.verdict()["verdict"] == "diverged", 10)
        yield run


def test_the_verdict_matches_its_schema_and_names_the_signal(run: Running) -> None:
    verdict = run.verdict()
    jsonschema.validate(verdict, schema())
    assert {row["signal"] for row in verdict["segments"] if row["verdict"] == "diverged"} >= {"answer"}


def test_the_funnel_reconciles(run: Running) -> None:
    funnel = run.verdict()["funnel"]
    assert (
        funnel["eligible"] == funnel["scored"] + sum(funnel["skipped"].values()) + funnel["pending"] == PAIRS
    )


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["verdict", "--format", "json"], 1),
        (["verdict", "--wait", "5"], 1),
        (["segments", "--format", "json"], 0),
        (["segments"], 0),
        (["funnel"], 0),
        (["explain", "all", "--signal", "answer"], 0),
    ],
)
def test_commands_answer_with_the_contracts_exit_codes(run: Running, arguments: list[str], code: int) -> None:
    done = run.command(*arguments)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
    if "json" in arguments:
        assert json.loads(done.stdout)


def test_the_funnel_says_what_both_servers_can_do(run: Running) -> None:
    assert eventually(lambda: run.verdict()["capabilities"]["candidate"]["prompt_logprobs"] is True)
    words = " ".join(run.command("funnel").stdout.split())
    assert (
        "candidate can: logprobs, token_ids, tokenize, prompt_logprobs, request_metrics, cached_tokens"
        in words
    )
    assert "replay can: logprobs, token_ids, request_metrics, cached_tokens; not known: tokenize" in words


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (apt: prometheus)")
@pytest.mark.parametrize("side", ["monitor", "admin"])
def test_both_pages_of_metrics_pass_promtool(run: Running, side: str) -> None:
    page = httpx.get(f"{getattr(run, side)}/metrics").content
    done = subprocess.run([str(PROMTOOL), "check", "metrics"], input=page, capture_output=True, check=False)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_series_stay_within_their_budgets(run: Running) -> None:
    def series(url: str) -> int:
        return sum(not line.startswith("#") for line in httpx.get(f"{url}/metrics").text.splitlines())

    assert series(run.admin) <= 60
    assert series(run.monitor) <= 10_000


def test_the_kill_switch_stops_mirroring_at_once(run: Running) -> None:
    before = run.verdict()["funnel"]["sampled"]
    httpx.put(f"{run.admin}/-/sampling", json={"fraction": 0})
    assert run.ask(1).status_code == 200
    assert eventually(lambda: run.verdict()["funnel"]["skipped"].get("not_sampled", 0) >= 1)
    assert run.verdict()["funnel"]["sampled"] == before
    httpx.put(f"{run.admin}/-/sampling", json={"fraction": 1})


def test_no_text_is_on_disk_by_default(run: Running) -> None:
    """The store holds scores, the spool is sealed: the prompts' words are nowhere."""
    needles = (b"What is 5", b"The result", b"So the total")
    for path in run.directory.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert not any(needle in data for needle in needles), path


def test_a_killed_monitor_comes_back_with_its_verdict(tmp_path: Path) -> None:
    with running(tmp_path) as run:
        for number in range(20):
            run.ask(number)
        assert eventually(lambda: run.verdict()["funnel"]["scored"] == 20)
        _kill_monitor(run)
        assert run.ask(99).status_code == 200
        assert eventually(lambda: run.verdict()["funnel"]["scored"] == 21)


def _kill_monitor(run: Running) -> None:
    children = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(run.process.pid)], capture_output=True, text=True, check=True
    ).stdout
    (pid,) = (
        int(line.split()[0]) for line in children.splitlines() if " monitor " in line.split("-m", 1)[-1][8:]
    )
    os.kill(pid, signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Stopped:
    """What a run that was told to end said and left."""

    code: int
    processes: str
    live: Any
    directory: Path


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Stopped:
    directory = tmp_path_factory.mktemp("stopped")
    with running(directory) as run:
        for number in range(10):
            run.ask(number)
        assert eventually(lambda: run.verdict()["funnel"]["scored"] == 10)
        live = run.verdict()
        run.process.send_signal(signal.SIGTERM)
        code = run.process.wait(20)
        listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
        return Stopped(code, listed.stdout, live, directory)


def test_sigterm_leaves_no_process_behind(stopped: Stopped) -> None:
    assert (stopped.code, str(stopped.directory) in stopped.processes) == (0, False)


def test_a_missing_candidate_is_exit_2_with_the_flag_to_use() -> None:
    done = subprocess.run([TAILGATE, "run"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--candidate" in done.stderr


def test_a_monitor_that_never_answered_is_exit_4() -> None:
    (port,) = free_ports(1)
    command = [TAILGATE, "verdict", "--url", f"http://127.0.0.1:{port}", "--wait", "1"]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 4


def test_the_database_answers_after_the_monitor_is_gone(stopped: Stopped) -> None:
    command = [TAILGATE, "verdict", "--db", str(stopped.directory / "t.duckdb"), "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    found, live = json.loads(done.stdout), stopped.live
    assert (found["pairs"], found["config_hash"]) == (live["pairs"], live["config_hash"])
    assert [row["segment"] for row in found["segments"]] == [row["segment"] for row in live["segments"]]


def test_the_module_runs_like_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "monitor", "--help"], capture_output=True, text=True, check=True
    )
    assert "verdict" in done.stdout


def test_labels_and_erasure_reach_the_store(tmp_path: Path) -> None:
    with running(tmp_path) as run:
        body = {"model": "standin", "messages": [{"role": "user", "content": "What is 2 + 2?"}]}
        for user, request_id in (("ann", "a1"), ("bob", "b1")):
            headers = {"x-user": user, "x-request-id": request_id}
            httpx.post(f"{run.clients}/v1/chat/completions", json=body, headers=headers, timeout=30)
        assert eventually(lambda: run.verdict()["funnel"]["scored"] == 2)
        labels = tmp_path / "labels.jsonl"
        labels.write_text('{"id": "a1", "candidate_correct": true}\nnonsense\n{"id": 7}\n')
        assert json.loads(run.command("labels", str(labels)).stdout) == {"accepted": 1, "rejected": 2}
        assert json.loads(run.command("erase", "--subject", "ann").stdout)["pairs"] == 1
        found = httpx.get(f"{run.monitor}/api/v1/pairs", params={"limit": 100}).json()["pairs"]
        assert {pair["id"] for pair in found} == {"b1"}


def test_a_stopped_monitor_has_committed_everything_it_settled(stopped: Stopped) -> None:
    with duckdb.connect(str(stopped.directory / "t.duckdb"), read_only=True) as store:
        assert store.execute("SELECT count(*) FROM pairs").fetchall() == [(10,)]
        assert store.execute("SELECT count(*) FROM snapshots").fetchall() == [(1,)]
