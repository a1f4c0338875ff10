"""The capture process: a parent that holds the sockets and keeps workers and the admin port alive.

    python -m collectors.capture      with the settings in the environment (see settings.py)

The parent forks and waits, nothing else, so that there is little in it that could fail. It holds
the listening sockets: connections that arrive while a worker is restarted wait in the backlog. When
the parent dies, its children notice (a pipe ends), drain and go. One line of JSON on stdout says
when and where the data path is open.
"""

from __future__ import annotations

import gc
import os
import resource
import select
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from collectors.admin import serve_admin
from collectors.counters import CELL, Board
from collectors.settings import ENVIRONMENT, Settings
from collectors.spool import load_key, new_stream
from collectors.wire import Counters
from collectors.worker import Worker, account, check_tls, exit_now
from monitor.errors import ConfigError, StoreError, TailgateError, Unreachable

_BACKLOG = 4096
_KEEPALIVE_SECONDS = 60
_POLL_SECONDS = 0.5
_RESTART_SECONDS = 1.0  # at most one restart a second per child
_HUNG_SECONDS = 15.0
_TERMINATION = {signal.SIGTERM, signal.SIGINT}


@dataclass(slots=True)
class _Child:
    """A process that must be there: `pid` 0 = to be started. Workers have an index and a stream."""

    run: Callable[[_Child], None]
    index: int = -1
    pid: int = 0
    started: float = float("-inf")
    stream: str = ""
    started_at: float = 0.0
    base: list[int] = field(default_factory=list)
    inherited: tuple[Counters, ...] = ()


