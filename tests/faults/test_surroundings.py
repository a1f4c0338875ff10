"""What breaks around the sidecar: names, descriptors, a slow upstream, the clock, its own observer."""

from __future__ import annotations

import resource
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.benchmarks.hotpath.process import cpu_seconds
from tests.collectors.harness import (
    CAPTURE,
    TIMEOUT,
    Sidecar,
    Upstream,
    answer,
    connect,
    connections,
    memory_at_rest,
    play,
    request,
    resident_bytes,
    sidecar,
    wait_until,
)

POST, OK, MB = request(), answer(), 1 << 20
TURN = [("send", POST), ("read", len(OK))]
ANSWERS = [("read", len(POST)), ("send", OK), ("end",)]
BROKEN_OBSERVER = """
import runpy
import httptools
class Broken:
    def __init__(self, tape): pass
    def feed_data(self, data): raise ZeroDivisionError("on purpose")
httptools.HttpRequestParser = Broken
runpy.run_module("collectors.capture", run_name="__main__")
"""


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    server.script = ANSWERS
    yield server
    server.close()


@pytest.fixture
def proxy(upstream: Upstream, tmp_path: Path) -> Iterator[Sidecar]:
    with sidecar(tmp_path, upstream.port, workers=1) as running:
        yield running


def test_an_observer_that_raises_costs_its_connection_nothing(upstream: Upstream, tmp_path: Path) -> None:
    upstream.script = [*ANSWERS[:2], ("read", 2 * len(POST)), ("send", OK), ("end",)]
    broken = (sys.executable, "-c", BROKEN_OBSERVER)
    with sidecar(tmp_path, upstream.port, command=broken) as proxy, connect(proxy.port) as client:
        seen = play(client, [*TURN, ("send", POST), ("read", 2 * len(OK))])
        assert bytes(seen.received) == 2 * OK
        wait_until(lambda: proxy.funnel()["unobserved_connections"] == {"observer_error": 1})


def test_without_descriptors_open_connections_live_on_and_new_ones_return_with_them(
    upstream: Upstream, proxy: Sidecar
) -> None:
    upstream.script = [*ANSWERS[:2], ("read", 2 * len(POST)), ("send", OK), ("end",)]
    (worker,) = proxy.workers
    with connect(proxy.port) as first:
        assert bytes(play(first, TURN).received) == OK
        hard = resource.prlimit(worker, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (_descriptors(worker) + 4, hard))
        with connections(proxy.port, 20):
            time.sleep(0.2)
            assert bytes(play(first, TURN).received) == OK
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (hard, hard))
    upstream.script = ANSWERS
    wait_until(lambda: _is_served(proxy))


def _descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def _is_served(proxy: Sidecar) -> bool:
    with connect(proxy.port) as client:
        return bytes(play(client, TURN).received) == OK


def test_while_the_upstream_does_not_accept_the_client_waits_and_memory_does_not_grow(tmp_path: Path) -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        port = listener.getsockname()[1]
        stack.enter_context(socket.create_connection(("127.0.0.1", port)))  # the backlog is full
        proxy = stack.enter_context(sidecar(tmp_path, port, workers=1))
        client = stack.enter_context(connect(proxy.port))
        before = memory_at_rest(proxy.workers[0])
        client.settimeout(0.5)
        with pytest.raises(TimeoutError):
            client.sendall(request(bytes(64 * MB)))
        assert resident_bytes(proxy.workers[0]) - before < 8 * MB
        listener.settimeout(TIMEOUT)
        listener.accept()[0].close()  # the one that was in the way; SYNs are repeated after a second
        served, _ = listener.accept()
        assert served.recv(4) == b"POST"
        served.close()


def test_a_name_is_resolved_for_every_connection(tmp_path: Path) -> None:
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("a private /etc/hosts needs root and unshare (util-linux)")
    hosts = tmp_path / "hosts"
    with socket.create_server(("127.0.0.2", 0)) as one, ExitStack() as stack:
        port = one.getsockname()[1]
        two = stack.enter_context(socket.create_server(("127.0.0.3", port)))
        hosts.write_text("127.0.0.2 baseline.test\n")
        mounted = f"mount --bind {hosts} /etc/hosts && exec " + " ".join(CAPTURE)
        settings = {"upstream": ("baseline.test", port), "command": ("unshare", "-m", "sh", "-c", mounted)}
        proxy = stack.enter_context(sidecar(tmp_path, port, **settings))
        for listener, address in ((one, "127.0.0.2"), (two, "127.0.0.3")):
            hosts.write_text(f"{address} baseline.test\n")
            listener.settimeout(TIMEOUT)
            with connect(proxy.port):
                listener.accept()[0].close()


def test_scrapes_are_no_work_of_the_data_path(proxy: Sidecar) -> None:
    (worker,) = proxy.workers
    before, parent = cpu_seconds(worker), cpu_seconds(proxy.process.pid)
    for _ in range(100):
        assert proxy.admin("/metrics")[0] == 200
    spent = cpu_seconds(worker) - before
    assert spent < 0.2 * (cpu_seconds(proxy.process.pid) - parent)
