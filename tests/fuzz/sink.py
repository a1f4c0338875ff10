"""What the queue is to the admission."""

from __future__ import annotations

from collections import deque

import msgspec

from collectors.admission import numbering
from collectors.settings import Settings
from collectors.wire import Exchange, Packed

_numbered = numbering(Settings(upstream=("a", 1), spool=""))


def unpacked(item: Exchange | Packed, number: int) -> Exchange:
    """What the spool's reader decodes."""
    rendered, _ = _numbered(item, number)
    return rendered if isinstance(rendered, Exchange) else msgspec.msgpack.decode(rendered, type=Exchange)


class Sink:
    """Keeps everything and releases nothing."""

    def __init__(self) -> None:
        self.queue: deque[Exchange | Packed] = deque()
        self.released = self.used = 0

    def wake(self) -> None:
        """Nobody sleeps."""

    @property
    def items(self) -> list[Exchange]:
        """What a reader of the spool would get."""
        return [unpacked(item, number) for number, item in enumerate(self.queue, 1)]