def bind(host: str, port: int, count: int) -> list[socket.socket]:
    """`count` listening sockets on one port (0 = any), between which the kernel spreads connections.

    Raises Unreachable where the port is taken: without the first, exclusive bind a second sidecar
    would silently share the traffic.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            port = probe.getsockname()[1]
        return [_listener(family, host, port) for _ in range(count)]
    except OSError as error:
        raise Unreachable(f"cannot listen on {host}:{port}: {error.strerror}") from error


def _listener(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    # Inherited by accepted sockets: a client that vanished without a word must not hold its upstream.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_SECONDS)
    listener.bind((host, port))
    listener.listen(_BACKLOG)
    listener.settimeout(0)
    return listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Supervisor:
    """Starts, watches, restarts and stops the children."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.key = load_key(Path(settings.spool), settings.key_env)
        self.board = Board(settings.workers, settings.fraction)
        self.listeners = bind(*settings.listen, settings.workers)
        self.admin = bind(*settings.admin, 1)[0]
        # Children see the read end become readable when the parent, sole holder of the other, ends.
        self.pipe, self._pipe_of_parent = os.pipe()
        self.wakeup = socket.socketpair()
        self.children = [_Child(self._worker, index) for index in range(settings.workers)]
        self.children.append(_Child(self._admin))

    def run(self) -> None:
        """Until SIGTERM or SIGINT; then drain."""
        self._handle_signals()
        gc.collect()
        gc.freeze()
        self._announce(self._start_missing)
        while not self._terminated:
            self._sleep(_POLL_SECONDS)
            self._reap()
            self._kill_hung()
            self._start_missing()
        self._stop()

    def _handle_signals(self) -> None:
        self._terminated = False
        for end in self.wakeup:
            end.settimeout(0)
        signal.set_wakeup_fd(self.wakeup[1].fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in _TERMINATION:
            signal.signal(number, self._terminate)

    def _terminate(self, *_: object) -> None:
        self._terminated = True

    def _sleep(self, seconds: float) -> None:
        select.select([self.wakeup[0]], [], [], seconds)
        with suppress(BlockingIOError):
            self.wakeup[0].recv(4096)

    def _announce(self, start: Callable[[], None]) -> None:
        start()
        ready = {
            "event": "ready",
            "listen": _address(self.listeners[0]),
            "admin": _address(self.admin),
            "spool": self.settings.spool,
            "pid": os.getpid(),
            "workers": [child.pid for child in self.children if child.index >= 0],
        }
        sys.stdout.write(msgspec.json.encode(ready).decode() + "\n")
        sys.stdout.flush()

    def _start_missing(self) -> None:
        for child in self.children:
            if not child.pid and time.monotonic() - child.started >= _RESTART_SECONDS:
                self._start(child)

    def _start(self, child: _Child) -> None:
        if child.index >= 0:
            page = self.board.pages[child.index]
            child.stream, child.started_at, child.base = new_stream(child.index), time.time(), page.tolist()
        child.started = time.monotonic()
        child.pid = os.fork()
        if not child.pid:
            self._become(child)
        child.inherited = ()

    def _become(self, child: _Child) -> None:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in (*_TERMINATION, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            os.close(self._pipe_of_parent)
            for end in self.wakeup:
                end.close()
            child.run(child)
            code = 0
        except KeyboardInterrupt:
            pass
        except Exception as error:  # noqa: BLE001  a child never returns into the parent's code
            sys.stderr.write(f"tailgate: sidecar: {type(error).__name__}: {error}\n")
        finally:
            exit_now(code)

    def _worker(self, child: _Child) -> None:
        self.admin.close()
        for index, listener in enumerate(self.listeners):
            if index != child.index:
                listener.close()
        worker = Worker(
            self.settings,
            self.board,
            child.index,
            stream=child.stream,
            key=self.key,
            parent=self.pipe,
            inherited=child.inherited,
        )
        worker.run(self.listeners[child.index])

    def _admin(self, child: _Child) -> None:
        del child
        for listener in self.listeners:
            listener.close()
        serve_admin(self.settings, self.board, self.admin, self.pipe)

    def _reap(self) -> None:
        for child in self.children:
            if child.pid and os.waitpid(child.pid, os.WNOHANG)[0]:
                child.pid = 0
                if child.index >= 0:
                    self._settle(child)

    def _settle(self, child: _Child) -> None:
        """Close the account of a worker that died: what it had not written is lost, and counted.

        Its successor writes the record, so that the monitor's funnel stays exact.
        """
        page = self.board.pages[child.index]
        for name in CELL:
            if name.startswith("gauge:"):
                page[CELL[name]] = 0
        page[CELL["restarts"]] += 1
        final = self._account(child)
        page[CELL["dropped:worker_died"]] += max(0, final.pending)
        child.inherited = (*child.inherited, self._account(child))

    def _account(self, child: _Child) -> Counters:
        return account(
            self.board.pages[child.index].tolist(),
            child.base,
            stream=child.stream,
            worker=child.index,
            started_at=child.started_at,
            final=True,
        )

    def _kill_hung(self) -> None:
        """A worker whose loop stands still serves nobody; its siblings take over."""
        now = time.monotonic()
        for child in self.children:
            if child.index < 0 or not child.pid or now - child.started < _HUNG_SECONDS:
                continue
            beat = self.board.pages[child.index][CELL["gauge:heartbeat"]] / 1e9
            if now - beat > _HUNG_SECONDS:
                with suppress(ProcessLookupError):
                    os.kill(child.pid, signal.SIGKILL)

    def _stop(self) -> None:
        for listener in (*self.listeners, self.admin):
            listener.close()
        workers = [child for child in self.children if child.index >= 0]
        self._signal(workers, signal.SIGTERM)
        # Longer than a worker's own deadline and its last words to the spool.
        self._wait(workers, self.settings.drain_seconds + 10.0)
        self._signal(self.children, signal.SIGKILL)
        self._wait(self.children, 5.0)

    def _signal(self, children: list[_Child], number: signal.Signals) -> None:
        for child in children:
            if child.pid:
                with suppress(ProcessLookupError):
                    os.kill(child.pid, number)

    def _wait(self, children: list[_Child], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while any(child.pid for child in children) and time.monotonic() < deadline:
            for child in children:
                if child.pid and os.waitpid(child.pid, os.WNOHANG)[0]:
                    child.pid = 0
            self._sleep(0.05)


def _raise_file_limit() -> None:
    """Two descriptors per connection: take what the system allows."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _checked(settings: Settings) -> Settings:
    try:
        check_tls(settings)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"baseline.tls or sidecar.tls: cannot be loaded: {error}") from error
    try:
        Path(settings.spool).mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreError(f"{settings.spool}: cannot be created: {error.strerror}") from error
    return settings


def main() -> None:
    """Entry point of the capture process."""
    settings = msgspec.json.decode(os.environ.pop(ENVIRONMENT, "{}"), type=Settings)
    _raise_file_limit()
    try:
        Supervisor(_checked(settings)).run()
    except TailgateError as error:
        sys.stderr.write(f"tailgate: {error}\n")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
