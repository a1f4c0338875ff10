"""Envoy's tap files (`file_per_tap`, JSON, buffered) as exchanges: one file, one request with its answer.

For sites that run the tap filter already. It knows no arrival times within a stream, and cuts bodies
at `max_buffered_*_bytes` (1 KiB unless raised): a cut body is counted `cut_off`. Files hold text that
users wrote, so each is deleted once it is handed over. Configuration: deploy/envoy/tap.yaml.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path

import msgspec

from collectors.intake import Intake, Told
from monitor.errors import BadInput, StoreError

_POLL_SECONDS = 0.5
_WRITING_SECONDS = 2.0  # a younger file that is no JSON may still be written
_FILES_A_TURN = 256


class _Header(msgspec.Struct):
    key: str
    value: str = ""
    raw_value: bytes = b""


class _Body(msgspec.Struct):
    truncated: bool = False
    as_bytes: bytes = b""
    as_string: str = ""

    @property
    def data(self) -> bytes:
        return self.as_bytes or self.as_string.encode()


class _Message(msgspec.Struct):
    headers: list[_Header] = []
    body: _Body = msgspec.field(default_factory=_Body)
    headers_received_time: datetime | None = None

    def fields(self) -> dict[str, str]:
        return {h.key.lower(): h.value or h.raw_value.decode("latin-1") for h in self.headers}


class _Trace(msgspec.Struct):
    request: _Message
    response: _Message = msgspec.field(default_factory=_Message)


class _Wrapper(msgspec.Struct):
    http_buffered_trace: _Trace


_DECODER = msgspec.json.Decoder(_Wrapper)


def told(data: bytes, modified: float) -> Told | None:
    """The exchange of one file; None for other methods. BadInput `unreadable` or `cut_off`.

    `modified` (UNIX seconds) stands in where the tap does not record times.
    """
    try:
        trace = _DECODER.decode(data).http_buffered_trace
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BadInput("unreadable", str(error)) from error
    request, response = trace.request.fields(), trace.response.fields()
    if request.get(":method") != "POST":
        return None
    if trace.request.body.truncated or trace.response.body.truncated or not response.get(":status"):
        raise BadInput("cut_off", "raise max_buffered_rx_bytes and max_buffered_tx_bytes of the tap")
    at = trace.request.headers_received_time
    status = response[":status"]
    return Told(
        collector="envoy_tap",
        path=request.get(":path", "/"),
        headers={name: value for name, value in request.items() if not name.startswith(":")},
        request=trace.request.body.data,
        response=trace.response.body.data,
        response_headers={name: value for name, value in response.items() if not name.startswith(":")},
        received_at=at.timestamp() if at else modified,
        status=int(status) if status.isdecimal() else 0,
    )


class Directory:
    """Takes files out of a directory; `turn` handles what is there."""

    def __init__(self, directory: Path, intake: Intake, max_bytes: int) -> None:
        self._directory, self._intake, self._max_bytes = directory, intake, max_bytes

    def turn(self, now: float) -> int:
        """How many files were taken away."""
        found = sorted(self._directory.glob("*.json"))[:_FILES_A_TURN]
        return sum(self._take(path, now) for path in found)

    def _take(self, path: Path, now: float) -> bool:
        try:
            status = path.stat()
            data = path.read_bytes() if status.st_size <= self._max_bytes else b""
            exchange = told(data, status.st_mtime)
        except OSError:
            return False
        except BadInput as reason:
            if reason.reason == "unreadable" and now - status.st_mtime < _WRITING_SECONDS:
                return False
            self._intake.refuse("too_large" if status.st_size > self._max_bytes else reason.reason)
        else:
            if exchange is None:
                self._intake.exclude("not_an_exchange")
            else:
                self._intake.take(exchange)
        with suppress(OSError):
            path.unlink()
        return True


def _made(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreError(f"collect.taps.directory: {directory}: {error.strerror}") from error


@asynccontextmanager
async def tap_files(intake: Intake, directory: Path, max_body_bytes: int) -> AsyncIterator[str]:
    """Follows a directory; yields its path."""
    _made(directory)
    # Two bodies in base64, and their heads.
    files = Directory(directory, intake, 3 * max_body_bytes + (1 << 20))

    async def follow() -> None:
        while True:
            if not files.turn(time.time()):
                await asyncio.sleep(_POLL_SECONDS)
            await asyncio.sleep(0)

    task = asyncio.create_task(follow())
    try:
        yield str(directory)
    finally:
        task.cancel()
