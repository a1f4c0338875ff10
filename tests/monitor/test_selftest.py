"""Each link of the chain is checked by itself: a broken one fails and is named."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from monitor.demo import Plan, Sent, Stage
from monitor.errors import Unreachable
from monitor.selftest import Alerting, checks

PLANTED = "language=sw"
GAUGE = 'tailgate_segment_diverged{{route="selftest",segment="{}",level="page",explained="no"}} 1\n'
HEALTHY: Mapping[str, tuple[int, str]] = {
    "/metrics": (200, GAUGE.format(PLANTED)),
    "/gate/flagger": (412, "diverged: language=sw\n"),
    "/api/v1/query": (200, json.dumps({"data": {"result": [{}]}})),
    "/api/v2/alerts": (200, json.dumps([{}])),
}


@contextmanager
def answering(answers: Mapping[str, tuple[int, str]]) -> Iterator[str]:
    """A server with fixed answers: monitor, Prometheus and Alertmanager in one."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            status, text = answers[self.path.partition("?")[0]]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = answer  # noqa: N815  names of the base class

        def log_message(self, *_: object) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def failed(changes: Mapping[str, tuple[int, str]], segment: str = PLANTED, lost: int = 0) -> list[str]:
    """Names of the checks that fail when some answers are different."""
    row: dict[str, Any] = {"segment": segment, "verdict": "diverged", "explained_by": None}
    with answering({**HEALTHY, **changes}) as url:
        stage = Stage(Path(), urls={"monitor": url})
        found = checks(
            stage, Plan(planted=PLANTED), {"segments": [row]}, Sent(10, lost), Alerting(url, url, 0.0)
        )
        return [check.name for check in found if not check.ok]


def test_a_whole_chain_fails_nothing() -> None:
    assert failed({}) == []


@pytest.mark.parametrize(
    ("path", "answer", "name"),
    [
        ("/metrics", (200, ""), "metrics"),
        ("/metrics", (200, GAUGE.format(PLANTED) + GAUGE.format("task=math")), "metrics"),
        ("/gate/flagger", (200, "ok\n"), "gate"),
        ("/api/v1/query", (200, json.dumps({"data": {"result": []}})), "prometheus"),
        ("/api/v2/alerts", (200, "[]"), "alertmanager"),
    ],
)
def test_a_broken_link_is_named(path: str, answer: tuple[int, str], name: str) -> None:
    assert failed({path: answer}) == [name]


def test_another_segment_or_a_lost_request_fails() -> None:
    assert failed({}, segment="task=math") == ["verdict"]
    assert failed({}, lost=1) == ["clients"]


def test_a_server_that_was_named_must_be_reached() -> None:
    with pytest.raises(Unreachable, match="503"):
        failed({"/api/v1/query": (503, "not ready")})
