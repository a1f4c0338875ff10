"""Real servers, started once per session and only where they are installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from monitor.standin.settings import Latency, Settings
from tests.real import vllm_server
from tests.real.browsing import chromium
from tests.real.vllm_server import Server
from tests.standin.running import running

# Few places and a short queue, so that a burst is shed; one token per chunk as vLLM sends.
_STANDIN = Settings(
    latency=Latency(first=0.05, token=0.002, jitter=0.0),
    slots=2,
    max_queued=2,
    max_model_len=2048,
    stream_interval=1,
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One Chromium per file: as long as it is open, its event loop is this thread's, and no other can run."""
    with chromium() as found:
        yield found


@pytest.fixture(autouse=True)
def pages_are_closed(request: pytest.FixtureRequest) -> Iterator[None]:
    """With its test: an open page goes on following the verdict, and twenty of them fill a core."""
    yield
    if "browser" in request.fixturenames:
        for context in request.getfixturevalue("browser").contexts:
            context.close()


@pytest.fixture(scope="session")
def standin_server() -> Iterator[Server]:
    with running(_STANDIN) as url:
        yield Server(url, "standin", 2048)


@pytest.fixture(scope="session")
def vllm_tiny() -> Iterator[Server]:
    """vLLM with the random tiny model, two places in its batch and two in its queue."""
    if vllm_server.interpreter() is None:
        pytest.skip(vllm_server.WHY_NOT)
    flags = (*vllm_server.RECOMMENDED, "--max-num-seqs=2", "--max-num-queued-reqs=2")
    with vllm_server.serve(vllm_server.tiny(), "tiny", *flags) as server:
        yield server


@pytest.fixture(scope="session")
def vllm_baseline() -> Iterator[Server]:
    """vLLM with SmolLM2-135M-Instruct, a model that answers, with the flags that production has."""
    if vllm_server.interpreter() is None:
        pytest.skip(vllm_server.WHY_NOT)
    with vllm_server.serve(vllm_server.smollm2(), "smollm2", "--max-num-seqs=16", core=0) as server:
        yield server


@pytest.fixture(scope="session")
def vllm_pair(vllm_baseline: Server) -> Iterator[tuple[Server, Server]]:
    """The same beside its int4 candidate."""
    folder = vllm_server.quantized(4, 128)
    flags = (*vllm_server.RECOMMENDED, "--max-num-seqs=16")
    with vllm_server.serve(folder, "smollm2", *flags, core=1) as candidate:
        yield vllm_baseline, candidate
