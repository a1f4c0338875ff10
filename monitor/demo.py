"""`tailgate demo`: the whole pipeline on one machine, with a planted tail regression to find.

Two stand-in servers (no models), real traffic over real sockets through a real sidecar, the real
monitor. Nothing here knows where the fault is but the candidate's command line.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from monitor.addresses import host_port, is_loopback
from monitor.errors import Unreachable
from monitor.signals import SIGNALS
from monitor.standin.traffic import shares, traffic

RATE = 30.0
"""Requests per second: a 2-core machine runs all five processes with room to spare."""
PLANTED_SHARE = 0.06
FAULT_RATE = 0.9
TOKEN_ENV = "TAILGATE_TOKEN"  # noqa: S105  a name
"""Environment variable with the token that an address beyond loopback asks for."""
START_SECONDS = 60.0
SETTLE_SECONDS = 30.0
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run. `planted` is a segment or None; real servers replace the stand-ins when named.

    `faults` replaces the usual fault of the planted segment, `http` (HOST:PORT) the monitor's free
    port, `settings` are more keys of the configuration, section by section.
    """

    seconds: float = 45.0
    planted: str | None = "language=sw"
    seed: int = 1
    baseline: str | None = None
    candidate: str | None = None
    route: str = "demo"
    rate: float = RATE
    share: float = PLANTED_SHARE
    faults: tuple[str, ...] | None = None
    http: str | None = None
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def candidate_flags(self) -> tuple[str, ...]:
        """Flags of the candidate's stand-in."""
        usual = () if self.planted is None else (f"{self.planted}:cliff:{FAULT_RATE}",)
        return tuple(
            word for fault in (usual if self.faults is None else self.faults) for word in ("--fault", fault)
        )


@dataclass(slots=True)
class Stage:
    """The running processes and their addresses."""

    directory: Path
    processes: dict[str, subprocess.Popen[str]] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)

    def start(self, name: str, *arguments: str) -> subprocess.Popen[str]:
        """Start `tailgate ARGUMENTS` with its stderr in a file of the stage's directory."""
        with (self.directory / f"{name}.log").open("w") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-m", "monitor", *arguments],
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        self.processes[name] = process
        return process

    def check(self) -> None:
        """Raise Unreachable with the last words of a process that ended."""
        for name, process in self.processes.items():
            if process.poll() is not None:
                words = (self.directory / f"{name}.log").read_text(errors="replace").strip()
                raise Unreachable(f"{name} ended with exit code {process.returncode}: {words[-500:]}")

    def stop(self) -> None:
        """End all processes, the ones in front of production first."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout:
                process.stdout.close()


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago, all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def raise_stage(plan: Plan, directory: Path) -> Stage:
    """Start everything and wait until it is ready. UsageError for a segment that the traffic lacks."""
    shares({plan.planted: plan.share} if plan.planted else {})
    stage = Stage(directory)
    try:
        stage.urls["baseline"] = plan.baseline or _standin(stage, "baseline", ())
        stage.urls["candidate"] = plan.candidate or _standin(stage, "candidate", plan.candidate_flags)
        listen, admin, http = (f"127.0.0.1:{port}" for port in free_ports(3))
        http = plan.http or http
        stage.urls |= {
            "clients": f"http://{listen}",
            "sidecar": f"http://{admin}",
            "monitor": f"http://127.0.0.1:{http.rpartition(':')[2]}",
        }
        path = directory / "tailgate.yaml"
        path.write_text(yaml.safe_dump(_config(stage, plan, directory, (listen, admin, http))))
        for name in ("sidecar", "monitor"):
            stage.start(name, name, "-c", str(path))
        _await_ready(stage)
    except BaseException:
        stage.stop()
        raise
    return stage


def _standin(stage: Stage, role: str, extra: tuple[str, ...]) -> str:
    process = stage.start(role, "standin", "--port", "0", "--role", role, *extra)
    line = process.stdout.readline().strip() if process.stdout else ""
    if not line.startswith("http"):
        time.sleep(0.2)
        stage.check()
        raise Unreachable(f"the {role} stand-in did not start")
    return line


def _config(stage: Stage, plan: Plan, directory: Path, addresses: tuple[str, str, str]) -> Json:
    listen, admin, http = addresses
    config: Json = {
        "route": {"name": plan.route},
        "baseline": {"url": stage.urls["baseline"]},
        "candidate": {"url": stage.urls["candidate"]},
        # A minute is short: replay without regard to the cap that protects production.
        "replay": {"share": 0.3, "concurrency": 4, "max_share_of_traffic": 1.0},
        "sampling": {"fraction": 1.0},
        # Two stand-ins on shared cores: their speed is the machine's, not a model's.
        "signals": {name: "show" for name, signal in SIGNALS.items() if signal.kind == "latency"},
        "sidecar": {"listen": listen, "admin": admin},
        "http": {"listen": http, "token_env": None if is_loopback(host_port(http)[0]) else TOKEN_ENV},
        "store": {"path": str(directory / "demo.duckdb"), "text": "full"},
        "spool": {"directory": str(directory / "spool")},
    }
    for section, keys in plan.settings.items():
        config[section] = {**config.get(section, {}), **keys}
    return config


def _await_ready(stage: Stage) -> None:
    deadline = time.monotonic() + START_SECONDS
    for name in ("sidecar", "monitor"):
        while not _is_ready(f"{stage.urls[name]}/-/ready"):
            stage.check()
            if time.monotonic() > deadline:
                raise Unreachable(f"{name} was not ready within {START_SECONDS:.0f} s")
            time.sleep(0.1)


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


@dataclass(slots=True)
class Sent:
    """What the clients saw."""

    requests: int = 0
    failed: int = 0


async def send(url: str, plan: Plan, model: str, sent: Sent) -> None:
    """Open-loop traffic for `plan.seconds`; production's clients, so every failure counts."""
    share = {plan.planted: plan.share} if plan.planted else None
    limits = httpx.Limits(max_connections=128)
    async with (
        httpx.AsyncClient(base_url=url, timeout=60, limits=limits, trust_env=False) as client,
        asyncio.TaskGroup() as group,
    ):
        started = time.monotonic()
        for number, planned in enumerate(traffic(plan.seed, model=model, segment_share=share)):
            due = started + number / plan.rate
            if due - started > plan.seconds:
                return
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            group.create_task(_send_one(client, planned.path, planned.body, planned.headers, sent))


