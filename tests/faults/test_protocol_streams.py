"""Streams under stress: who leaves early, who is slow, who dies, and what is too large."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.collectors.harness import (
    Sidecar,
    Transcript,
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

POST = request()
OK = answer()
SSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
MB = 1 << 20


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


@pytest.fixture
def proxy(upstream: Upstream, tmp_path: Path) -> Iterator[Sidecar]:
    with sidecar(tmp_path, upstream.port) as running:
        yield running


def test_a_client_that_leaves_mid_stream_cancels_the_upstream(upstream: Upstream, proxy: Sidecar) -> None:
    upstream.script = [("read", len(POST)), ("send", SSE + b"2\r\nab\r\n"), ("end",)]
    with connect(proxy.port) as client:
        play(client, [("send", POST), ("read", len(SSE) + 7)])
        left = time.monotonic()
    seen = upstream.wait_seen()[0]
    assert seen.ended_at - left < 0.25
    wait_until(proxy.captures)
    assert [c.outcome for c in proxy.captures()] == ["client_left"]


def test_a_client_that_leaves_before_the_answer_cancels_the_upstream(
    upstream: Upstream, proxy: Sidecar
) -> None:
    upstream.script = [("read", len(POST)), ("end",)]
    with connect(proxy.port) as client:
        play(client, [("send", POST), ("sleep", 0.2)])
        left = time.monotonic()
    assert upstream.wait_seen()[0].ended_at - left < 0.25


def test_an_upstream_that_never_stops_is_reset_when_the_client_is_gone(
    upstream: Upstream, proxy: Sidecar
) -> None:
    upstream.script = [("read", len(POST)), ("send", SSE), *[("send", b"1\r\na\r\n"), ("sleep", 0.02)] * 200]
    with connect(proxy.port) as client:
        play(client, [("send", POST), ("read", len(SSE))])
        left = time.monotonic()
    seen = upstream.wait_seen()[0]
    assert seen.end == "rst"
    assert seen.ended_at - left < 0.25


def test_marks_tell_when_each_part_arrived(upstream: Upstream, proxy: Sidecar) -> None:
    upstream.script = [
        ("read", len(POST)),
        *[("sleep", 0.1), ("send", SSE + b"2\r\nab\r\n"), ("sleep", 0.2), ("send", b"3\r\ncde\r\n0\r\n\r\n")],
        ("end",),
    ]
    with connect(proxy.port) as client:
        play(client, [("send", POST), ("read", len(SSE) + 20), ("fin",), ("end",)])
    wait_until(proxy.captures)
    capture = proxy.captures()[0]
    assert [length for _, length in capture.marks] == [2, 3]
    assert capture.response_body == b"abcde"
    first, last = (at / 1e6 for at, _ in capture.marks)
    assert 0.08 < first < 0.25
    assert 0.18 < last - first < 0.35


def _flood(size: int) -> list[tuple[object, ...]]:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size
    return [("read", len(POST)), ("send", head), *[("send", bytes(MB))] * (size // MB), ("end",)]


def test_a_slow_reader_holds_back_the_upstream_and_not_our_memory(upstream: Upstream, proxy: Sidecar) -> None:
    upstream.script = _flood(100 * MB)
    before = max(memory_at_rest(pid) for pid in proxy.workers)
    with connect(proxy.port) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(POST)
        time.sleep(1.0)
        after = max(resident_bytes(pid) for pid in proxy.workers)
    assert after - before < 20 * MB  # of which at most 8 are a capture that is about to be given up


def test_a_slow_upstream_holds_back_the_uploader(upstream: Upstream, proxy: Sidecar) -> None:
    upstream.script = [("sleep", 1.5)]
    head = request(b"", headers=[f"Content-Length: {100 * MB}"])
    before = max(memory_at_rest(pid) for pid in proxy.workers)
    with connect(proxy.port) as client:
        client.settimeout(0.8)
        with pytest.raises(TimeoutError):
            client.sendall(head + bytes(100 * MB))
        after = max(resident_bytes(pid) for pid in proxy.workers)
    assert after - before < 20 * MB


def test_bodies_of_100_mb_pass_unchanged_and_are_not_captured(upstream: Upstream, proxy: Sidecar) -> None:
    body = os.urandom(MB) * 100
    whole = request(body)
    digests: list[str] = []

    def echo(sock: socket.socket) -> Transcript:
        seen = play(sock, [("read", len(whole))])
        digests.append(hashlib.sha256(seen.received).hexdigest())
        return play(sock, [("send", answer(body)), ("end",)])

    upstream.script = echo
    with connect(proxy.port) as client:
        sender = threading.Thread(target=client.sendall, args=(whole,))
        sender.start()
        back = play(client, [("read", len(answer(body)))])
        sender.join()
    assert digests == [hashlib.sha256(whole).hexdigest()]
    assert back.received == answer(body)
    assert proxy.settled()["dropped"] == {"too_large": 1}
    assert max(resident_bytes(pid) for pid in proxy.workers) < 80 * MB


def test_an_unreachable_upstream_is_a_502_with_its_reason_until_it_is_back(tmp_path: Path) -> None:
    gone = Upstream()
    gone.close()
    with sidecar(tmp_path, gone.port) as proxy:
        with connect(proxy.port) as client:
            refused = play(client, [("send", POST), ("end",)])
        assert refused.received.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
        assert b'"code": "refused"' in refused.received
        assert proxy.metric('tailgate_proxy_upstream_errors_total{route="default",error_type="refused"}') == 1
        assert proxy.admin("/-/ready")[0] == 503
        back = Upstream(port=gone.port)
        back.script = [("read", len(POST)), ("send", OK), ("end",)]
        with connect(proxy.port) as client:
            served = play(client, [("send", POST), ("read", len(OK))])
        assert served.received == OK
        back.close()


def test_sigterm_lets_streams_finish_and_refuses_new_ones(upstream: Upstream, proxy: Sidecar) -> None:
    upstream.script = [
        ("read", len(POST)),
        ("send", SSE),
        *[("sleep", 0.1), ("send", b"1\r\na\r\n")] * 8,
        ("send", b"0\r\n\r\n"),
        ("end",),
    ]
    with connections(proxy.port, 201) as (idle, *clients):
        for client in clients:
            client.sendall(POST)
        wait_until(lambda: proxy.funnel()["sampled"] == 200)
        began = time.monotonic()
        proxy.process.send_signal(signal.SIGTERM)
        received = [play(client, [("end",)]).received for client in clients]
        assert play(idle, [("end",)]).end == "fin"
    assert {bytes(data[-5:]) for data in received} == {b"0\r\n\r\n"}
    assert proxy.process.wait(10) == 0
    assert time.monotonic() - began < proxy.settings.drain_seconds
    with pytest.raises(ConnectionRefusedError):
        connect(proxy.port)
    assert len(proxy.captures()) == 200
    last = {c.stream: c.final for c in proxy.counters()}
    assert set(last.values()) == {True}


def test_a_killed_worker_is_replaced_and_its_losses_are_counted(upstream: Upstream, proxy: Sidecar) -> None:
    upstream.script = [("read", len(POST)), ("send", SSE), ("end",)]
    with connections(proxy.port, 16) as clients:
        for client in clients:
            client.sendall(POST)
        wait_until(lambda: proxy.funnel()["pending"] == 16)
        os.kill(proxy.workers[0], signal.SIGKILL)
        upstream.script = [("read", len(POST)), ("send", OK), ("end",)]
        for _ in range(8):  # served by the sibling, or by the successor after a moment
            with connect(proxy.port) as client:
                assert play(client, [("send", POST), ("read", len(OK))]).received == OK
        wait_until(lambda: proxy.funnel()["dropped"].get("worker_died"))
        lost = proxy.funnel()["dropped"]["worker_died"]
    funnel = proxy.settled()
    assert funnel["eligible"] == 24
    assert funnel["written"] == 24 - lost
    wait_until(lambda: sum(c.dropped.get("worker_died", 0) for c in proxy.counters() if c.final) == lost)
    assert proxy.metric('tailgate_worker_restarts_total{route="default"}') == 1


def test_the_workers_drain_when_their_parent_is_killed(upstream: Upstream, proxy: Sidecar) -> None:
    upstream.script = [("read", len(POST)), ("sleep", 0.5), ("send", OK), ("end",)]
    with connect(proxy.port) as client:
        client.sendall(POST)
        wait_until(lambda: proxy.funnel()["sampled"] == 1)
        proxy.process.kill()
        assert play(client, [("read", len(OK))]).received == OK
    wait_until(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in proxy.workers))
    assert len(proxy.captures()) == 1


def test_many_idle_connections_are_held_and_cost_little(upstream: Upstream, proxy: Sidecar) -> None:
    upstream.script = [("end",)]
    before = sum(memory_at_rest(pid) for pid in proxy.workers)
    with connections(proxy.port, 300):
        wait_until(lambda: proxy.metric('tailgate_proxy_connections{route="default"}') == 300)
        per_connection = (sum(resident_bytes(pid) for pid in proxy.workers) - before) / 300
    assert per_connection < 60_000


def test_a_second_sidecar_on_the_same_port_is_refused(
    upstream: Upstream, proxy: Sidecar, tmp_path: Path
) -> None:
    with (
        pytest.raises(ValueError, match="Expecting value"),
        sidecar(tmp_path, upstream.port, listen=("127.0.0.1", proxy.port)),
    ):
        pass
