"""The passive tap on loopback, beside a real sidecar: the same exchanges, nothing in the path."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from collectors.exchanges import Decoding, exchange_of
from collectors.packets import program
from monitor.records import Completion
from monitor.standin.settings import Latency, Settings
from tests.collectors.collecting import TAILGATE, collecting
from tests.collectors.harness import sidecar, wait_until
from tests.standin.running import running

PAUSE = 0.02


def may_capture() -> bool:
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0).close()
    except PermissionError:
        return False
    return True


needs_capability = pytest.mark.skipif(not may_capture(), reason="needs CAP_NET_RAW for AF_PACKET")


@pytest.fixture(scope="module")
def upstream() -> Iterator[int]:
    latency = Latency(first=0.1, token=PAUSE, jitter=0.0)
    with running(Settings(latency=latency, stream_interval=1, max_model_len=1 << 20)) as url:
        yield int(url.rpartition(":")[2])


def ask(client: httpx.Client, port: int, number: int, *, stream: bool) -> None:
    body = {
        "model": "standin", "temperature": 0, "stream": stream,
        "messages": [{"role": "user", "content": f"What is {number} + 30? " + "Think of it. " * 9000 * (number % 2)}],
    }  # fmt: skip
    reply = client.post(
        f"http://127.0.0.1:{port}/v1/chat/completions", json=body, headers={"x-request-id": f"r{number}"}
    )
    assert reply.status_code == 200


@needs_capability
def test_the_tap_sees_what_the_sidecar_sees(upstream: int, tmp_path: Path) -> None:
    with (
        sidecar(tmp_path / "splice", upstream) as splice,
        collecting(tmp_path, "collect.packets.interface=lo", f"collect.packets.port={upstream}") as tap,
        httpx.Client(timeout=30) as client,
    ):
        for number in range(8):  # large requests, and several on one connection
            ask(client, splice.port, number, stream=number % 4 < 2)
        tap.settled(8)
        wait_until(lambda: len(splice.captures()) == 8)
        spliced = {c.id: c for c in (exchange_of(c, Decoding(), time.time()) for c in splice.captures())}
        seen = tap.exchanges()
    assert {each.id for each in seen} == set(spliced)
    for each in seen:
        theirs = spliced[each.id]
        assert (each.collector, each.request) == ("packets", theirs.request)
        assert each.baseline.text == theirs.baseline.text
        assert (each.baseline.gaps is None) == (theirs.baseline.gaps is None)
    # a machine that stops for a moment meets one answer, and one of the two processes first
    assert [at_once(each.baseline, spliced[each.id].baseline) for each in seen].count(False) <= 1


def at_once(ours: Completion, theirs: Completion) -> bool:
    """Whether both saw the answer take equally long, as far as two processes on a busy machine do."""
    return ours.duration_seconds == pytest.approx(theirs.duration_seconds, abs=0.1, rel=0.3)


@needs_capability
def test_a_tap_that_stands_still_delays_nobody(upstream: int, tmp_path: Path) -> None:
    with (
        collecting(tmp_path, "collect.packets.interface=lo", f"collect.packets.port={upstream}") as tap,
        httpx.Client(timeout=30) as client,
    ):
        os.kill(tap.process.pid, signal.SIGSTOP)
        ask(client, upstream, 1, stream=True)
        os.kill(tap.process.pid, signal.SIGCONT)
        assert tap.settled(1)["written"] == 1  # the kernel kept it


@needs_capability
def test_an_interface_that_is_not_there_is_named(tmp_path: Path) -> None:
    command = [
        TAILGATE,
        "collect",
        "--set",
        "collect.packets.interface=nosuch",
        "--set",
        "collect.admin=127.0.0.1:0",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "collect.packets.interface: nosuch" in done.stderr) == (4, True), done.stderr


@pytest.mark.parametrize("loopback", [False, True])
def test_every_jump_of_the_filter_lands_inside(loopback: bool) -> None:
    code = program(8000, loopback=loopback)
    for index, (_op, yes, no, _operand) in enumerate(code[:-1]):
        assert 0 <= yes < len(code) - index - 1
        assert 0 <= no < len(code) - index - 1
    assert [op for op, *_ in code[-2:]] == [6, 6]  # keep, drop
