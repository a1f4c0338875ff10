"""TLS on both sides, the Host line, and what of an exchange is captured."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from collectors.settings import Boost
from tests.collectors.harness import Upstream, answer, connect, play, request, sidecar, wait_until

POST = request()
OK = answer(headers=["Set-Cookie: session=secret"])


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate for `localhost`, which is its own CA."""

    cert: Path
    key: Path

    def server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["h2", "http/1.1"])
        context.load_cert_chain(self.cert, self.key)
        return context


def certificate(directory: Path, name: str) -> Certificate:
    """Write one."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    made = Certificate(directory / f"{name}.pem", directory / f"{name}.key")
    made.cert.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return made


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("tls"), "ours")


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


def test_tls_upstream_gets_sni_http1_and_the_rewritten_host(ours: Certificate, tmp_path: Path) -> None:
    upstream = Upstream(ours.server())
    expected = POST.replace(b"upstream.test", b"localhost:%d" % upstream.port)
    upstream.script = [("read", len(expected)), ("send", OK), ("end",)]
    changes: dict[str, Any] = {
        "upstream": ("localhost", upstream.port),
        "upstream_tls": True,
        "rewrite_host": True,
    }
    with sidecar(tmp_path, upstream.port, upstream_ca=str(ours.cert), **changes) as proxy:
        with connect(proxy.port) as client:
            seen = play(client, [("send", POST), ("read", len(OK))])
        assert seen.received == OK
        assert upstream.wait_seen()[0].received == expected
        assert upstream.names == ["localhost"]
        assert proxy.settled()["sampled"] == 1
    upstream.close()


def test_an_upstream_with_a_wrong_certificate_is_a_502_and_a_metric(
    ours: Certificate, tmp_path: Path
) -> None:
    other = certificate(tmp_path, "other")
    upstream = Upstream(ours.server())
    with sidecar(
        tmp_path,
        upstream.port,
        upstream=("localhost", upstream.port),
        upstream_tls=True,
        upstream_ca=str(other.cert),
    ) as proxy:
        with connect(proxy.port) as client:
            seen = play(client, [("send", POST), ("end",)])
        assert seen.received.startswith(b"HTTP/1.1 502 ")
        assert (
            proxy.metric('tailgate_proxy_upstream_errors_total{route="default",error_type="certificate"}')
            == 1
        )
    upstream.close()


def test_clients_may_come_with_tls(ours: Certificate, upstream: Upstream, tmp_path: Path) -> None:
    upstream.script = [("read", len(POST)), ("send", OK), ("end",)]
    context = ssl.create_default_context(cafile=str(ours.cert))
    with sidecar(tmp_path, upstream.port, tls_cert=str(ours.cert), tls_key=str(ours.key)) as proxy:
        with connect(proxy.port, context) as client:
            assert play(client, [("send", POST), ("read", len(OK))]).received == OK
        assert proxy.settled()["sampled"] == 1


def test_the_host_of_every_request_on_a_connection_is_rewritten(upstream: Upstream, tmp_path: Path) -> None:
    expected = POST.replace(b"upstream.test", b"127.0.0.1:%d" % upstream.port)
    upstream.script = [
        ("read", len(expected)),
        ("send", OK),
        ("read", 2 * len(expected)),
        ("send", OK),
        ("end",),
    ]
    with sidecar(tmp_path, upstream.port, rewrite_host=True) as proxy:
        with connect(proxy.port) as client:
            head, rest = POST[:30], POST[30:]
            play(client, [("send", head), ("sleep", 0.05), ("send", rest), ("read", len(OK)), ("send", POST)])
            play(client, [("read", len(OK)), ("fin",), ("end",)])
        assert upstream.wait_seen()[0].received == expected * 2


@pytest.mark.parametrize(
    "data",
    [
        POST + POST,
        POST.replace(b"Host:", b"Host: a\r\nHost:"),
        POST.replace(b"\r\n", b"\n"),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"y" * 70_000,
    ],
    ids=["pipelined", "two hosts", "bare LF", "h2c", "endless head"],
)
def test_where_the_host_cannot_be_rewritten_safely_nothing_is_sent(
    data: bytes, upstream: Upstream, tmp_path: Path
) -> None:
    upstream.script = [("end",)]
    with sidecar(tmp_path, upstream.port, rewrite_host=True) as proxy:
        with connect(proxy.port) as client:
            seen = play(client, [("send", data), ("end",)])
        assert seen.received == b""
        assert upstream.wait_seen()[0].received == b""
        name = 'tailgate_proxy_upstream_errors_total{route="default",error_type="rewrite_out_of_sync"}'
        assert proxy.metric(name) == 1


def test_with_rewriting_an_agreed_upgrade_passes(upstream: Upstream, tmp_path: Path) -> None:
    ask = request(b"", method="GET", headers=["Connection: Upgrade", "Upgrade: websocket"])
    sent = len(ask) - len("upstream.test") + len(f"127.0.0.1:{upstream.port}")
    agreed = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    upstream.script = [("read", sent), ("send", agreed), ("read", sent + 5), ("send", b"world"), ("end",)]
    with sidecar(tmp_path, upstream.port, rewrite_host=True) as proxy, connect(proxy.port) as client:
        play(client, [("send", ask), ("read", len(agreed))])
        assert play(client, [("send", b"hello"), ("read", 5)]).received == b"world"


def test_credentials_cookies_and_query_never_reach_the_spool(upstream: Upstream, tmp_path: Path) -> None:
    secret = request(
        path="/v1/chat/completions?key=secret",
        headers=[
            "Authorization: Bearer secret",
            "Cookie: secret",
            "X-Api-Key: secret",
            "X-Team: a",
            "X-User: u7",
        ],
    )
    upstream.script = [("read", len(secret)), ("send", OK), ("end",)]
    changes = {
        "captured_headers": ("x-team", "authorization"),
        "sampling_header": "X-Api-Key",
        "subject_header": "X-User",
    }
    with sidecar(tmp_path, upstream.port, **changes) as proxy:
        with connect(proxy.port) as client:
            play(client, [("send", secret), ("read", len(OK))])
        wait_until(proxy.captures)
        capture = proxy.captures()[0]
    assert b"secret" not in repr(capture).encode()
    assert capture.path == "/v1/chat/completions"
    assert capture.request_headers == {"x-team": "a", "x-user": "u7"}
    assert capture.response_headers == {"content-type": "application/json"}
    assert not any(b"messages" in path.read_bytes() for path in Path(proxy.settings.spool).glob("*.seg"))


def test_the_kill_switch_takes_effect_on_the_next_request(upstream: Upstream, tmp_path: Path) -> None:
    upstream.script = [("read", len(POST)), ("send", OK), ("read", 2 * len(POST)), ("send", OK), ("end",)]
    boosts = (Boost(1.0, path="/v1/chat/completions"),)
    with sidecar(tmp_path, upstream.port, boosts=boosts) as proxy:
        with connect(proxy.port) as client:
            play(client, [("send", POST), ("read", len(OK))])
            wait_until(lambda: proxy.funnel()["sampled"] == 1)
            assert proxy.admin("/-/sampling", "PUT", '{"fraction": 0}')[0] == 200
            play(client, [("send", POST), ("read", len(OK))])
        wait_until(lambda: proxy.funnel()["eligible"] == 2)
        funnel = proxy.settled()
    assert (funnel["sampled"], funnel["not_sampled"], funnel["fraction"]) == (1, 1, 0.0)


def test_it_is_small_and_maps_nothing_of_the_monitor(upstream: Upstream, tmp_path: Path) -> None:
    with sidecar(tmp_path, upstream.port) as proxy:
        modules = "duckdb numpy pydantic httpx prometheus_client yaml click rich pandas"
        mapped = "".join(Path(f"/proc/{pid}/maps").read_text() for pid in proxy.workers)
        assert not [name for name in modules.split() if f"/{name}" in mapped]
        assert max(pss_mb(pid) for pid in proxy.workers) <= 25
        assert sum(pss_mb(pid) for pid in family(proxy.process.pid)) <= 90


def pss_mb(pid: int) -> float:
    """Proportional memory of a process."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def family(pid: int) -> list[int]:
    """A process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(int(child) for child in children)]
