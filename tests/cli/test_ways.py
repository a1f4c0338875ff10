"""Traces in, scores out: `tailgate run` fed by a real OpenTelemetry SDK, its scores back as events."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

from monitor.demo import free_ports
from tests.cli.test_run import eventually
from tests.collectors.test_otlp import attributes, export, spans
from tests.standin.process import TAILGATE, running_standin

SPANS = 40


class _Receiver(ThreadingHTTPServer):
    """An OTLP/HTTP receiver of logs."""

    daemon_threads = True

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        for group in body["resourceLogs"]:
            for scope in group["scopeLogs"]:
                self.server.records += scope["logRecords"]
        self.send_response(200 if self.path == "/v1/logs" else 404)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        """Quiet."""


@contextmanager
def receiver() -> Iterator[_Receiver]:
    server = _Receiver()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.slow
def test_traces_in_and_evaluation_events_out(tmp_path: Path) -> None:
    listen, admin, other_admin, http, traces = (f"127.0.0.1:{port}" for port in free_ports(5))
    with ExitStack() as stack:
        events = stack.enter_context(receiver())
        servers = [stack.enter_context(running_standin("--role", role)) for role in ("baseline", "candidate")]
        settings = {
            "baseline.url": servers[0], "candidate.url": servers[1], "sidecar.listen": listen, "sidecar.admin": admin,
            "http.listen": http, "store.path": tmp_path / "t.duckdb", "sampling.fraction": 1, "replay.share": 0,
            "collect.admin": other_admin, "collect.otlp.http": traces,
            "evaluations.endpoint": f"http://127.0.0.1:{events.server_address[1]}",
        }  # fmt: skip
        flags = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
        process = stack.enter_context(subprocess.Popen([TAILGATE, "run", *flags], cwd=tmp_path))
        stack.callback(process.terminate)
        ready = [f"http://{address}/-/ready" for address in (http, other_admin)]
        assert eventually(lambda: all(httpx.get(url).status_code == 200 for url in ready), 60)
        export(OTLPSpanExporter(f"http://{traces}/v1/traces"), spans(SPANS))
        good = sum("gen_ai.input.messages" in attributes(number) for number in range(SPANS))
        assert eventually(lambda: funnel(http)["scored"] == good, 60)
        assert (funnel(http)["skipped"], funnel(http)["pending"]) == ({"no_content": 1}, 0)
        assert eventually(lambda: len({record["spanId"] for record in events.records}) == good)
        metrics = httpx.get(f"http://{http}/metrics").text
    record = events.records[0]
    values = {each["key"]: each["value"] for each in record["attributes"]}
    assert (record["eventName"], len(record["traceId"])) == ("gen_ai.evaluation.result", 32)
    assert 0 <= values["gen_ai.evaluation.score.value"]["doubleValue"] <= 1
    assert values["gen_ai.evaluation.name"]["stringValue"]
    assert (
        f'tailgate_evaluation_events_total{{result="sent",route="default"}} {len(events.records)}.0'
        in metrics
    )


def funnel(address: str) -> dict[str, Any]:
    counts: dict[str, Any] = httpx.get(f"http://{address}/api/v1/funnel", timeout=10).json()
    return counts
