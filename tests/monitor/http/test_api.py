"""The HTTP API over a real socket: contracts of paths, states and refusals."""

from __future__ import annotations

import json
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from monitor import probe_results
from monitor.errors import BadInput, ConfigError
from monitor.http.api import application
from monitor.http.guard import MAX_BODY_BYTES, Guard, Tokens
from monitor.http.patience import Patient
from monitor.records import Funnel, Segment, SegmentVerdict, State, Verdict
from monitor.summary import reason

OPEN = Tokens()


def row(segment: str = "language=sw", verdict: State = "diverged") -> SegmentVerdict:
    return SegmentVerdict(
        Segment(segment), "script", "directional", verdict, 60, effect=0.9, lower=0.8, upper=1.0
    )


def verdict(state: State = "diverged", *rows: SegmentVerdict) -> Verdict:
    funnel = Funnel(eligible=3, scored=2, skipped={"expired": 1})
    return Verdict(state, "r", 60, 1.0, "abc", rows, funnel, ("something is missing",))


class FixedService:
    """A service that answers what it was given: the border's only collaborator."""

    def __init__(self, state: Verdict) -> None:
        self.state = state
        self.labels: list[Mapping[str, Any]] = []
        self.erased: list[str] = []
        self.reason: str | None = None

    def verdict(self) -> Verdict:
        return self.state

    def funnel(self) -> Funnel:
        return self.state.funnel

    def pairs(self, segment: str | None, signal: str | None, limit: int) -> Sequence[Mapping[str, Any]]:
        if segment == "nonsense":
            raise BadInput("segment", "a segment looks like language=th")
        return [{"segment": segment, "signal": signal, "limit": limit}]

    def metrics(self, *, openmetrics: bool) -> bytes:
        return b"# EOF\n" if openmetrics else b"x 1\n"

    def store_probes(self, results: Sequence[Any]) -> Mapping[str, int]:
        return {"accepted": len(probe_results.read(results))}

    def label(self, labels: Sequence[Mapping[str, Any]]) -> Mapping[str, int]:
        self.labels += labels
        return {"accepted": len(labels), "rejected": 0}

    def erase(self, subject: str) -> Mapping[str, Any]:
        self.erased.append(subject)
        return {"pairs": 1}

    def export_subject(self, subject: str) -> Sequence[Mapping[str, Any]]:
        return [{"id": "p1", "subject": subject}]

    def not_ready(self) -> str | None:
        return self.reason

    def reload(self) -> str:
        raise ConfigError("sampling.fraction: too large")


class Impatient(Patient):
    """As the monitor's, in less time."""

    head_seconds = 1.0


@contextmanager
def listening(app: ASGIApp) -> Iterator[str]:
    """The application on a port that the system chose; host:port."""
    bound = socket.create_server(("127.0.0.1", 0))
    settings = uvicorn.Config(app, lifespan="off", log_level="critical", http=Impatient)
    server = uvicorn.Server(settings)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    try:
        yield f"127.0.0.1:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        bound.close()


@contextmanager
def serving(
    service: FixedService, *, tokens: Tokens = OPEN, pages: Sequence[BaseRoute] = ()
) -> Iterator[httpx.Client]:
    app = application(service, tokens=tokens, loopback=True, pages=pages)
    with listening(app) as address, httpx.Client(base_url=f"http://{address}", timeout=10) as client:
        yield client


@pytest.fixture
def service() -> FixedService:
    return FixedService(verdict("diverged", row()))


@pytest.fixture
def client(service: FixedService) -> Iterator[httpx.Client]:
    with serving(service) as client:
        yield client


def test_the_verdict_is_the_contracts_json(client: httpx.Client) -> None:
    body = client.get("/api/v1/verdict").json()
    assert body["verdict"] == "diverged"
    assert body["segments"][0]["segment"] == "language=sw"
    assert body["funnel"]["skipped"] == {"expired": 1}


