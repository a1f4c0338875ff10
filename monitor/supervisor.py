"""`tailgate run`: capture and monitor as two processes, restarted when they die.

They share nothing but the spool, so the monitor may crash, hang or be upgraded while production
flows on. Should the supervisor itself be killed, the sidecar keeps forwarding.
"""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import FrameType

log = logging.getLogger("tailgate.run")

FINAL = frozenset({2, 4})
"""Exit codes that a restart would only repeat: wrong configuration, cannot open."""
PAUSES = (0.2, 0.5, 1.0, 2.0, 5.0)
STEADY_SECONDS = 30.0


@dataclass(slots=True)
class Child:
    """One supervised command."""

    name: str
    arguments: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    restarts: int = 0
    retry_at: float = 0.0

    def start(self) -> None:
        command = [sys.executable, "-m", "monitor", *self.arguments]
        # A session of its own: Ctrl-C on the terminal reaches the supervisor, which stops in order.
        self.process = subprocess.Popen(command, start_new_session=True)
        self.started = time.monotonic()

    def fallen(self) -> int | None:
        """Exit code if the child has ended and was not noticed yet."""
        code = self.process.poll() if self.process else None
        if code is not None:
            self.process = None
        return code

    def plan_restart(self, now: float) -> None:
        steady = now - self.started > STEADY_SECONDS
        self.restarts = 0 if steady else self.restarts + 1
        self.retry_at = now + PAUSES[min(self.restarts, len(PAUSES) - 1)]

    def stop(self, timeout: float) -> None:
        """SIGTERM, then SIGKILL after `timeout` seconds."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


@dataclass(slots=True)
class Supervisor:
    """Runs the children until a signal or a final exit code. Stops them in the order given."""

    children: Sequence[Child]
    drain_seconds: float
    _stopping: bool = field(default=False)

    def run(self) -> int:
        """The exit code of the whole."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGHUP, self._on_reload)
        for child in self.children:
            child.start()
        code = 0
        while not self._stopping and code == 0:
            code = self._look(time.monotonic())
            time.sleep(0.1)
        for child in self.children:
            child.stop(self.drain_seconds)
        return code

    def _look(self, now: float) -> int:
        """One round; non-zero ends the run."""
        for child in self.children:
            code = child.fallen()
            if code is not None:
                if code in FINAL:
                    log.error("%s ended with exit code %d", child.name, code)
                    return code
                log.error("%s died (%d); starting it again", child.name, code)
                child.plan_restart(now)
            if child.process is None and now >= child.retry_at and not self._stopping:
                child.start()
        return 0

    def _on_stop(self, _signal: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _on_reload(self, number: int, _frame: FrameType | None) -> None:
        for child in self.children:
            if child.process is not None and child.name == "monitor":
                child.process.send_signal(number)
