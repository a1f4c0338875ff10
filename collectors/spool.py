"""The durable local hand-over, writing side: bounded queue, one thread, append-only segments.

One stream of segments `<stream>-<number>.seg` per worker incarnation, in one directory for all
workers. The loop appends to a deque (encoded, where they come fast); sealing, writing and syncing happen here.
Measured for this shape: 1.5 us in the loop per exchange, against 30 us for a pipe and up to 83 ms
for a sync in the loop. Losing the disk never raises: what cannot be written is dropped and counted.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import os
import re
import secrets
import threading
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import accumulate
from pathlib import Path
from typing import Generic, NamedTuple, Protocol, TypeVar

from collectors.wire import Counters, Exchange, Record, Seal, subject_tag
from monitor.errors import ConfigError, ForeignSpool, StoreError

KEY_BYTES = 32
STORE_ID = "store.id"
_SEGMENT = re.compile(r"(?P<stream>w\d+-[0-9a-f]+)-(?P<number>\d{6,})\.seg")
_POLL_SECONDS = 0.05  # a killed worker loses at most what came since the last write
_COUNTERS_SECONDS = 0.1
_RETRY_SECONDS = 1.0
_HOUSEKEEPING_SECONDS = 1.0
_BATCH_BYTES = 1 << 20
_FULL_RESERVE = 1 << 16  # counters are still written when there is no room for exchanges


class Segment(NamedTuple):
    """One file of a stream; orders by stream, then number."""

    stream: str
    number: int
    path: Path


def segment_path(directory: Path, stream: str, number: int) -> Path:
    """Where a segment lies."""
    return directory / f"{stream}-{number:06d}.seg"


def segments(directory: Path) -> list[Segment]:
    """All segments, ordered; nothing where the directory is missing."""
    try:
        names = [path.name for path in directory.iterdir()]
    except OSError:
        return []
    matches = (_SEGMENT.fullmatch(name) for name in names)
    return sorted(Segment(m["stream"], int(m["number"]), directory / m[0]) for m in matches if m)


def new_stream(worker: int) -> str:
    """A name that was never used: start time (sortable) and 64 random bits."""
    return f"w{worker}-{time.time_ns() // 1_000_000:012x}{secrets.token_hex(8)}"


def load_key(directory: Path, key_env: str | None = None) -> bytes:
    """The sealing key: base64 in the environment variable, else `tailgate.key` beside the spool.

    The file is created with mode 0600. Raises ConfigError (bad value), StoreError (cannot be read).
    """
    if key_env is not None:
        return _decode_key(os.environ.get(key_env, ""), f"privacy.key_env: the variable {key_env}")
    path = directory.parent / "tailgate.key"
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        _create_key(path)
        return _decode_key(path.read_text("ascii"), f"the key file {path}")
    except OSError as error:
        raise StoreError(f"{path}: cannot be read or created: {error.strerror}") from error


def _create_key(path: Path) -> None:
    """Complete at once under its name: a sidecar and a monitor may start together."""
    if path.exists():
        return
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
        os.fsync(descriptor)
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        os.close(descriptor)
        draft.unlink()


def _decode_key(text: str, what: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigError(f"{what} must hold {KEY_BYTES} random bytes in base64")
    return key


def bind(directory: Path, store_id: str) -> None:
    """Bind the spool to a store, or raise ForeignSpool where it is bound to another one."""
    path = directory / STORE_ID
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with suppress(FileExistsError), path.open("x", encoding="ascii") as file:
            file.write(store_id + "\n")
        found = path.read_text("ascii").strip()
    except OSError as error:
        raise StoreError(f"{path}: cannot be read or created: {error.strerror}") from error
    if found != store_id:
        raise ForeignSpool(
            f"{directory} belongs to the store {found}, not to {store_id}: "
            f"set spool.directory, or delete the directory if its exchanges are not wanted"
        )


class Sealable(Protocol):
    """What the loop hands over: `size` bytes of memory, turned into a record in the thread."""

    @property
    def size(self) -> int: ...


Item = TypeVar("Item", bound=Sealable)


class Limits(NamedTuple):
    """Bounds of the spool; bytes and seconds."""

    max_bytes: int
    max_age_seconds: float
    sync_seconds: float

    @property
    def segment_bytes(self) -> int:
        """Small enough that deleting scored segments frees space early."""
        return max(1 << 16, min(64 << 20, self.max_bytes // 16))

    @property
    def rotate_seconds(self) -> float:
        """Segments are deleted whole: the youngest record may overstay by this much."""
        return max(0.25, min(60.0, self.max_age_seconds / 8))


class Writer(Generic[Item]):
    """One worker's stream. The loop appends to `queue` within its bounds, everything else runs in the thread.

    `render(item, number)` makes the record and names its data subject; `account(final)` makes the
    counters record; `lost(reason, count)` and `wrote(count)` count. They are called in the thread.
    """

    def __init__(
        self,
        directory: Path,
        stream: str,
        key: bytes,
        limits: Limits,
        *,
        render: Callable[[Item, int], tuple[Record | Exchange | bytes, str | None]],
        account: Callable[[bool], Counters],
        lost: Callable[[str, int], None],
        wrote: Callable[[int], None],
        inherited: Sequence[Counters] = (),
    ) -> None:
        self.queue: deque[Item] = deque()
        self.released = 0  # bytes of items that left the queue; the loop subtracts it from what it took
        self.used = 0  # bytes of all segments in the directory, as last seen
        self._directory, self._stream, self._limits, self._key = directory, stream, limits, key
        self._seal = Seal(key, stream)
        self._render, self._account, self._lost, self._wrote = render, account, lost, wrote
        self._inherited = list(inherited)
        self._file = _SegmentFile(directory, stream, limits)
        self._sequence = 0
        self._number = 0
        self._last_account: Counters | None = None
        self._due = {"counters": 0.0, "retry": 0.0, "housekeeping": 0.0}
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)
        self._syncer = threading.Thread(target=self._sync, name="spool-sync", daemon=True)

    def start(self) -> None:
        """Start the threads; call after fork."""
        self._thread.start()
        self._syncer.start()

    def wake(self) -> None:
        """Do not sleep until the next turn: much is waiting."""
        self._wake.set()

    def close(self, timeout: float = 5.0) -> None:
        """Write what is queued and the final account; wait at most `timeout` seconds."""
        self._stop.set()
        self._wake.set()
        self._thread.join(timeout)
        self._syncer.join(timeout)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.wait(_POLL_SECONDS)
            self._wake.clear()
            self._turn()
        self._turn(final=True)

    def _turn(self, *, final: bool = False) -> None:
        now = time.monotonic()
        if now >= self._due["housekeeping"]:
            self._due["housekeeping"] = now + _HOUSEKEEPING_SECONDS
            self._housekeep()
        while self.queue:
            self._write_batch()
        if final or now >= self._due["counters"]:
            self._due["counters"] = now + _COUNTERS_SECONDS
            self._write_counters(final=final)

    def _write_batch(self) -> None:
        frames: list[bytes] = []
        size = 0
        while self.queue and size < _BATCH_BYTES:
            item = self.queue.popleft()
            size += item.size
            try:
                frames.append(self._frame(*self._render(item, self._number + len(frames) + 1)))
            except Exception:  # noqa: BLE001  one unforeseen exchange must not end the hand-over
                self._lost("observer_error", 1)
        written, reason = self._append(frames, self._limits.max_bytes)
        self.released += size
        self._sequence -= len(frames) - written
        self._number += written
        self._wrote(written)
        if written < len(frames):
            self._lost(reason, len(frames) - written)

    def _write_counters(self, *, final: bool) -> None:
        account = self._account(final)
        changed = self._last_account is None or _counts(account) != _counts(self._last_account)
        records = [*self._inherited, *([account] if changed or final else [])]
        if not records:
            return
        frames = [self._frame(record) for record in records]
        written, _ = self._append(frames, self._limits.max_bytes + _FULL_RESERVE)
        self._sequence -= len(frames) - written
        if written == len(frames):
            self._inherited.clear()
            self._last_account = account

    def _frame(self, record: Record | Exchange | bytes, subject: str | None = None) -> bytes:
        frame = self._seal.frame(record, self._sequence, subject_tag(self._key, subject) if subject else 0)
        self._sequence += 1
        return frame

    def _append(self, frames: list[bytes], bound: int) -> tuple[int, str]:
        """Write the frames that fit, whole; how many, and why not the rest (the newest)."""
        room = bound - self.used
        fitting = bisect_right(list(accumulate(map(len, frames))), room)
        now = time.monotonic()
        if now < self._due["retry"]:
            return 0, "spool_error"
        if not fitting:
            return 0, "spool_full"
        data = b"".join(frames[:fitting])
        try:
            self._file.append(data)
        except OSError:
            self._due["retry"] = now + _RETRY_SECONDS
            return 0, "spool_error"
        self.used += len(data)
        return fitting, "spool_full"

    def _housekeep(self) -> None:
        with suppress(OSError):
            self._file.rotate_if_old()
        expired = time.time() - self._limits.max_age_seconds + self._limits.rotate_seconds
        used = 0
        for segment in segments(self._directory):
            with suppress(OSError):
                status = segment.path.stat()
                if status.st_mtime < expired and segment.path != self._file.path:
                    segment.path.unlink()
                else:
                    used += status.st_size
        self.used = used

    def _sync(self) -> None:
        # Apart from the writer: a slow disk delays durability, never the hand-over.
        while not self._stop.wait(self._limits.sync_seconds):
            self._file.sync()
        self._thread.join()
        self._file.sync(final=True)


def _counts(account: Counters) -> tuple[object, ...]:
    return (
        account.not_sampled,
        account.sampled,
        account.written,
        account.excluded,
        account.dropped,
        account.unobserved,
    )


class _SegmentFile:
    """The open segment of a stream: append whole frames, rotate by size and age, sync apart.

    While the writer lives it holds a lock on its newest segment, which is how a reader tells an
    idle stream from a finished one.
    """

    def __init__(self, directory: Path, stream: str, limits: Limits) -> None:
        self.path: Path | None = None
        self._directory, self._stream, self._limits = directory, stream, limits
        self._number = 0
        self._descriptor = -1
        self._size = 0
        self._opened = 0.0
        self._old: deque[int] = deque()
        self._dirty = False

    def append(self, data: bytes) -> None:
        """All of `data` or, after OSError, none of it."""
        if self._descriptor < 0 or self._size >= self._limits.segment_bytes or self._is_deleted():
            self._open()
        try:
            written = 0
            while written < len(data):
                written += os.write(self._descriptor, data[written:] if written else data)
        except OSError:
            self._undo()
            raise
        self._size += len(data)
        self._dirty = True

    def rotate_if_old(self) -> None:
        """Close a segment that holds something and is old enough to be released."""
        if self._size and time.monotonic() - self._opened >= self._limits.rotate_seconds:
            self._open()

    def sync(self, *, final: bool = False) -> None:
        """fdatasync what was written; closes rotated segments. Called by the sync thread alone."""
        dirty, self._dirty = self._dirty, False
        if final and self._descriptor >= 0:
            self._old.append(self._descriptor)
            self._descriptor = -1
        elif dirty and self._descriptor >= 0:
            with suppress(OSError):
                os.fdatasync(self._descriptor)
        while self._old:
            descriptor = self._old.popleft()
            with suppress(OSError):
                os.fdatasync(descriptor)
            os.close(descriptor)

    def _is_deleted(self) -> bool:
        # Writing into a deleted file succeeds and loses everything.
        return os.fstat(self._descriptor).st_nlink == 0

    def _undo(self) -> None:
        """After a partial write (disk full) cut back, else leave the torn frame behind."""
        try:
            os.ftruncate(self._descriptor, self._size)
        except OSError:
            self._retire()

    def _retire(self) -> None:
        if self._descriptor >= 0:
            self._old.append(self._descriptor)
            self._descriptor = -1

    def _open(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._number += 1
        path = segment_path(self._directory, self._stream, self._number)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
        with suppress(OSError):  # a file system without locks: readers wait longer before deleting
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        self._retire()
        self._descriptor, self._size, self._opened = descriptor, 0, time.monotonic()
        self.path = path
