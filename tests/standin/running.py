"""A stand-in on a thread of this process, on a port that the system chooses."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from monitor.standin.server import http_server, listening
from monitor.standin.settings import Settings


@contextmanager
def running(settings: Settings, *, cert: Path | None = None, key: Path | None = None) -> Iterator[str]:
    """Its URL while it runs."""
    server = http_server(settings, cert=cert, key=key)
    with on_a_thread(server) as port:
        yield f"{'https' if cert else 'http'}://127.0.0.1:{port}"


@contextmanager
def on_a_thread(server: uvicorn.Server) -> Iterator[int]:
    """The port of the running server."""
    bound = listening("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.005)
        yield bound.getsockname()[1]
    finally:
        server.should_exit = True
        server.force_exit = True
        thread.join(10)
        bound.close()