async def _send_one(
    client: httpx.AsyncClient, path: str, body: Json, headers: Mapping[str, str], sent: Sent
) -> None:
    sent.requests += 1
    try:
        response = await client.post(path, json=body, headers=headers)
    except httpx.HTTPError:
        sent.failed += 1
    else:
        sent.failed += response.status_code != 200


async def play(stage: Stage, plan: Plan, show: Callable[[Json, Sent], None]) -> tuple[Json, Sent]:
    """Send the traffic, show the verdict as it grows, wait until all is scored; the final verdict."""
    sent = Sent()
    # A connection per question: on a busy machine an idle one is closed by the monitor just as it is used again.
    limits = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(
        base_url=stage.urls["monitor"], timeout=10, trust_env=False, limits=limits
    ) as monitor:
        model = await _model(stage.urls["baseline"])
        sending = asyncio.create_task(send(stage.urls["clients"], plan, model, sent))
        verdict: Json = {}
        try:
            while not sending.done():
                await asyncio.wait({sending}, timeout=1.0)
                stage.check()
                verdict = (await monitor.get("/api/v1/verdict")).json()
                show(verdict, sent)
        finally:
            sending.cancel()  # where the stage fell: its clients close while there is a loop
            await asyncio.wait({sending})
        sending.result()
        for _ in _until(time.monotonic() + SETTLE_SECONDS):
            verdict = (await monitor.get("/api/v1/verdict")).json()
            show(verdict, sent)
            funnel = verdict["funnel"]
            if funnel["pending"] == 0 and funnel["eligible"] >= sent.requests - sent.failed:
                break
            await asyncio.sleep(0.5)
    return verdict, sent


def _until(deadline: float) -> Iterator[int]:
    return itertools.takewhile(lambda _: time.monotonic() < deadline, itertools.count())


async def _model(url: str) -> str:
    async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
        models = (await client.get(f"{url}/v1/models")).json()
    return str(models["data"][0]["id"])


def unexplained(verdict: Json) -> set[str]:
    """Segments with a page signal that diverged and that no other segment explains."""
    return {
        row["segment"]
        for row in verdict["segments"]
        if row["verdict"] == "diverged" and row["explained_by"] is None and row.get("level", "page") == "page"
    }


def result(verdict: Json, sent: Sent, plan: Plan, stage: Stage, seconds: float) -> Json:
    """The machine-readable outcome; `found` must equal what was planted."""
    found = sorted(unexplained(verdict))
    wanted = [] if plan.planted is None else [plan.planted]
    pairs = [row["pairs"] for row in verdict["segments"] if row["segment"] == plan.planted]
    return {
        "planted": plan.planted or "none",
        "found": found,
        "ok": found == wanted,
        "requests": sent.requests,
        "failed_requests": sent.failed,
        "planted_pairs": max(pairs, default=0),
        "seconds": round(seconds, 1),
        "urls": stage.urls,
        "verdict": verdict,
    }
