"""The durable local hand-over, reading side: all streams merged, positions, release, erase.

    reader = Reader(directory, load_key(directory), positions=store.positions())
    entries = reader.read(256)            # what is there, at most 256; [] when caught up
    ...                                   # commit results and {e.stream: e.position} together
    reader.release(committed)             # deletes segments that are committed whole

`read` is a synchronous pull and never waits; `follow` is the same as an async iterator of batches
that polls. Reading twice from the same positions gives the same entries; on a log that nobody
appends to, the order of the merge is a function of the files alone: by `received_at` (`at` for
counters), then by stream.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from collectors.spool import Segment, segments
from collectors.wire import (
    CAPTURE,
    ERASED,
    HEADER_BYTES,
    MAGIC,
    Capture,
    Counters,
    Gap,
    Header,
    Record,
    Seal,
    pack_header,
    subject_tag,
    unpack_header,
)
from monitor.errors import BadInput, StoreError

_BLOCK = 1 << 18
_RESCAN_SECONDS = 0.05
_SETTLED_SECONDS = 2.0
_ABANDONED_SECONDS = 5.0  # a parent that lives has settled a dead worker by then


class Position(NamedTuple):
    """Where a stream was read to; orders within its stream and survives as a JSON list.

    `segment` and `offset` point behind the frame, `number` is the number of captures up to there,
    read or lost: the difference to the next one is what a deletion or damage swallowed.
    """

    segment: int = 0
    offset: int = 0
    number: int = 0


class Entry(NamedTuple):
    """One record and the position to commit with its results."""

    record: Record | Gap
    stream: str
    position: Position


class Reader:
    """Pulls records of all streams in a directory, from committed positions on.

    `corrupt` counts damaged frames and places where the next frame had to be searched for.
    """

    def __init__(
        self, directory: Path, key: bytes, positions: Mapping[str, tuple[int, int, int]] | None = None
    ) -> None:
        self.corrupt = 0
        self._directory, self._key = directory, key
        self._start = {stream: Position(*position) for stream, position in (positions or {}).items()}
        self._streams: dict[str, _Stream] = {}
        self._settled: set[str] = set()  # streams whose last account was read
        self._scanned = float("-inf")

    def read(self, limit: int = 256) -> list[Entry]:
        """At most `limit` entries that can be read now, merged."""
        self._rescan()
        entries: list[Entry] = []
        while len(entries) < limit:
            heads = [(head.key, name) for name, stream in self._streams.items() if (head := stream.peek())]
            if not heads:
                entries += self._interrupted()
                break
            entry = self._streams[min(heads)[1]].take()
            if isinstance(entry.record, Counters) and entry.record.final:
                self._settled.add(entry.record.stream)
            entries.append(entry)
        self.corrupt = sum(stream.corrupt for stream in self._streams.values())
        return entries

    def release(self, positions: Mapping[str, tuple[int, int, int]]) -> int:
        """Delete every segment that is committed whole; how many."""
        removed = 0
        by_stream: dict[str, list[Segment]] = {}
        for segment in segments(self._directory):
            by_stream.setdefault(segment.stream, []).append(segment)
        for name, files in by_stream.items():
            position = Position(*positions.get(name, (0, 0, 0)))
            for segment in files:
                if self._is_done(segment, position, last=segment is files[-1]):
                    segment.path.unlink(missing_ok=True)
                    removed += 1
        return removed

    def close(self) -> None:
        """Close all files."""
        for stream in self._streams.values():
            stream.close()
        self._streams.clear()

    def _interrupted(self) -> list[Entry]:
        """Streams whose capture process was killed whole: nobody is left to settle their account."""
        dead = (s for name, s in self._streams.items() if name not in self._settled and s.is_abandoned())
        return [entry for stream in dead if (entry := stream.end())]

    def _is_done(self, segment: Segment, position: Position, *, last: bool) -> bool:
        if segment.number < position.segment:
            return True
        stream = self._streams.get(segment.stream)
        if stream is None or not stream.is_committed(position):
            return False
        closed = segment.stream in self._settled or stream.ended
        return not last or (closed and _is_finished(segment))

    def _rescan(self) -> None:
        now = time.monotonic()
        if now - self._scanned < _RESCAN_SECONDS:
            return
        self._scanned = now
        files: dict[str, list[Segment]] = {}
        for segment in segments(self._directory):
            files.setdefault(segment.stream, []).append(segment)
        for name, found in files.items():
            if name not in self._streams:
                start = self._start.get(name, Position())
                self._streams[name] = _Stream(name, Seal(self._key, name), start)
            self._streams[name].files = found
        for name in [
            name for name, stream in self._streams.items() if name not in files and not stream.peek()
        ]:
            self._streams.pop(name).close()


class _Head(NamedTuple):
    key: float
    entries: list[Entry]


class _Stream:
    """Reads one stream frame by frame, stepping over damage."""

    def __init__(self, name: str, seal: Seal, start: Position) -> None:
        self.files: list[Segment] = []
        self.corrupt = 0
        self._name, self._seal = name, seal
        self._at = start
        self._descriptor = -1
        self._buffer = b""
        self._base = 0  # file offset of the buffer
        self._searching = False
        self._complete = False  # whether the writer has gone on to a later segment
        self._emitted = start
        self._ready: list[Entry] = []
        self._key = 0.0
        self._last: Counters | None = None
        self.ended = False

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self._buffer = b""

    def peek(self) -> _Head | None:
        if not self._ready:
            self._advance()
        return _Head(self._key, self._ready) if self._ready else None

    def take(self) -> Entry:
        return self._ready.pop(0)

    def is_abandoned(self) -> bool:
        """Whether everything is read, no writer is left, and the account was never closed."""
        if self.ended or self._ready or not self.files or self._at.segment < self.files[-1].number:
            return False
        try:
            written_at = self.files[-1].path.stat().st_mtime
        except OSError:
            return False
        return time.time() - written_at > _ABANDONED_SECONDS and _is_finished(self.files[-1])

    def end(self) -> Entry | None:
        """Close the account: what was sampled and never written, as of the last counters read. None
        where a reader before this one read them: it has counted what there was to count."""
        self.ended = True
        if self._last is None:
            return None
        gap = Gap(self._name, "capture_killed", max(0, self._last.pending), self._last.at)
        return Entry(gap, self._name, self._at)

    def is_committed(self, position: Position) -> bool:
        """Whether everything that can be read lies before `position`."""
        return self.peek() is None and self._emitted <= position

    def _advance(self) -> None:
        """Fill `_ready` with the next record and the gap before it, if there is one."""
        while not self._ready:
            if self._descriptor < 0 and not self._open():
                return
            header = self._header()
            if header is None:
                if not self._next_segment():
                    return
                continue
            sealed = self._bytes(self._at.offset + HEADER_BYTES, header.length)
            if len(sealed) < header.length:
                if not self._next_segment():
                    return
                continue
            self._accept(header, sealed)

    def _accept(self, header: Header, sealed: bytes) -> None:
        end = self._at.offset + HEADER_BYTES + header.length
        number = self._at.number
        if header.kind == ERASED:
            self._lose("erased", end, 1)
            return
        try:
            record = self._seal.open(header, sealed)
        except BadInput as error:
            self.corrupt += 1
            self._lose(error.reason, end, int(header.kind == CAPTURE))
            return
        expected = record.number - 1 if isinstance(record, Capture) else record.written
        if not isinstance(record, Capture) and record.stream != self._name:
            expected = number  # the account of a dead stream, settled in its successor
        if expected > number:
            self._emit(Gap(self._name, "spool_lost", expected - number), self._at._replace(number=expected))
        following = expected + 1 if isinstance(record, Capture) else max(number, expected)
        self._at = Position(self._at.segment, end, following)
        self._key = record.received_at if isinstance(record, Capture) else record.at
        if isinstance(record, Counters) and record.stream == self._name:
            self._last = record
        self._emit(record, self._at)

    def _lose(self, reason: str, end: int, captures: int) -> None:
        self._at = Position(self._at.segment, end, self._at.number + captures)
        if captures:
            self._emit(Gap(self._name, reason, captures), self._at)

    def _emit(self, record: Record | Gap, position: Position) -> None:
        self._emitted = position
        self._ready.append(Entry(record, self._name, position))

    def _header(self) -> Header | None:
        """The next header; where it is damaged, the next valid one behind it."""
        while True:
            data = self._bytes(self._at.offset, HEADER_BYTES)
            if len(data) < HEADER_BYTES:
                return None
            header = unpack_header(data)
            if header is not None:
                self._searching = False
                return header
            self._search()

    def _search(self) -> None:
        if not self._searching:
            self.corrupt += 1
            self._searching = True
        data = self._bytes(self._at.offset + 1, _BLOCK)
        self._at = self._at._replace(offset=self._at.offset + 1 + _to_magic(data))

    def _bytes(self, offset: int, length: int) -> bytes:
        start = offset - self._base
        if start < 0 or start + length > len(self._buffer):
            try:
                self._buffer = os.pread(self._descriptor, max(_BLOCK, length), offset)
            except OSError:
                self._buffer = b""
            self._base, start = offset, 0
        return self._buffer[start : start + length]

    def _open(self) -> bool:
        """Open the segment to read: the one of the position, else the oldest behind it."""
        for segment in self.files:
            if segment.number < self._at.segment:
                continue
            try:
                self._descriptor = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                continue
            if segment.number != self._at.segment:
                self._at = Position(segment.number, 0, self._at.number)
            self._buffer, self._searching, self._complete = b"", False, False
            return True
        return False

    def _next_segment(self) -> bool:
        """Move on where a later segment exists; the writer opens it after its last word in this one."""
        later = [segment.number for segment in self.files if segment.number > self._at.segment]
        self._buffer = b""
        if not later:
            return False
        if not self._complete:
            self._complete = True  # whatever was appended before the rotation is read once more
            return True
        if os.fstat(self._descriptor).st_size > self._at.offset:
            self.corrupt += 1  # a torn frame
        self.close()
        self._at = Position(later[0], 0, self._at.number)
        return True


def _is_finished(segment: Segment) -> bool:
    """Whether the writer is gone: it holds a lock on its newest segment while it lives."""
    try:
        descriptor = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return time.time() - os.fstat(descriptor).st_mtime > _SETTLED_SECONDS
    except OSError:
        return False
    finally:
        os.close(descriptor)


async def follow(
    reader: Reader, *, limit: int = 256, poll_seconds: float = 0.05
) -> AsyncIterator[list[Entry]]:
    """Batches as they come, for ever; cancel to stop. An empty batch is never yielded."""
    while True:
        if entries := reader.read(limit):
            yield entries
            await asyncio.sleep(0)
        else:
            await asyncio.sleep(poll_seconds)


def erase(directory: Path, key: bytes, subject: str) -> int:
    """Overwrite every frame of a data subject in place; how many. Readers see a Gap `erased`.

    Raises StoreError where a segment cannot be read or written: a subject is erased or not, never perhaps.
    """
    tag = subject_tag(key, subject)
    erased = 0
    for segment in segments(directory):
        try:
            with segment.path.open("r+b") as file:
                erased += _erase_from(file.fileno(), tag)
        except FileNotFoundError:
            continue  # scored and deleted meanwhile
        except OSError as error:
            raise StoreError(f"{segment.path}: cannot be erased from: {error.strerror}") from error
    return erased


def _erase_from(descriptor: int, tag: int) -> int:
    theirs = [(at, header) for at, header in _headers(descriptor) if header.subject == tag]
    for offset, header in theirs:
        _overwrite(descriptor, offset, header)
    os.fdatasync(descriptor)
    return len(theirs)


def _headers(descriptor: int) -> Iterator[tuple[int, Header]]:
    """Every valid header; behind damage the next one is searched for, as a reader does."""
    offset = 0
    while len(data := os.pread(descriptor, HEADER_BYTES, offset)) == HEADER_BYTES:
        if header := unpack_header(data):
            yield offset, header
            offset += HEADER_BYTES + header.length
        else:
            offset += 1 + _to_magic(os.pread(descriptor, _BLOCK, offset + 1))


def _to_magic(data: bytes) -> int:
    """Bytes until a frame may begin; without a hit one is kept, for the magic may straddle two blocks."""
    found = data.find(MAGIC)
    return found if found >= 0 else max(len(data) - 1, 0)


def _overwrite(descriptor: int, offset: int, header: Header) -> None:
    os.pwrite(descriptor, bytes(header.length), offset + HEADER_BYTES)
    os.pwrite(descriptor, pack_header(header._replace(kind=ERASED, subject=0)), offset)
