"""Processes under measurement: start, pin, CPU and memory of the whole tree.

CPU comes from /proc/PID/task/TID/schedstat, nanoseconds on the CPU as the scheduler counts them:
on a shared machine it moves by a few percent where latencies move several times over. Memory is
PSS, which counts pages shared between forked workers once.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

_PROC = Path("/proc")


def pinned(command: list[str], core: int | None) -> list[str]:
    """The command bound to one core; its children inherit that."""
    return command if core is None else ["taskset", "-c", str(core), *command]


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(port: int, process: subprocess.Popen[bytes], seconds: float = 60) -> float:
    """Wait until `port` accepts; returns the seconds it took. RuntimeError if the process ends first."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.01)
        else:
            return time.monotonic() - began
    raise RuntimeError(f"nothing listens on port {port} after {seconds:.0f} s")


@contextmanager
def running(
    command: list[str], directory: Path, *, core: int | None = None, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in its own session with its output in `directory/log`; its whole group ends with the block."""
    with (
        (directory / "log").open("ab") as log,
        subprocess.Popen(
            pinned(command, core),
            cwd=directory,
            stdout=log,
            stderr=log,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            stop(process)


def stop(process: subprocess.Popen[bytes], seconds: float = 10) -> None:
    """SIGTERM, then SIGKILL to the process group."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        pass
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def tree(pid: int) -> list[int]:
    """`pid` and its descendants, parents first."""
    parents: dict[int, list[int]] = {}
    for path in _PROC.glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # ended while we were looking
        parents.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found = [pid]
    for each in found:
        found.extend(parents.get(each, ()))
    return found


def cpu_seconds(pid: int) -> float:
    """Seconds on the CPU of all threads of `pid` and its descendants since they started."""
    paths = (path for each in tree(pid) for path in (_PROC / str(each) / "task").glob("*/schedstat"))
    return sum(_run_nanoseconds(path) for path in paths) / 1e9


def _run_nanoseconds(schedstat: Path) -> int:
    try:
        return int(schedstat.read_text().split()[0])
    except OSError:
        return 0  # the thread ended


def pss_megabytes(pid: int) -> float:
    """Proportional set size of one process in MB (10^6 bytes)."""
    return _kilobytes(pid, "smaps_rollup", "Pss") / 1000


def rss_megabytes(pid: int) -> float:
    """Resident set size of one process in MB (10^6 bytes)."""
    return _kilobytes(pid, "status", "VmRSS") / 1000


def _kilobytes(pid: int, file: str, field: str) -> float:
    found = re.search(rf"^{field}:\s+(\d+) kB", (_PROC / str(pid) / file).read_text(), re.MULTILINE)
    return int(found.group(1)) * 1.024 if found else 0.0
