"""Server-sent events, incrementally: bytes cut anywhere to the data of whole events.

WHATWG HTML 9.2.6: lines end in LF, CR or CRLF; a blank line ends an event; a leading BOM and
comment lines are ignored; several `data` lines join with LF. Only `data` is kept: every OpenAI
event names its type inside the data as well.
"""

from __future__ import annotations

_BOM = b"\xef\xbb\xbf"


class EventParser:
    """`feed` returns the data of the events that a chunk completed."""

    __slots__ = ("_after_cr", "_data", "_line", "_started")

    def __init__(self) -> None:
        self._line: list[bytes] = []  # pieces of an unfinished line; joined once, so dribbling is linear
        self._data: list[bytes] = []
        self._after_cr = False
        self._started = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Data of each event that `chunk` completed, in order."""
        if not chunk:
            return []
        lines = self._unify(chunk).split(b"\n")
        self._line.append(lines[0])
        if len(lines) == 1:
            return []
        lines[0] = b"".join(self._line)
        self._line = [lines.pop()]
        return self._events(lines)

    def rest(self) -> bytes:
        """Data of an event that the stream ended before finishing."""
        self._take(b"".join(self._line))
        self._line = []
        data, self._data = b"\n".join(self._data), []
        return data

    def _unify(self, chunk: bytes) -> bytes:
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        self._after_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in chunk else chunk

    def _events(self, lines: list[bytes]) -> list[bytes]:
        events: list[bytes] = []
        for line in lines:
            if line:
                self._take(line)
            elif self._data:
                events.append(b"\n".join(self._data))
                self._data = []
        return events

    def _take(self, line: bytes) -> None:
        if not self._started:
            line = line.removeprefix(_BOM)
            self._started = True
        if line.startswith(b"data:"):
            self._data.append(line[6:] if line[5:6] == b" " else line[5:])
        elif line == b"data":
            self._data.append(b"")
