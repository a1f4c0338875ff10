"""Stand-ins that are ready at once: one process loads code and language models and forks for each that is wanted.

A line on stdin, `["--fault", "all:error"]`, starts one and is answered with its process id and URL; a line
with a process id kills that one and is answered once it is gone. Hundreds of tests start a stand-in, which costs
1.5 s of a core from nothing; `tests/standin/test_server.py` and the demo start it as users do.
"""

from __future__ import annotations

import json
import os
import signal
import sys

from monitor import languages
from monitor.cli.standin import command
from monitor.standin import server as _server  # noqa: F401  loaded here, not in every child


def born(flags: list[str]) -> tuple[int, str]:
    """Process id and URL of a new stand-in; an empty URL where it ended instead."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        os.dup2(writing, sys.stdout.fileno())
        os.close(writing)
        os.closerange(0, 1)
        command.main(flags, standalone_mode=False)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as said:
        return pid, said.readline().strip()


def ended(pid: int) -> tuple[int, str]:
    """As `born`, of one that is gone."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return pid, ""


def main() -> None:
    languages.language("ok")
    living: set[int] = set()
    for line in sys.stdin:
        wanted: list[str] | int = json.loads(line)
        pid, url = ended(wanted) if isinstance(wanted, int) else born(wanted)
        living ^= {pid}
        print(json.dumps([pid, url]), flush=True)
    for pid in living:
        ended(pid)


if __name__ == "__main__":
    main()
