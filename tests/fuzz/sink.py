"""What the queue is to the admission."""

from __future__ import annotations

from collectors.wire import Exchange


class Sink:
    """Keeps everything and releases nothing."""

    def __init__(self) -> None:
        self.items: list[Exchange] = []
        self.released = self.used = 0

    def offer(self, item: Exchange) -> None:
        self.items.append(item)

    def __len__(self) -> int:
        return len(self.items)
