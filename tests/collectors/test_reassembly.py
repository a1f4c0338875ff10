"""Segments in any order, twice, torn or missing become the bytes that were sent, or an end that is counted."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from collectors.reassembly import MAX_HOLE_BYTES, MAX_HOLE_NS, Connections, segment_of

PORT = 8000
SYN, ACK, FIN, RST = 2, 16, 1, 4
CLIENT, SERVER = (b"\x7f\0\0\1", 40_000), (b"\x7f\0\0\2", PORT)
START = 0xFFFFFFF0  # wraps around within the first request
ASK = b"POST /v1/completions HTTP/1.1\r\nHost: a\r\n\r\n"


@dataclass
class Seen:
    """A follower that keeps what it is given."""

    following: bool = True
    asked: bytearray = field(default_factory=bytearray)
    answered: bytearray = field(default_factory=bytearray)
    end: str = ""

    def request(self, data: bytes, now: int) -> bool:
        del now
        self.asked += data
        return True

    def response(self, data: bytes, now: int) -> None:
        del now
        self.answered += data

    def closed(self, outcome: str, now: int) -> None:
        del now
        self.following, self.end = False, outcome

    def stop(self, reason: str) -> None:
        self.following, self.end = False, reason


def packet(
    data: bytes = b"", *, seq: int = 0, ack: int = 0, flags: int = ACK, back: bool = False, six: bool = False
) -> bytes:
    """An IP packet from the client, or from the server (`back`)."""
    (source, sport), (target, dport) = (SERVER, CLIENT) if back else (CLIENT, SERVER)
    tcp = struct.pack(">HHIIBBHHH", sport, dport, seq % 2**32, ack % 2**32, 5 << 4, flags, 0, 0, 0) + data
    if six:
        return (
            struct.pack(">IHBB", 6 << 28, len(tcp), 6, 64)
            + source.rjust(16, b"\0")
            + target.rjust(16, b"\0")
            + tcp
        )
    return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0) + source + target + tcp


class Bench:
    def __init__(self, limit: int = 100) -> None:
        self.seen: list[Seen] = []
        self.connections = Connections(PORT, self._follow, limit)

    def _follow(self) -> Seen:
        self.seen.append(Seen())
        return self.seen[-1]

    def send(self, *packets: bytes, now: int = 0) -> Seen:
        for each in packets:
            self.connections.packet(each, now)
        return self.seen[-1]


@pytest.mark.parametrize("six", [False, True])
def test_a_connection_from_its_first_packet(six: bool) -> None:
    seen = Bench().send(
        packet(seq=START, flags=SYN, six=six),
        packet(seq=500, flags=SYN | ACK, back=True, six=six),
        packet(ASK, seq=START + 1, six=six),
        packet(b"HTTP/1.1 200 OK\r\n", seq=501, back=True, six=six),
        packet(seq=518, flags=FIN | ACK, back=True, six=six),
    )
    assert (bytes(seen.asked), bytes(seen.answered), seen.end) == (
        ASK,
        b"HTTP/1.1 200 OK\r\n",
        "upstream_closed",
    )


def test_a_connection_that_was_there_before_is_joined_at_its_next_request() -> None:
    bench = Bench()
    bench.connections.packet(packet(b"rest of a body", seq=10, ack=900), 0)
    assert bench.seen == []
    seen = bench.send(packet(ASK, seq=24, ack=950), packet(b"HTTP", seq=950, back=True))
    assert (bytes(seen.asked), bytes(seen.answered)) == (ASK, b"HTTP")


def test_any_order_and_any_repetition_gives_the_bytes_that_were_sent() -> None:
    rng = random.Random(7)
    data = rng.randbytes(20_000)
    for _ in range(50):
        bench = Bench()
        bench.send(packet(seq=START, flags=SYN))
        cuts = sorted({0, len(data), *(rng.randrange(len(data)) for _ in range(40))})
        pieces = list(pairwise(cuts))
        pieces += [(max(0, a - rng.randrange(900)), b) for a, b in rng.sample(pieces, 15)]
        rng.shuffle(pieces)
        seen = bench.send(*(packet(data[a:b], seq=START + 1 + a) for a, b in pieces))
        assert bytes(seen.asked) == data


def test_a_hole_ends_the_observation_and_the_next_request_starts_it_again() -> None:
    bench = Bench()
    first = bench.send(packet(seq=0, flags=SYN), packet(ASK, seq=1), packet(b"x" * 100, seq=500))
    assert first.following
    bench.connections.expire(MAX_HOLE_NS + 1)
    assert first.end == "packets_lost"
    assert bytes(bench.send(packet(ASK, seq=600)).asked) == ASK


def test_a_hole_holds_a_bounded_number_of_bytes() -> None:
    bench = Bench()
    seen = bench.send(packet(seq=0, flags=SYN))
    for at in range(2, MAX_HOLE_BYTES + 2_000_000, 60_000):
        bench.connections.packet(packet(b"x" * 60_000, seq=at), 0)
    assert (seen.end, len(seen.asked)) == ("packets_lost", 0)


def test_a_reset_is_told_by_who_sent_it() -> None:
    opening = (packet(seq=0, flags=SYN), packet(ASK, seq=1))
    assert Bench().send(*opening, packet(seq=44, flags=RST)).end == "client_left"
    assert Bench().send(*opening, packet(seq=9, flags=RST, back=True)).end == "upstream_reset"


def test_the_oldest_of_too_many_connections_goes() -> None:
    bench = Bench(limit=1)
    bench.send(packet(ASK, seq=1))
    other = bytearray(packet(ASK, seq=1))
    other[20:22] = (40_001).to_bytes(2, "big")
    bench.send(bytes(other))
    assert [seen.end for seen in bench.seen] == ["packets_lost", ""]
    assert len(bench.connections) == 1


@pytest.mark.parametrize("cut", [0, 3, 19, 30, 39])
def test_a_torn_packet_is_nothing(cut: int) -> None:
    assert segment_of(packet(b"data")[:cut]) is None
