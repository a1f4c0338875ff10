"""Servers that several groups of tests talk to (loopback, ports chosen by the system); hypothesis; who runs what."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

import httpx
import httpx._transports.default as transports
import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

from monitor.standin.settings import Latency, Settings
from tests.standin.running import running

# A busy machine is no failure, and a failure must come back: fixed seed, no deadline per example.
settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile("suite")

# `httpx.get` reads all certificates of the machine, 40 ms of a core, and tests ask ten times a second until something
# is so: what was read once is shared.
httpx.create_ssl_context = transports.create_ssl_context = cache(httpx.create_ssl_context)  # type: ignore[attr-defined]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first: what is short fills the gap when one of two workers is done."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


SHARING_VLLM = {f"tests/real/test_{name}.py" for name in ("contract", "crash", "forced", "probe")}


# They sleep for much of their time: between arrivals, until a dead member's session ends, until gauges are made anew.
WAITING = {
    f"tests/{name}.py"
    for name in (
        "cli/test_agreement", "cli/test_demo", "cli/test_privacy", "cli/test_probe_load", "cli/test_ways",
        "faults/test_candidate", "real/test_kafka_chaos", "real/test_kafka_collect", "real/test_kafka_flow",
        "real/test_kafka_privacy", "real/test_s3", "scenarios/test_stories",
    )
}  # fmt: skip
WAITER = "gw2"


class ByServer(LoadFileScheduling):
    """File by file, but files that share a server go to one worker: a vLLM costs 40 s of a core to start.

    Of three workers the third takes the files that wait, and ends with them: two cores have two that compute.
    """

    def _split_scope(self, nodeid: str) -> str:
        path = super()._split_scope(nodeid)
        return "vllm_tiny" if path in SHARING_VLLM else path

    def _assign_work_unit(self, node: WorkerController) -> None:
        waits = node.gateway.id == WAITER
        if fitting := next((scope for scope in self.workqueue if (scope in WAITING) == waits), None):
            self.workqueue.move_to_end(fitting, last=False)
        super()._assign_work_unit(node)

    def _reschedule(self, node: WorkerController) -> None:
        if node.gateway.id != WAITER or WAITING & self.workqueue.keys():
            super()._reschedule(node)
        elif not node.shutting_down:
            node.shutdown()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    return ByServer(config, log) if config.getvalue("dist") == "loadfile" else None


QUICK = Latency(first=0.0, token=0.0, jitter=0.0)


@pytest.fixture(scope="session")
def standin() -> Iterator[str]:
    """URL of one healthy, instant stand-in."""
    with running(Settings(latency=QUICK)) as url:
        yield url


@pytest.fixture
def start_standin() -> Iterator[Callable[[Settings], str]]:
    """Starts stand-ins of one's own; they stop with the test."""
    with ExitStack() as stack:
        yield lambda settings: stack.enter_context(running(settings))
