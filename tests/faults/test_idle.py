"""Connections that wait: ten thousand of them, and the one that is closed while it is used again."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.collectors.harness import (
    Transcript,
    Upstream,
    connect,
    connections,
    memory_at_rest,
    play,
    resident_bytes,
    sidecar,
    wait_until,
)
from tests.faults.holding import ANSWER, REQUEST, raise_limit

MANY = 10_000
RACES = 60
CONNECTIONS = 'tailgate_proxy_connections{route="default"}'


@contextmanager
def holding() -> Iterator[int]:
    command = [sys.executable, "-m", "tests.faults.holding"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


@pytest.mark.slow
@pytest.mark.skipif(raise_limit() < MANY + 1000, reason=f"{MANY} connections need more file descriptors")
def test_ten_thousand_idle_connections_are_held_and_a_request_is_served(tmp_path: Path) -> None:
    with holding() as port, sidecar(tmp_path, port) as proxy:
        before = sum(memory_at_rest(pid) for pid in proxy.workers)
        with connections(proxy.port, MANY) as clients:
            wait_until(lambda: proxy.metric(CONNECTIONS) == MANY, 60)
            each = (sum(resident_bytes(pid) for pid in proxy.workers) - before) / MANY
            used = [play(client, [("send", REQUEST), ("read", len(ANSWER))]) for client in clients[::100]]
        wait_until(lambda: proxy.metric(CONNECTIONS) == 0, 60)
    assert Counter(bytes(seen.received) for seen in used) == {ANSWER: 100}
    print(f"{each:.0f} bytes for each idle connection")
    assert each < 20_000


def raced(port: int, pause: float) -> Transcript:
    """A second request on a connection that the upstream closes at about this moment."""
    with connect(port) as client:
        play(client, [("send", REQUEST), ("read", len(ANSWER))])
        time.sleep(pause)
        return play(client, [("send", REQUEST), ("end",)])


def test_a_request_on_a_connection_that_is_being_closed_ends_as_without_us(tmp_path: Path) -> None:
    # RFC 9112, 9.3.1: only the client may try again, so it must see the end and nothing that we made up
    rng = random.Random(9)
    server = Upstream()
    server.script = [("read", len(REQUEST)), ("send", ANSWER), ("sleep", 0.02)]
    with sidecar(tmp_path, server.port) as proxy:
        pauses = [rng.uniform(0.015, 0.025) for _ in range(RACES)]
        through, direct = ([raced(port, pause) for pause in pauses] for port in (proxy.port, server.port))
        funnel = proxy.settled()
    server.close()
    assert {bytes(seen.received) for seen in direct} == {b""}
    assert {bytes(seen.received) for seen in through} == {b""}
    assert {seen.end for seen in through} <= {"fin", "rst"}
    assert funnel["eligible"] >= RACES