@pytest.mark.parametrize(
    "path", ["/api/v1/segments", "/api/v1/funnel", "/-/healthy", "/-/ready", "/gate/argo"]
)
def test_reading_paths_answer(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 200


def test_argo_reads_a_flat_verdict(client: httpx.Client) -> None:
    body = client.get("/gate/argo").json()
    assert body["verdict"] == "diverged"
    assert not any(isinstance(value, dict | list) for value in body.values())


@pytest.mark.parametrize(("state", "status"), [("ok", 200), ("diverged", 412), ("inconclusive", 412)])
def test_flagger_advances_on_ok_alone(
    service: FixedService, client: httpx.Client, state: State, status: int
) -> None:
    service.state = verdict(state, *([row()] if state == "diverged" else []))
    response = client.post("/gate/flagger", json={"name": "app", "namespace": "test", "phase": "Progressing"})
    assert response.status_code == status
    assert response.text.startswith(state)
    assert response.text.count("\n") == 1


def test_the_reason_names_the_worst_segment() -> None:
    assert reason(verdict("diverged", row())) == "language=sw diverged on script by 90 points over 60 pairs"


def test_the_reason_of_an_idle_route_says_what_is_missing() -> None:
    assert reason(verdict("inconclusive")) == "something is missing"


def test_metrics_come_in_both_formats(client: httpx.Client) -> None:
    assert client.get("/metrics").text == "x 1\n"
    accept = {"accept": "application/openmetrics-text; version=1.0.0"}
    assert client.get("/metrics", headers=accept).text == "# EOF\n"


def test_pairs_pass_their_filters_on(client: httpx.Client) -> None:
    query = {"segment": "language=sw", "signal": "script", "limit": "7"}
    assert client.get("/api/v1/pairs", params=query).json()["pairs"] == [
        {"segment": "language=sw", "signal": "script", "limit": 7}
    ]


@pytest.mark.parametrize(
    "query", [{"limit": "0"}, {"limit": "-1"}, {"limit": "x"}, {"limit": "9" * 5000}, {"segment": "nonsense"}]
)
def test_bad_queries_are_named(client: httpx.Client, query: dict[str, str]) -> None:
    response = client.get("/api/v1/pairs", params=query)
    assert response.status_code == 400
    assert response.json()["error"]


def test_labels_come_one_or_many(service: FixedService, client: httpx.Client) -> None:
    one = {"id": "p1", "candidate_correct": True}
    assert client.post("/api/v1/labels", json=one).json() == {"accepted": 1, "rejected": 0}
    client.post("/api/v1/labels", json=[one, one])
    assert len(service.labels) == 3


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"[" * 100_000, b"\xff", b'{"id": "\\ud800"}'])
def test_broken_bodies_are_refused_not_fatal(client: httpx.Client, body: bytes) -> None:
    response = client.post("/api/v1/labels", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 400


def test_erasure_needs_a_subject(service: FixedService, client: httpx.Client) -> None:
    assert client.post("/api/v1/erase", json={"subject": ""}).status_code == 400
    assert client.post("/api/v1/erase", json={"subject": "u1"}).json() == {"pairs": 1}
    assert service.erased == ["u1"]


def test_a_subjects_export_asks_for_the_writers_token(service: FixedService) -> None:
    with serving(service, tokens=Tokens("w")) as client:
        assert client.post("/api/v1/subject", json={"subject": "u1"}).status_code == 401
        body = client.post("/api/v1/subject", json={"subject": "u1"}, headers=basic("w")).json()
        assert body == {"pairs": [{"id": "p1", "subject": "u1"}]}


def test_a_failed_reload_says_why(client: httpx.Client) -> None:
    response = client.post("/-/reload")
    assert response.status_code == 503
    assert "sampling.fraction" in response.json()["error"]


def test_not_ready_says_why(service: FixedService, client: httpx.Client) -> None:
    service.reason = "starting"
    response = client.get("/-/ready")
    assert (response.status_code, response.text) == (503, "not ready: starting\n")


def test_flagger_cannot_send_a_token_and_needs_none(service: FixedService) -> None:
    service.state = verdict("ok")
    with serving(service, tokens=Tokens("secret")) as client:
        assert client.post("/gate/flagger", json={"name": "app"}).status_code == 200
        foreign = {"origin": "http://elsewhere.example"}
        assert client.post("/gate/flagger", json={}, headers=foreign).status_code == 403


def test_writes_need_the_token_and_reads_do_not(service: FixedService) -> None:
    with serving(service, tokens=Tokens("secret")) as client:
        assert client.get("/api/v1/verdict").status_code == 200
        assert client.post("/api/v1/erase", json={"subject": "u"}).status_code == 401
        wrong = {"authorization": "Bearer other"}
        assert client.post("/api/v1/erase", json={"subject": "u"}, headers=wrong).status_code == 401
        right = {"authorization": "Bearer secret"}
        assert client.post("/api/v1/erase", json={"subject": "u"}, headers=right).status_code == 200


def basic(password: str) -> dict[str, str]:
    return {"authorization": "Basic " + b64encode(f"anyone:{password}".encode()).decode()}


@pytest.mark.parametrize(
    "path", ["/", "/segment?name=language%3Dsw", "/api/v1/pairs", "/metrics", "/sampling"]
)
def test_with_a_read_token_nothing_is_read_without_one(service: FixedService, path: str) -> None:
    with serving(service, tokens=Tokens("w", "r")) as client:
        refused = client.get(path)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"].startswith("Basic ")
        for wrong in ({}, basic(""), basic("x"), {"authorization": "Bearer"}, {"authorization": "Basic é?"}):
            assert client.get(path, headers=encoded(wrong)).status_code == 401


def encoded(headers: Mapping[str, str]) -> dict[bytes, bytes]:
    return {name.encode(): value.encode("utf-8") for name, value in headers.items()}


def test_reader_and_writer_see_and_only_the_writer_changes(service: FixedService) -> None:
    subject = {"subject": "u"}
    with serving(service, tokens=Tokens("w", "r")) as client:
        for token in ("r", "w"):
            for headers in (basic(token), {"authorization": f"bearer {token}"}):
                assert client.get("/api/v1/verdict", headers=headers).status_code == 200
                status = client.post("/api/v1/erase", json=subject, headers=headers).status_code
                assert status == {"r": 401, "w": 200}[token]
        assert [client.get(path).status_code for path in ("/-/healthy", "/-/ready")] == [200, 200]


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_browser_that_names_another_site_is_refused(client: httpx.Client, site: str) -> None:
    headers = {"sec-fetch-site": site}
    assert client.post("/api/v1/erase", json={"subject": "u"}, headers=headers).status_code == 403


@pytest.mark.parametrize("host", ["evil.example", "evil.example:9870", "[", "127.0.0.1.evil.example"])
def test_a_rebound_host_is_refused(client: httpx.Client, host: str) -> None:
    assert client.get("/api/v1/verdict", headers={"host": host}).status_code in {400, 421}


def test_a_foreign_pages_write_is_refused(client: httpx.Client) -> None:
    headers = {"origin": "https://evil.example", "content-type": "application/json"}
    assert (
        client.post("/api/v1/erase", content=json.dumps({"subject": "u"}), headers=headers).status_code == 403
    )
    plain = {"content-type": "text/plain"}
    assert (
        client.post("/api/v1/erase", content=json.dumps({"subject": "u"}), headers=plain).status_code == 400
    )


def test_a_huge_body_is_refused_declared_or_streamed(client: httpx.Client) -> None:
    headers = {"content-type": "application/json"}
    big = b"x" * (MAX_BODY_BYTES + 1)
    assert client.post("/api/v1/labels", content=big, headers=headers).status_code == 413
    assert client.post("/api/v1/labels", content=iter([big]), headers=headers).status_code == 413


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTTP/1.1\r\nx: y", b"GET /-/healthy HTTP/1.1\r\nhost: localhost\r\n\r\nGET"]
)
def test_who_sends_a_head_too_slowly_is_let_go(service: FixedService, sent: bytes) -> None:
    with listening(application(service, tokens=OPEN, loopback=True)) as address:
        host, _, port = address.partition(":")
        with socket.create_connection((host, int(port)), 30) as slow:
            slow.sendall(sent)
            assert httpx.get(f"http://{address}/-/healthy").status_code == 200
            while slow.recv(4096):
                pass  # the answer to the first request; then the end


def test_who_sends_a_body_too_slowly_is_told(service: FixedService) -> None:
    app = Guard(
        application(service, tokens=OPEN, loopback=True), tokens=OPEN, loopback=True, body_seconds=0.5
    )
    head = b"POST /api/v1/labels HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n["
    with listening(app) as address, socket.create_connection(("127.0.0.1", int(address[10:])), 30) as slow:
        slow.sendall(head)
        assert slow.recv(4096).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    "path", ["/../etc/passwd", "/%2e%2e/etc/passwd", "/api/v1/nothing", "/static/../../x"]
)
def test_unknown_paths_are_not_found(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 404


def test_answers_carry_the_browsers_restrictions(client: httpx.Client) -> None:
    headers = client.get("/-/healthy").headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_probe_results_are_taken_wholly_or_refused(client: httpx.Client) -> None:
    row = {"pack": "smoke", "probe": "hops", "verdict": "worse", "candidate": "4.5 steps"}
    assert client.post("/api/v1/probes", json=[row]).json() == {"accepted": 1}
    assert client.post("/api/v1/probes", json=[row, {**row, "verdict": "fine"}]).status_code == 400
