"""The things that break, one context manager each.

A candidate yields its URL; a spool yields nothing and breaks the directory of a running rig.
"""

from __future__ import annotations

import random
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from tests.benchmarks.hotpath import native
from tests.benchmarks.hotpath.process import free_port
from tests.faults.rig import Rig

Serve = Callable[[socket.socket], None]


@contextmanager
def healthy_candidate() -> Iterator[str]:
    """Answers at once, with what the baseline says."""
    with native.upstream() as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def refusing_candidate() -> Iterator[str]:
    """Nobody listens."""
    yield f"http://127.0.0.1:{free_port()}"


@contextmanager
def hung_candidate() -> Iterator[str]:
    """Accepts connections and requests, and never says a word."""
    with _server(_swallow) as url:
        yield url


@contextmanager
def dribbling_candidate() -> Iterator[str]:
    """Begins a proper answer and sends a byte every 50 ms, without an end in sight."""
    with _server(_dribble) as url:
        yield url


CANDIDATES: dict[str, Callable[[], AbstractContextManager[str]]] = {
    "candidate hung": hung_candidate,
    "candidate refusing": refusing_candidate,
    "candidate dribbling": dribbling_candidate,
}


@contextmanager
def _server(serve: Serve) -> Iterator[str]:
    closing = threading.Event()
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        listener.settimeout(0.1)
        accepting = threading.Thread(target=_accept, args=(listener, serve, closing))
        accepting.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            closing.set()
            accepting.join()


def _accept(listener: socket.socket, serve: Serve, closing: threading.Event) -> None:
    held: list[socket.socket] = []
    while not closing.is_set():
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            continue
        held.append(connection)
        threading.Thread(target=_quietly, args=(serve, connection), daemon=True).start()
    for connection in held:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()


def _quietly(serve: Serve, connection: socket.socket) -> None:
    with suppress(OSError):
        serve(connection)


def _swallow(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


def _dribble(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n"
    )
    waiting = threading.Event()
    while not waiting.wait(0.05):
        connection.sendall(b" ")


@contextmanager
def small_disk(directory: Path, kilobytes: int) -> Iterator[None]:
    """A tmpfs of its own size at `directory`. OSError where this user may not mount."""
    directory.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(directory)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        raise PermissionError("mounting a tmpfs needs root")
    try:
        yield
    finally:
        # lazily: a writer that is still being stopped must not keep it
        subprocess.run(["umount", "-l", str(directory)], check=True)


def remove_spool(rig: Rig) -> None:
    """The directory goes, and a file takes its place so that it cannot come back."""
    shutil.rmtree(rig.spool)
    rig.spool.write_text("in the way")


GARBAGE = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS on a plain port
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 7\r\n\r\n{}",
    b"POST /v1/chat/completions HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n",
    b"POST /v1/chat/completions HTTP/1.1\r\nhost : x\r\n folded: y\r\ncontent-length: 2\r\n\r\n{}",
    b"GET / HTTP/1.1\r\nhost: x\r\n\r\n" * 20,
    b"\x00" * 5000,
    b"POST " + b"a" * 100_000,
)


@contextmanager
def garbage_clients(rig: Rig, per_second: int = 50) -> Iterator[None]:
    """Clients that talk nonsense to the sidecar, each on a connection of its own."""
    closing = threading.Event()
    thread = threading.Thread(target=_talk_nonsense, args=(rig.port, per_second, closing))
    thread.start()
    try:
        yield
    finally:
        closing.set()
        thread.join()


def _talk_nonsense(port: int, per_second: int, closing: threading.Event) -> None:
    rng = random.Random(7)
    while not closing.wait(1 / per_second):
        words = rng.choice(GARBAGE) if rng.random() < 0.5 else rng.randbytes(rng.randrange(1, 4000))
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as client:
            client.sendall(words)
            client.settimeout(0.02)
            client.recv(4096)
