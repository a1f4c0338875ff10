"""Whole routes (stand-ins, sidecar, monitor, traffic) under real Prometheus and Alertmanager."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from monitor.demo import Plan, Stage, play, raise_stage
from monitor.errors import Unreachable
from tests.real.alerting import Alerting, alerting


@dataclass(slots=True)
class Route:
    """A running route with its traffic and its alerting."""

    stage: Stage
    alerting: Alerting
    started: float
    traffic: threading.Thread


@contextmanager
def running_route(plan: Plan, directory: Path) -> Iterator[Route]:
    """The route of a plan, alone under its servers, with its traffic on the way."""
    stage = raise_stage(plan, directory)
    try:
        with alerting(targets(stage), directory) as servers:
            yield Route(stage, servers, time.monotonic(), sending(stage, plan))
    finally:
        stage.stop()


def raised(plan: Plan, folder: Path, stack: ExitStack) -> Stage:
    """The processes of a plan in a folder of their own, until `stack` is closed."""
    directory = folder / plan.route
    directory.mkdir()
    stage = raise_stage(plan, directory)
    stack.callback(stage.stop)
    return stage


def targets(stage: Stage, route: str = "") -> dict[str, str]:
    """What Prometheus scrapes of a stage, by job."""
    return {f"{name}{route}": stage.urls[name] for name in ("monitor", "sidecar")}


def sending(stage: Stage, plan: Plan) -> threading.Thread:
    """The plan's traffic, on a thread that ends when all of it is scored or half a minute later."""
    thread = threading.Thread(target=lambda: asyncio.run(_play(stage, plan)), daemon=True)
    thread.start()
    return thread


async def _play(stage: Stage, plan: Plan) -> None:
    with suppress(httpx.TransportError, Unreachable):  # a test may end a process of the stage
        await play(stage, plan, lambda _verdict, _sent: None)


def end(stage: Stage, name: str) -> None:
    """Kill a process of the stage."""
    process = stage.processes[name]
    process.kill()
    process.wait()
    if process.stdout:
        process.stdout.close()


def another_candidate(stage: Stage, *flags: str) -> None:
    """A new stand-in at the candidate's address."""
    port = stage.urls["candidate"].rpartition(":")[2]
    stage.start("candidate", "standin", "--port", port, "--role", "candidate", *flags)
