"""`tailgate collect`: posted records, Envoy's tap files, and what it says where nothing is configured."""

from __future__ import annotations

import base64
import gzip
import json
import socket
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from collectors.envoy_taps import told
from monitor.errors import BadInput
from tests.collectors.collecting import TAILGATE, collecting
from tests.collectors.harness import wait_until
from tests.collectors.test_mapping import LITELLM


def test_posted_records_are_exchanges_or_counted(tmp_path: Path) -> None:
    now = time.time()
    good = LITELLM | {"startTime": now, "completionStartTime": now + 0.5, "endTime": now + 2.5}
    kinds = [good, good | {"id": "r2"}, good | {"messages": None}, good | {"cache_hit": True}, 7]
    with collecting(tmp_path, "collect.records.listen=127.0.0.1:0") as running:
        url = f"http://{running.ready['records']}/"
        body = gzip.compress(json.dumps(kinds).encode())
        assert httpx.post(url, content=body, headers={"content-encoding": "gzip"}).status_code == 204
        funnel = running.settled(5)
        assert (funnel["excluded"], funnel["dropped"]) == (
            {"not_an_exchange": 1},
            {"no_content": 1, "unreadable": 1},
        )
        first, second = running.exchanges()
    assert (first.id, second.id, first.collector) == ("r1", "r2", "litellm")
    assert first.baseline.time_to_first_token_seconds == pytest.approx(0.5)


def trace(answer: bytes = b'{"choices": []}', *, method: str = "POST", truncated: bool = False) -> bytes:
    def message(body: bytes, headers: dict[str, str]) -> dict[str, object]:
        fields = [{"key": key, "value": value} for key, value in headers.items()]
        return {
            "headers": fields,
            "body": {"truncated": truncated, "as_bytes": base64.b64encode(body).decode()},
            "headers_received_time": "2026-09-21T12:13:20.250Z",
        }

    asked = {":method": method, ":path": "/v1/completions", "x-request-id": "r1"}
    both = {"request": message(b'{"prompt": "a"}', asked), "response": message(answer, {":status": "200"})}
    return json.dumps({"http_buffered_trace": both}).encode()


def test_a_tap_says_what_passed() -> None:
    found = told(trace(), 0.0)
    assert found is not None
    assert (found.path, found.request, found.response) == (
        "/v1/completions",
        b'{"prompt": "a"}',
        b'{"choices": []}',
    )
    assert (found.received_at, found.headers["x-request-id"]) == (1_789_992_800.25, "r1")
    assert told(trace(method="GET"), 0.0) is None


@pytest.mark.parametrize(("data", "reason"), [(trace(truncated=True), "cut_off"), (b"{", "unreadable")])
def test_a_tap_that_cannot_be_used_says_why(data: bytes, reason: str) -> None:
    with pytest.raises(BadInput) as refused:
        told(data, 0.0)
    assert refused.value.reason == reason


def test_tap_files_are_taken_and_deleted(tmp_path: Path) -> None:
    taps = tmp_path / "taps"
    with collecting(tmp_path, f"collect.taps.directory={taps}") as running:
        for name, data in {
            "a": trace(),
            "b": trace(truncated=True),
            "c": b"torn",
            "d": trace(method="GET"),
        }.items():
            (taps / f"{name}.json").write_bytes(data)
        wait_until(lambda: not list(taps.iterdir()), 20)
        funnel = running.settled(4)
    assert (funnel["written"], funnel["dropped"]) == (1, {"cut_off": 1, "unreadable": 1})


def refused(directory: Path, setting: str) -> tuple[int, str]:
    command = [TAILGATE, "collect", "--set", setting, "--set", "collect.admin=127.0.0.1:0"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def test_nothing_to_listen_to_is_an_error(tmp_path: Path) -> None:
    code, words = refused(tmp_path, "collect.records.mapping=litellm")
    assert (code, "no way in is configured" in words) == (2, True)


def test_beyond_loopback_needs_a_token(tmp_path: Path) -> None:
    code, words = refused(tmp_path, "collect.otlp.http=0.0.0.0:4318")
    assert (code, "collect.token_env is required" in words) == (2, True)


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, words = refused(tmp_path, f"collect.otlp.http=127.0.0.1:{taken.getsockname()[1]}")
    assert (code, "collect.otlp.http: cannot listen" in words) == (4, True)
