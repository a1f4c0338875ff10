"""Files that the user named: `-` is a standard stream, a missing one is exit code 4."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal

from monitor.errors import Unreachable

DASH = Path("-")


@contextmanager
def opened(path: Path, mode: Literal["rb", "wb"]) -> Iterator[BinaryIO]:
    """The open file. Raises Unreachable, naming the path and the reason."""
    if path == DASH:
        yield sys.stdin.buffer if mode == "rb" else sys.stdout.buffer
        return
    try:
        file: BinaryIO = path.open(mode)
    except OSError as error:
        raise Unreachable(f"{path}: {error.strerror or error}") from error
    with file:
        yield file
