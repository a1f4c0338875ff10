"""A real Envoy with the configuration that we ship, its addresses replaced, and a scripted model behind it."""

from __future__ import annotations

import http.client
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import yaml

from monitor.demo import free_ports
from tests.collectors.harness import resident_bytes, wait_until
from tests.deploy.tools import absent

ROOT = Path(__file__).parents[2]
ENVOY = ROOT / ".cache" / "envoy" / "bin" / "envoy"
SHIPPED = ROOT / "deploy" / "envoy"
WORDS, PAUSE, FIRST = 20, 0.03, 0.15


def program() -> Path:
    """Where Envoy lies; skips without it, fails in CI."""
    if not ENVOY.exists():
        absent("no Envoy: make .cache/envoy/.installed")
    return ENVOY


class _Model(BaseHTTPRequestHandler):
    """Streams `WORDS` words, `PAUSE` seconds apart, the first after `FIRST`; at once without `stream`."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if body.get("stream"):
            self._stream()
        else:
            self._whole()

    def _whole(self) -> None:
        message = {"role": "assistant", "content": "done"}
        data = json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        time.sleep(FIRST)
        for number in range(WORDS):
            self._event(json.dumps({"choices": [{"index": 0, "delta": {"content": f"w{number} "}}]}))
            time.sleep(PAUSE)
        self._event(json.dumps({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))
        self._event("[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def _event(self, data: str) -> None:
        line = f"data: {data}\n\n".encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))

    def handle(self) -> None:
        with suppress(ConnectionError):  # clients leave; some tests want that
            super().handle()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
        """Quiet."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


@contextmanager
def model() -> Iterator[int]:
    """The port of a scripted model."""
    server = _Server(("127.0.0.1", 0), _Model)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@dataclass(frozen=True, slots=True)
class Envoy:
    """A running Envoy."""

    process: subprocess.Popen[bytes]
    port: int
    admin: str

    @property
    def resident(self) -> int:
        """Bytes of memory."""
        return resident_bytes(self.process.pid)

    def stat(self, name: str) -> int:
        """One counter; 0 where Envoy has not made it yet."""
        text = httpx.get(f"{self.admin}/stats?filter={name}").text
        return sum(int(line.rpartition(": ")[2]) for line in text.splitlines() if line)

    def runtime(self, setting: str) -> None:
        """Change a runtime value, e.g. `tailgate.observed=0`."""
        assert httpx.post(f"{self.admin}/runtime_modify?{setting}").status_code == 200

    def ask(self, prompt: str = "hello", *, stream: bool = True) -> list[float]:
        """Seconds at which each piece of the answer came."""
        began, times = time.monotonic(), []
        with self.asking(prompt, stream=stream) as response:
            assert response.status == 200
            while response.read1(65536):
                times.append(time.monotonic() - began)
        return times

    @contextmanager
    def asking(self, prompt: str, *, stream: bool) -> Iterator[http.client.HTTPResponse]:
        """One request on a connection of its own; leaving early leaves the answer."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            body = {"model": "m", "messages": [{"role": "user", "content": prompt}], "stream": stream}
            headers = {"content-type": "application/json"}
            connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
            with closing(connection.getresponse()) as response:
                yield response


@contextmanager
def envoy(directory: Path, baseline: int, processor: str, **changes: Any) -> Iterator[Envoy]:
    """Envoy with deploy/envoy/ext_proc.yaml between a client and `baseline`, told to `processor`."""
    port, admin = free_ports(2)
    config = yaml.safe_load((SHIPPED / changes.pop("file", "ext_proc.yaml")).read_text())
    config["admin"]["address"]["socket_address"]["port_value"] = admin
    listener = config["static_resources"]["listeners"][0]
    listener["address"]["socket_address"]["port_value"] = port
    ports = {"baseline": baseline, "tailgate": int(processor.rpartition(":")[2] or 0)}
    for cluster in config["static_resources"]["clusters"]:
        (endpoint,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
        endpoint["endpoint"]["address"]["socket_address"]["port_value"] = ports[cluster["name"]]
    for change in changes.values():
        change(config)
    path = directory / "envoy.yaml"
    path.write_text(yaml.safe_dump(config))
    command = [str(program()), "-c", str(path), "--concurrency", "1", "--base-id", str(port), "-l", "warning"]
    with subprocess.Popen(command, cwd=directory) as process:
        try:
            running = Envoy(process, port, f"http://127.0.0.1:{admin}")
            wait_until(lambda: _ready(running), 30)
            yield running
        finally:
            process.kill()
            process.wait()


def _ready(running: Envoy) -> bool:
    try:
        return httpx.get(f"{running.admin}/ready").status_code == 200
    except httpx.HTTPError:
        return False
