"""A scripted upstream, scripted clients and a real sidecar between them, over loopback sockets."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from collectors.settings import ENVIRONMENT, Settings
from collectors.spool import load_key
from collectors.spool_reader import Reader
from collectors.wire import Capture, Counters

TIMEOUT = 10.0
CAPTURE = (sys.executable, "-P", "-m", "collectors.capture")
Step = tuple[Any, ...]
"""("send", bytes) · ("read", n): until n bytes in all · ("sleep", s) · ("fin",) · ("rst",) · ("end",): until the peer's end."""


@dataclass
class Transcript:
    """What one side saw: bytes in order, and how the other ended (fin, rst, or nothing yet)."""

    received: bytearray = field(default_factory=bytearray)
    end: str = ""
    ended_at: float = 0.0


def play(sock: socket.socket, steps: Sequence[Step]) -> Transcript:
    """Run a script on a connected socket."""
    sock.settimeout(TIMEOUT)
    seen = Transcript()
    for step in steps:
        try:
            _play_step(sock, step, seen)
        except (ConnectionResetError, BrokenPipeError):
            seen.end, seen.ended_at = "rst", time.monotonic()
            break
    return seen


def _play_step(sock: socket.socket, step: Step, seen: Transcript) -> None:
    match step:
        case ("send", data):
            sock.sendall(data)
        case ("read", count):
            while len(seen.received) < count and not seen.end:
                _receive(sock, seen)
        case ("sleep", seconds):
            time.sleep(seconds)
        case ("fin",):
            sock.shutdown(socket.SHUT_WR)
        case ("rst",):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
        case ("end",):
            while not seen.end:
                _receive(sock, seen)


def _receive(sock: socket.socket, seen: Transcript) -> None:
    data = sock.recv(1 << 16)
    seen.received += data
    if not data:
        seen.end, seen.ended_at = "fin", time.monotonic()


class Upstream:
    """Serves each connection with the script that is set at the time; keeps what it saw."""

    def __init__(self, context: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.script: Sequence[Step] | Callable[[socket.socket], Transcript] = ()
        self.seen: list[Transcript] = []
        self.names: list[str | None] = []  # SNI
        self._context = context
        if context is not None:
            context.sni_callback = lambda _sock, name, _context: self.names.append(name)
        self._listener = socket.create_server(("127.0.0.1", port), backlog=512)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        script = self.script
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            if self._context is not None:
                sock = self._context.wrap_socket(sock, server_side=True)
            stack.callback(sock.close)
            self.seen.append(script(sock) if callable(script) else play(sock, script))

    def wait_seen(self, count: int = 1) -> list[Transcript]:
        """Transcripts of finished connections, once there are `count`."""
        wait_until(lambda: len(self.seen) >= count)
        return self.seen

    def close(self) -> None:
        """Stop listening."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def wait_until(condition: Callable[[], object], seconds: float = TIMEOUT) -> None:
    """Poll; AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the awaited state did not come"
        time.sleep(0.01)


@dataclass
class Sidecar:
    """A running capture process."""

    process: subprocess.Popen[bytes]
    ready: dict[str, Any]
    settings: Settings
    _read: list[Any] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.ready["listen"].rpartition(":")[2])

    @property
    def workers(self) -> list[int]:
        """Process ids as first started."""
        return list(self.ready["workers"])

    def admin(
        self, path: str, method: str = "GET", body: str | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, str]:
        """One request to the admin port."""
        host, _, port = self.ready["admin"].rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=TIMEOUT)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def funnel(self) -> dict[str, Any]:
        """`/-/funnel`."""
        counts: dict[str, Any] = json.loads(self.admin("/-/funnel")[1])
        return counts

    def settled(self) -> dict[str, Any]:
        """The funnel once nothing is pending."""
        wait_until(lambda: not self.funnel()["pending"])
        return self.funnel()

    def metric(self, sample: str) -> float:
        """The value of one sample line of /metrics."""
        lines = self.admin("/metrics")[1].splitlines()
        return float(next(line for line in lines if line.startswith(sample + " ")).rpartition(" ")[2])

    def records(self) -> list[Any]:
        """All records of the spool."""
        spool = Path(self.settings.spool)
        reader = Reader(spool, load_key(spool, self.settings.key_env))
        records = [entry.record for entry in reader.read(100_000)]
        reader.close()
        return records

    def captures(self) -> list[Capture]:
        """All captures of the spool."""
        return [record for record in self.records() if isinstance(record, Capture)]

    def counters(self) -> list[Counters]:
        """All counters records of the spool."""
        return [record for record in self.records() if isinstance(record, Counters)]

    def stop(self) -> int:
        """SIGTERM and wait."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@contextlib.contextmanager
def sidecar(
    directory: Path, upstream_port: int, *, command: Sequence[str] = CAPTURE, **changes: Any
) -> Iterator[Sidecar]:
    """A sidecar in front of the upstream; `changes` override Settings."""
    known: dict[str, Any] = {
        "upstream": ("127.0.0.1", upstream_port),
        "spool": str(directory / "spool"),
        "listen": ("127.0.0.1", 0),
        "admin": ("127.0.0.1", 0),
        "fraction": 1.0,
        "drain_seconds": 5.0,
    }
    settings = Settings(**(known | changes))
    process = subprocess.Popen(
        command,
        env=os.environ | {ENVIRONMENT: msgspec.json.encode(settings).decode()},
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        yield Sidecar(process, json.loads(line), settings)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        process.stdout.close()


def connect(port: int, context: ssl.SSLContext | None = None) -> socket.socket:
    """A client's connection."""
    sock = socket.create_connection(("127.0.0.1", port), TIMEOUT)
    return context.wrap_socket(sock, server_hostname="localhost") if context else sock


@contextlib.contextmanager
def connections(port: int, count: int) -> Iterator[list[socket.socket]]:
    """Several clients' connections."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(connect(port)) for _ in range(count)]


def memory_at_rest(pid: int) -> int:
    """Resident memory of a worker that has started: its port is open, and the sidecar ready, before."""
    size, calm = resident_bytes(pid), 0
    while calm < 3:
        time.sleep(0.05)
        before, size = size, resident_bytes(pid)
        asleep = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"
        calm = calm + 1 if asleep and size == before else 0
    return size


def resident_bytes(pid: int) -> int:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def request(
    body: bytes = b'{"model": "m", "messages": []}',
    *,
    path: str = "/v1/chat/completions",
    headers: Sequence[str] = (),
    method: str = "POST",
    version: str = "1.1",
) -> bytes:
    """An HTTP request with a Content-Length."""
    lines = [f"{method} {path} HTTP/{version}", "Host: upstream.test", *headers]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def answer(body: bytes = b'{"ok": true}', *, status: str = "200 OK", headers: Sequence[str] = ()) -> bytes:
    """An HTTP answer with a Content-Length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def chunked(*chunks: bytes) -> bytes:
    """Chunks in their transfer coding, with the end."""
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
