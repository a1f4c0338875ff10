"""What passes through the sidecar is what passes without it, whatever it is.

Each case is played twice, directly and through a sidecar that samples everything; client and
upstream must see the same bytes and the same end. Sources of the cases: RFC 9110 and 9112, and the
failures that other mirroring proxies were reported for (litellm#30244, vllm#10087, envoy#18364).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from tests.collectors.harness import (
    Sidecar,
    Step,
    Transcript,
    Upstream,
    answer,
    chunked,
    connect,
    play,
    request,
    sidecar,
    wait_until,
)

POST = request()
OK = answer()
SSE_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass(frozen=True)
class Case:
    """Two scripts, and how many exchanges of it are captured; `counted` names another count."""

    name: str
    client: Sequence[Step]
    upstream: Sequence[Step]
    captured: int = 0
    counted: Sequence[str] = field(default=())


def talks(name: str, *turns: tuple[bytes, bytes], captured: int = 0, counted: Sequence[str] = ()) -> Case:
    """The client says, the upstream answers, turn by turn; then the client leaves."""
    client: list[Step] = []
    upstream: list[Step] = []
    asked = answered = 0
    for ask, reply in turns:
        asked, answered = asked + len(ask), answered + len(reply)
        client += [("send", ask), ("read", answered)]
        upstream += [("read", asked), ("send", reply)]
    return Case(name, [*client, ("fin",), ("end",)], [*upstream, ("end",)], captured, counted)


def asks(
    data: bytes, reply: bytes, *, captured: int = 0, counted: Sequence[str] = (), name: str = ""
) -> Case:
    """One turn."""
    return talks(name, (data, reply), captured=captured, counted=counted)


HEAD = request(b"", method="HEAD")
HEAD_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n"
EXPECT = request(b"", headers=["Expect: 100-continue", "Content-Length: 2"])
UPGRADE = request(b"", method="GET", headers=["Connection: Upgrade", "Upgrade: websocket"])
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
CONNECT = b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"
UNPARSEABLE = ("unobserved_connections", "unparseable")
TE = b"POST /v1/completions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
CASES = [
    asks(POST, OK, captured=1, name="plain"),
    asks(request(headers=["X-Latin: caf\xe9"]), OK, captured=1, name="latin-1 header"),
    asks(request(b"\x80\xff\x00" * 9), answer(b"\xff\xfe"), captured=1, name="bodies that are not UTF-8"),
    asks(POST, answer(b"\x1f\x8b\x08\x00", headers=["Content-Encoding: gzip"]), captured=1, name="gzip"),
    asks(POST, answer(b"\x1b\x00\x00", headers=["Content-Encoding: br"]), captured=1, name="brotli"),
    asks(POST, answer(b"(\xb5/\xfd", headers=["Content-Encoding: zstd"]), captured=1, name="zstd"),
    asks(TE + b"\r\n" + chunked(b'{"a"', b": 1}"), OK, captured=1, name="chunked request"),
    asks(TE + b"\r\n3;x=y\r\nabc\r\n0\r\nX-T: 1\r\n\r\n", OK, captured=1, name="extensions and trailers"),
    asks(POST, SSE_HEAD + chunked(b"data: 1\n\n", b"data: 2\n\n"), captured=1, name="server-sent events"),
    asks(POST, SSE_HEAD + b"2\r\nab\r\n0\r\nX-Trailer: 1\r\n\r\n", captured=1, name="response trailers"),
    asks(POST, b"HTTP/1.1 204 No Content\r\n\r\n", captured=1, name="204"),
    asks(POST, b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", captured=1, name="304 with length"),
    asks(POST, b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK, captured=1, name="103"),
    asks(POST, answer(b"{}", status="500 Oops"), captured=1, name="500"),
    asks(
        request(b"", method="GET", path="/v1/models"),
        OK,
        counted=("excluded", "endpoint_unsupported"),
        name="GET",
    ),
    asks(request(headers=["X-Tailgate-Mirror: 1"]), OK, counted=("excluded", "marked"), name="marked"),
    asks(request(headers=["X-Tailgate-No-Log: 1"]), OK, counted=("dropped", "no_log"), name="no log"),
    asks(
        b"POST /v1/completions HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}",
        OK,
        captured=1,
        name="HTTP/1.0, no Host",
    ),
    asks(
        POST.replace(b"\r\nHost", b"\r\nContent-Length: 1\r\nHost"),
        OK,
        counted=UNPARSEABLE,
        name="two lengths",
    ),
    asks(TE + b"Content-Length: 5\r\n\r\n0\r\n\r\n", OK, counted=UNPARSEABLE, name="TE and CL"),
    asks(
        TE.replace(b"Host", b"Content-Length: 5\r\nHost") + b"\r\n0\r\n\r\n",
        OK,
        counted=UNPARSEABLE,
        name="CL, TE",
    ),
    asks(
        TE.replace(b"chunked", b"gzip, chunked") + b"\r\n0\r\n\r\n",
        OK,
        counted=("dropped", "ambiguous"),
        name="gzip, chunked",
    ),
    asks(POST.replace(b"\r\n", b"\n"), OK, counted=UNPARSEABLE, name="bare LF"),
    asks(POST.replace(b"Host:", b"Host :"), OK, counted=UNPARSEABLE, name="space before colon"),
    asks(request(headers=["X-A: b\r\n c"]), OK, counted=UNPARSEABLE, name="folded header"),
    asks(request(headers=["X-A: b\0c"]), OK, counted=UNPARSEABLE, name="NUL in a header"),
    asks(
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
        b"\0\0\0\4\0\0\0\0\0",
        counted=("unobserved_connections", "h2"),
        name="h2c preface",
    ),
    asks(b"\x16\x03\x01\x02\x00\x01", b"\x15\x03\x01", counted=UNPARSEABLE, name="TLS to a plain port"),
    asks(POST + POST, OK + OK, counted=("unobserved_connections", "pipelined"), name="pipelined in one read"),
    asks(
        POST,
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        counted=("dropped", "unparseable"),
        name="ambiguous answer",
    ),
    talks("keep-alive", (POST, OK), (POST, OK), captured=2),
    talks(
        "HTTP/1.0, keep-alive",
        (
            request(version="1.0", headers=["Connection: keep-alive"]),
            answer(headers=["Connection: keep-alive"]),
        ),
        (request(version="1.0", headers=["Connection: keep-alive"]), OK),
        captured=2,
    ),
    Case(
        "client leaves within the head",
        [("send", POST[:40]), ("fin",), ("end",)],
        [("read", 40), ("end",)],
    ),
    Case(
        "upstream closes an idle connection",
        [("send", POST), ("end",)],
        [("read", len(POST)), ("send", OK), ("sleep", 0.05), ("fin",), ("end",)],
        captured=1,
    ),
    Case(
        "head byte by byte",
        [*(("send", POST[i : i + 1]) for i in range(len(POST))), ("read", len(OK)), ("fin",), ("end",)],
        [
            ("read", len(POST)),
            *(step for i in range(len(OK)) for step in (("send", OK[i : i + 1]),)),
            ("end",),
        ],
        captured=1,
    ),
    talks("HEAD, then POST", (HEAD, HEAD_ANSWER), (POST, OK), captured=1),
    talks(
        "HEAD with hints, then POST",
        (HEAD, b"HTTP/1.1 103 Early Hints\r\n\r\n" + HEAD_ANSWER),
        (POST, OK),
        captured=1,
    ),
    talks("Expect: 100-continue", (EXPECT, b"HTTP/1.1 100 Continue\r\n\r\n"), (b"{}", OK), captured=1),
    Case(
        "answer before the request's end",
        [("send", request(b"x" * 10)[:-5]), ("read", len(OK)), ("send", b"xxxxx"), ("fin",), ("end",)],
        [("read", len(request(b"x" * 10)) - 5), ("send", OK), ("end",)],
        captured=1,
    ),
    talks("expectation refused, body never sent", (EXPECT, OK), counted=("dropped", "request_incomplete")),
    talks(
        "upgrade",
        (UPGRADE, SWITCH),
        (b"\x81\x05hello", b"\x81\x05HELLO"),
        counted=("unobserved_connections", "tunnel"),
    ),
    talks("upgrade not taken", (UPGRADE, OK), (POST, OK), captured=1),
    talks(
        "upgrade of a POST not taken",
        (request(headers=["Connection: Upgrade", "Upgrade: h2c"]), OK),
        (POST, OK),
        counted=("unobserved_connections", "tunnel"),
    ),
    talks(
        "CONNECT",
        (CONNECT, b"HTTP/1.1 200 OK\r\n\r\n"),
        (b"\0\1\2", b"\3\4"),
        counted=("unobserved_connections", "tunnel"),
    ),
    Case(
        "pipelined in two reads",
        [("send", POST), ("sleep", 0.1), ("send", POST), ("read", 2 * len(OK)), ("fin",), ("end",)],
        [("read", 2 * len(POST)), ("send", OK + OK), ("end",)],
        counted=("unobserved_connections", "pipelined"),
    ),
    Case(
        "answer that nobody asked for",
        [("read", len(OK)), ("fin",), ("end",)],
        [("send", OK), ("end",)],
    ),
    Case(
        "answer that ends with the connection",
        [("send", POST), ("end",)],
        [
            ("read", len(POST)),
            ("send", b"HTTP/1.1 200 OK\r\n\r\nabc"),
            ("sleep", 0.05),
            ("send", b"def"),
            ("fin",),
            ("end",),
        ],
        captured=1,
    ),
    Case(
        "half-closed by the client",
        [("send", POST), ("fin",), ("end",)],
        [("end",), ("send", OK), ("fin",)],
        captured=1,
    ),
    Case(
        "upstream resets mid-stream",
        [("send", POST), ("end",)],
        [("read", len(POST)), ("send", SSE_HEAD + b"2\r\nab\r\n"), ("sleep", 0.05), ("rst",)],
        captured=1,
    ),
    Case(
        "upstream ends mid-chunk",
        [("send", POST), ("end",)],
        [("read", len(POST)), ("send", SSE_HEAD + b"5\r\nab"), ("fin",), ("end",)],
        captured=1,
    ),
    Case(
        "client resets mid-stream",
        [("send", POST), ("read", len(SSE_HEAD) + 7), ("rst",)],
        [("read", len(POST)), ("send", SSE_HEAD + b"2\r\nab\r\n"), ("end",)],
        captured=1,
    ),
    Case(
        "garbage from the upstream",
        [("send", POST), ("read", 9), ("fin",), ("end",)],
        [("read", len(POST)), ("send", b"\0\1\2 what?"), ("end",)],
        counted=("dropped", "unparseable"),
    ),
]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


@pytest.fixture(scope="module")
def proxy(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sidecar]:
    with sidecar(tmp_path_factory.mktemp("protocol"), upstream.port) as running:
        yield running


def both_sides(case: Case, upstream: Upstream, port: int) -> tuple[Transcript, Transcript]:
    """Play the case; what the client and the upstream saw."""
    upstream.script, upstream.seen = case.upstream, []
    with connect(port) as sock:
        client = play(sock, case.client)
    return client, upstream.wait_seen()[0]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_both_sides_see_what_they_see_without_us(case: Case, upstream: Upstream, proxy: Sidecar) -> None:
    direct = both_sides(case, upstream, upstream.port)
    before = proxy.settled()
    through = both_sides(case, upstream, proxy.port)
    assert [(side.received, side.end) for side in through] == [(side.received, side.end) for side in direct]
    wait_until(lambda: proxy.funnel()["written"] - before["written"] >= case.captured)
    after = proxy.settled()
    assert after["written"] - before["written"] == case.captured
    if case.counted:
        group, reason = case.counted
        assert after[group].get(reason, 0) - before[group].get(reason, 0) == 1
