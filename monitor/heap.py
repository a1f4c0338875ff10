"""I/O: how the C library keeps what was freed, and how often Python looks for cycles."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress
from typing import Final

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h
_BOUNDS: Final = {_M_MMAP_THRESHOLD: 1 << 17, _M_TRIM_THRESHOLD: 1 << 18, _M_ARENA_MAX: 2}
_COLLECT_EVERY: Final = 5_000
"""More containers than before, by default 700."""


def bound() -> None:
    """Have glibc give freed memory back: before the first thread is started; elsewhere this does nothing.

    By default it keeps eight heaps per core, each with holes of its own, and takes ever larger blocks from them
    instead of from the system (mallopt(3), "dynamic mmap threshold"): half of a monitor's heap was holes after
    ten minutes of fast traffic with long prompts.
    """
    with suppress(OSError, AttributeError):  # musl and macOS have no mallopt
        mallopt = ctypes.CDLL(None).mallopt
        for parameter, value in _BOUNDS.items():
            mallopt(parameter, value)


def freeze() -> None:
    """Leave what is loaded by now out of every collection, and collect less often: of a process that is warm.

    A pair in flight is hundreds of objects and in no cycle, so collections walk over the window, and over
    100,000 objects of modules and models, for next to nothing: a twentieth of a pair's cost.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_EVERY, *gc.get_threshold()[1:])
