"""Packets of anything into real observers: never an exception, never more memory than allowed.

An input is packets, each one byte of length in front; a length of 0 lets a second pass.
"""

from __future__ import annotations

from typing import Final

from collectors.admission import Admission
from collectors.counters import DROPPED, Board
from collectors.observer import Observer
from collectors.reassembly import MAX_HOLE_BYTES, Connections
from collectors.settings import Settings
from tests.collectors.test_reassembly import ACK, ASK, FIN, PORT, RST, START, SYN, packet
from tests.fuzz.sink import Sink

COVERS: Final = ("collectors.reassembly",)
SETTINGS: Final = Settings(
    upstream=("a", 1), spool="", fraction=1.0, max_body_bytes=300, max_queue_bytes=2000
)
_OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def _packets(*packets: bytes) -> bytes:
    return b"".join(bytes([len(each)]) + each for each in packets)


_OPEN: Final = (packet(seq=START, flags=SYN), packet(seq=500, flags=SYN | ACK, back=True))
SEEDS: Final = (
    _packets(*_OPEN, packet(ASK, seq=START + 1), packet(_OK, seq=501, back=True), packet(seq=542, flags=FIN, back=True)),
    _packets(*_OPEN, packet(ASK[20:], seq=START + 21), packet(ASK[:25], seq=START + 1), packet(seq=START + 44, flags=FIN)),
    _packets(packet(ASK, seq=1, ack=9), packet(_OK, seq=9, back=True), packet(seq=44, flags=RST)),
    _packets(packet(ASK, seq=1, ack=9, six=True), packet(_OK, seq=9, back=True, six=True), packet(flags=RST, back=True, six=True)),
    _packets(*_OPEN, packet(b"late", seq=START + 100)) + b"\0\0" + _packets(packet(seq=START, flags=SYN), packet(seq=START, flags=SYN)),
    _packets(packet(b"rest", seq=5), packet(ASK, seq=9), packet(ASK, seq=9), packet(b"x", seq=3)),
    _packets(b"E" * 24, b"\x60" + bytes(60), b"\x10", packet(b"x")[:30]),
)  # fmt: skip


def run(data: bytes) -> None:
    """Raises where the books do not balance, or whatever the code under test raises."""
    board, sink = Board(1, 1.0), Sink()
    admission = Admission(SETTINGS, board, 0, sink, lambda: 0.0)
    connections = Connections(PORT, lambda: Observer(admission, "packets"), limit=4)
    at = now = 0
    while at < len(data):
        length = data[at]
        if length:
            connections.packet(data[at + 1 : at + 1 + length], now)
        else:
            now += 600_000_000
            connections.expire(now)
        at += 1 + length
        _check_bounds(connections)
    connections.expire(now + 10**15)
    connections.close(now)
    dropped = sum(board.total(f"dropped:{reason}") for reason in (*DROPPED, "packets_lost"))
    if board.total("sampled") != dropped + len(sink.items) or admission.observing or admission.in_flight:
        raise AssertionError("an exchange has no end")


def _check_bounds(connections: Connections) -> None:
    held = [half for each in connections._known.values() for half in (each.asked, each.answered)]
    if any(half.early_bytes != sum(map(len, half.early.values())) for half in held):
        raise AssertionError("early bytes are not accounted for")
    if len(connections) > 4 or any(half.early_bytes > MAX_HOLE_BYTES + 255 for half in held):
        raise AssertionError("a bound does not hold")
