"""The sidecar's admin port: what it says, and that nobody can lean on it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from collectors.admin import funnel
from collectors.counters import (
    CELL,
    DROPPED,
    DROPPED_ELSEWHERE,
    EXCLUDED,
    EXCLUDED_ELSEWHERE,
    UPSTREAM_ERRORS,
    Board,
)
from collectors.exposition import exposition
from tests.collectors.harness import Sidecar, Upstream, play, sidecar
from tests.collectors.harness import connect as connect_to


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    upstream = Upstream()
    upstream.script = [("end",)]
    with sidecar(tmp_path_factory.mktemp("admin"), upstream.port) as running:
        yield running
    upstream.close()


def busy_board() -> Board:
    """A board on which everything has happened that can happen in the data path."""
    board = Board(2, 0.05)
    for page in board.pages:
        for name, index in CELL.items():
            if name.partition(":")[2] not in {*EXCLUDED_ELSEWHERE, *DROPPED_ELSEWHERE}:
                page[index] += 1
    return board


def test_the_series_stay_within_their_budget_even_when_everything_went_wrong() -> None:
    lines = [
        line for line in exposition("default", busy_board(), "1.0").splitlines() if not line.startswith("#")
    ]
    assert len(DROPPED) + len(EXCLUDED) + len(UPSTREAM_ERRORS) < 30
    assert len(lines) <= 60


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool (package prometheus) is not installed")
def test_promtool_finds_nothing() -> None:
    text = exposition("default", busy_board(), "1.0")
    run = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout + run.stderr) == (0, "")


def test_the_funnel_partitions_requests() -> None:
    counts = funnel(busy_board())
    assert counts["requests"] == 2 * (2 + len(EXCLUDED))
    assert counts["eligible"] == 4


@pytest.mark.parametrize(
    ("path", "status"), [("/-/healthy", 200), ("/-/ready", 200), ("/metrics", 200), ("/", 404)]
)
def test_pages(path: str, status: int, proxy: Sidecar) -> None:
    assert proxy.admin(path)[0] == status


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ('{"fraction": 2}', 400),
        ('{"fraction": NaN}', 400),
        ("[]", 400),
        ('{"fractoin": 1}', 400),
        ("x" * 5000, 413),
    ],
)
def test_a_wrong_fraction_is_refused_and_changes_nothing(body: str, status: int, proxy: Sidecar) -> None:
    assert proxy.admin("/-/sampling", "PUT", body)[0] == status
    assert json.loads(proxy.admin("/-/sampling")[1]) == {"fraction": 1.0}


def test_a_length_that_is_no_number_is_answered(proxy: Sidecar) -> None:
    head = "PUT /-/sampling HTTP/1.1\r\nhost: localhost\r\ncontent-length: ²\r\n\r\n"
    with connect_to(int(proxy.ready["admin"].rpartition(":")[2])) as client:
        client.sendall(head.encode("latin-1"))
        client.settimeout(30)
        assert client.recv(100).startswith(b"HTTP/1.1 411 ")


def test_slow_and_oversized_requests_do_not_block_others(proxy: Sidecar) -> None:
    port = int(proxy.ready["admin"].rpartition(":")[2])
    with connect_to(port) as slow, connect_to(port) as large:
        slow.sendall(b"GET /metrics HTTP/1.1\r\n")
        seen = play(large, [("send", b"GET / HTTP/1.1\r\nX: " + b"y" * 20_000), ("end",)])
        assert proxy.admin("/-/healthy")[0] == 200
    assert seen.end


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:9871", "", "127.0.0.1.evil.example", "[::1].evil"]
)
def test_a_rebound_host_is_refused(host: str, proxy: Sidecar) -> None:
    for method, path, body in (("GET", "/-/funnel", None), ("PUT", "/-/sampling", '{"fraction": 0}')):
        assert proxy.admin(path, method, body, {"Host": host})[0] == 421
    assert json.loads(proxy.admin("/-/sampling")[1]) == {"fraction": 1.0}


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}],
)  # fmt: skip
def test_a_browsers_page_switches_nothing(headers: dict[str, str], proxy: Sidecar) -> None:
    assert proxy.admin("/-/sampling", "PUT", '{"fraction": 0}', headers)[0] == 403
    assert proxy.admin("/-/sampling", "OPTIONS", None, headers)[0] == 405  # nor is a preflight answered
    assert proxy.admin("/-/sampling", "POST", '{"fraction": 0}', headers)[0] == 405
    assert json.loads(proxy.admin("/-/sampling")[1]) == {"fraction": 1.0}


@pytest.mark.parametrize(
    "path", ["/../etc/passwd", "/%2e%2e/etc/passwd", "//etc/passwd", "/-/../metrics", "/metrics/x"]
)
def test_paths_lead_nowhere_else(path: str, proxy: Sidecar) -> None:
    assert proxy.admin(path)[0] == 404


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET /metrics HT", b"PUT /-/sampling HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n{"],
)
def test_who_sends_too_slowly_is_let_go(sent: bytes, proxy: Sidecar) -> None:
    with connect_to(int(proxy.ready["admin"].rpartition(":")[2])) as slow:
        slow.sendall(sent)
        assert proxy.admin("/-/healthy")[0] == 200
        slow.settimeout(30)
        assert slow.recv(100) == b""


def test_writing_needs_the_token_where_one_is_configured(tmp_path: Path) -> None:
    os.environ["TAILGATE_TEST_TOKEN"] = "s3cret"
    upstream = Upstream()
    with sidecar(tmp_path, upstream.port, token_env="TAILGATE_TEST_TOKEN") as proxy:
        without = proxy.admin("/-/sampling", "PUT", '{"fraction": 0}')[0]
        given = {"Authorization": "Bearer s3cret"}
        with_token = proxy.admin("/-/sampling", "PUT", '{"fraction": 0}', given)[0]
        assert (without, with_token, proxy.admin("/-/sampling")[0]) == (401, 200, 200)
    upstream.close()
