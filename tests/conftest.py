"""Servers that several groups of tests talk to (loopback, ports chosen by the system); hypothesis; who runs what."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from monitor.standin.settings import Latency, Settings
from tests.standin.running import running

# A busy machine is no failure, and a failure must come back: fixed seed, no deadline per example.
settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile("suite")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first: what is short fills the gap when one of two workers is done."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


SHARING_VLLM = {f"tests/real/test_{name}.py" for name in ("contract", "crash", "forced", "probe")}


class ByServer(LoadFileScheduling):
    """File by file, but files that share a server go to one worker: a vLLM costs 40 s of a core to start."""

    def _split_scope(self, nodeid: str) -> str:
        path = super()._split_scope(nodeid)
        return "vllm_tiny" if path in SHARING_VLLM else path


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
