"""The observer fed with anything: it never raises, and every sampled request has exactly one end.

An input is a sequence of reads: one byte with the direction (low bit) and a length in its upper
bits (0: up to the next read's worth of 255), then that many bytes. The last byte says how the
connection ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from collectors.admission import Admission
from collectors.counters import DROPPED, Board
from collectors.observer import Observer
from collectors.rewriting import with_host
from collectors.settings import Boost, Settings
from collectors.wire import capture_of
from tests.fuzz.sink import Sink

COVERS: Final = ("collectors.observer", "collectors.rewriting")
ENDS: Final = ("client_left", "upstream_reset", "upstream_closed", "shutdown")
SETTINGS: Final = Settings(
    upstream=("a", 1),
    spool="",
    fraction=1.0,
    boosts=(Boost(0.5, header="x-b"),),
    max_body_bytes=300,
    max_queue_bytes=2000,
)
_POST: Final = b"POST /v1/completions HTTP/1.1\r\nHost: a\r\n"


def _read(direction: int, data: bytes) -> bytes:
    pieces = [data[i : i + 127] for i in range(0, len(data), 127)]
    return b"".join(bytes([len(piece) << 1 | direction]) + piece for piece in pieces)


def _turn(ask: bytes, reply: bytes) -> bytes:
    return _read(0, ask) + _read(1, reply)


_CHUNKED: Final = b"Transfer-Encoding: chunked\r\n\r\n"
_OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SEEDS: Final = (
    _turn(_POST + b"Content-Length: 2\r\nX-Request-Id: 7\r\n\r\n{}", _OK) * 2,
    _turn(
        _POST + _CHUNKED + b"2\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + _CHUNKED + b"2\r\nab\r\n0\r\nA: b\r\n\r\n",
    ),
    _turn(_POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n")
    + _turn(b"{}", _OK),
    _turn(b"HEAD / HTTP/1.1\r\n\r\n", b"HTTP/1.1 103 E\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
    _turn(
        b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: w\r\n\r\n",
        b"HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: w\r\n\r\n",
    ),
    _turn(_POST + b"Connection: upgrade\r\nUpgrade: w\r\nX-B: 1\r\n\r\n", _OK),
    _turn(b"CONNECT a:1 HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n") + _read(0, b"x"),
    _turn(_POST + b"Content-Length: 2\r\n\r\n{}", b"HTTP/1.1 200 OK\r\n\r\nuntil the end") + b"\x02",
    _turn(_POST + b"Content-Length: 400\r\n\r\n" + b"x" * 400, _OK),
    _read(0, _POST + b"\r\n" + _POST + b"\r\n"),
    _read(0, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    _read(1, _OK),
    _turn(
        _POST
        + b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nContent-Length: 1\r\n\r\nx",
        _OK + _OK,
    ),
    _read(0, _POST + b"X: " + b"y" * 66_000),
)


def _reads(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        length = data[at] >> 1 or 255
        yield data[at] & 1, data[at + 1 : at + 1 + length]
        at += 1 + length


def run(data: bytes) -> None:
    """Raises where the books do not balance, or whatever the observer raises."""
    board, sink = Board(1, 1.0), Sink()
    admission = Admission(SETTINGS, board, 0, sink, lambda: 0.0)
    observer = Observer(admission)
    for now, (direction, read) in enumerate(_reads(data)):
        if not observer.following:
            break
        if direction:
            observer.response(read, now)
        else:
            if not observer.in_request and b"\r\n\r\n" in read:
                with_host(read, b"upstream")
            observer.request(read, now)
    if observer.following:
        observer.closed(ENDS[data[-1] % len(ENDS)] if data else ENDS[0], 1 << 40)
    _check(board, admission, sink)


def _check(board: Board, admission: Admission, sink: Sink) -> None:
    dropped = sum(board.total(f"dropped:{reason}") for reason in DROPPED)
    if board.total("sampled") != dropped + len(sink.items):
        raise AssertionError(f"{board.total('sampled')} sampled, {dropped} dropped, {len(sink.items)} kept")
    if admission.in_flight or admission.observing:
        raise AssertionError("an ended connection still counts as in flight")
    if admission.held != sum(item.size for item in sink.items):
        raise AssertionError("memory is not accounted for")
    for item in sink.items:
        capture = capture_of(item, "w0-a")
        if sum(length for _, length in capture.marks) != len(capture.response_body):
            raise AssertionError("marks do not cover the body")
