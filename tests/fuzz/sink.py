"""What the queue is to the admission."""

from __future__ import annotations

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
    """Keeps everything, as the spool's reader would decode it, and releases nothing."""

    def __init__(self) -> None:
        self.items: list[Exchange] = []
        self.queue = self.items
        self.packed: list[bool] = []  # which of them came encoded
        self.released = self.used = 0

    def offer(self, item: Exchange | Packed) -> None:
        self.packed.append(isinstance(item, Packed))
        self.items.append(unpacked(item, len(self.items) + 1))
