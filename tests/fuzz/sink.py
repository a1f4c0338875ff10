"""What the queue is to the admission."""

from __future__ import annotations

import msgspec

from collectors.wire import Exchange, Packed, numbered


class Sink:
    """Keeps everything, as the spool's reader would decode it, and releases nothing."""

    def __init__(self) -> None:
        self.items: list[Exchange] = []
        self.released = self.used = 0

    def offer(self, item: Packed) -> None:
        number = len(self.items) + 1
        self.items.append(msgspec.msgpack.decode(numbered(item, number), type=Exchange))

    def __len__(self) -> int:
        return len(self.items)
