"""How commands that start processes end by a signal: as by any error, so that nobody is left behind."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_FATAL: Final = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def ending_in_order() -> Iterator[None]:
    """SIGTERM and SIGHUP unwind the stack and exit with 128 plus their number, as a shell would say it."""

    def leave(number: int, _frame: object) -> None:
        sys.exit(128 + number)

    before = {number: signal.signal(number, leave) for number in _FATAL}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
