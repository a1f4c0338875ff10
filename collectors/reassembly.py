"""TCP segments back into the two byte streams that an observer follows. Pure and bounded.

For a passive tap, which sees copies of packets and may miss some: a hole that nobody fills ends the
observation of that connection, counted `packets_lost`; the next request that is seen whole starts it
again. Sequence numbers are modulo 2^32 (RFC 9293 3.4).
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

MAX_HOLE_BYTES = 1 << 20
MAX_HOLE_NS = 1_000_000_000
MAX_CONNECTIONS = 16_384
IDLE_NS = 600 * 1_000_000_000
_FIN, _SYN, _RST = 1, 2, 4
_UNKNOWN = -1  # where a direction begins that was not seen from its start
_TCP = 6
_METHODS = (b"POST ", b"GET ", b"PUT ", b"HEAD ", b"DELETE ", b"OPTIONS ", b"PATCH ")
_PORTS = struct.Struct(">HHIIBB")


class Follower(Protocol):
    """What takes the bytes of one connection (an Observer)."""

    following: bool

    def request(self, data: bytes, now: int) -> bool: ...
    def response(self, data: bytes, now: int) -> None: ...
    def closed(self, outcome: str, now: int) -> None: ...
    def stop(self, reason: str) -> None: ...


class Segment(NamedTuple):
    """One TCP segment of an IP packet."""

    source: tuple[bytes, int]
    target: tuple[bytes, int]
    sequence: int
    acknowledged: int
    flags: int
    data: bytes


def segment_of(packet: bytes) -> Segment | None:
    """The TCP segment of an IPv4 or IPv6 packet; None for anything else, fragments and torn packets."""
    version = packet[0] >> 4 if packet else 0
    if version == 4 and len(packet) >= 20:
        start, end = 4 * (packet[0] & 15), int.from_bytes(packet[2:4], "big")
        fragment = int.from_bytes(packet[6:8], "big") & 0x3FFF  # more fragments, or an offset
        source, target, protocol = packet[12:16], packet[16:20], packet[9]
    elif version == 6 and len(packet) >= 40:
        start, end, fragment = 40, 40 + int.from_bytes(packet[4:6], "big"), 0
        source, target, protocol = packet[8:24], packet[24:40], packet[6]
    else:
        return None
    if protocol != _TCP or fragment or start < 20 or len(packet) < start + 20 or end > len(packet):
        return None
    sport, dport, sequence, acknowledged, offset, flags = _PORTS.unpack_from(packet, start)
    begin = start + 4 * (offset >> 4)
    if begin < start + 20 or begin > end:
        return None
    return Segment((source, sport), (target, dport), sequence, acknowledged, flags, packet[begin:end])


@dataclass(slots=True)
class Half:
    """One direction: what comes next, and what came too early."""

    expected: int = _UNKNOWN
    early: dict[int, bytes] = field(default_factory=dict)
    early_bytes: int = 0
    early_since: int = 0
    ends_at: int | None = None

    def take(self, sequence: int, data: bytes, now: int) -> bytes:
        """The bytes that are now in order."""
        if self.expected == _UNKNOWN:
            self.expected = sequence
        ahead = _distance(sequence, self.expected)
        if ahead > 0:
            self._keep(sequence, data, now)
            return b""
        found = [data[-ahead:] if ahead else data]
        self.expected = (self.expected + len(found[0])) & 0xFFFFFFFF
        while self.early and (more := self._follows()):
            found.append(more)
            self.expected = (self.expected + len(more)) & 0xFFFFFFFF
        return b"".join(found)

    def _keep(self, sequence: int, data: bytes, now: int) -> None:
        if not self.early:
            self.early_since = now
        known = self.early.get(sequence, b"")
        if len(data) > len(known):
            self.early[sequence] = data
            self.early_bytes += len(data) - len(known)

    def _follows(self) -> bytes:
        """The unseen part of an early segment that the expected byte lies in; others behind it go."""
        for sequence in sorted(self.early, key=lambda s: _distance(s, self.expected)):
            ahead = _distance(sequence, self.expected)
            if ahead > 0:
                return b""
            data = self.early.pop(sequence)
            self.early_bytes -= len(data)
            if len(data) > -ahead:
                return data[-ahead:] if ahead else data
        return b""

    def lost(self, now: int) -> bool:
        """Whether a hole has been open for too long, in bytes or in time."""
        return self.early_bytes > MAX_HOLE_BYTES or (
            bool(self.early) and now - self.early_since > MAX_HOLE_NS
        )

    @property
    def ended(self) -> bool:
        """Whether everything up to the FIN has come."""
        return self.ends_at is not None and self.ends_at == self.expected


@dataclass(slots=True)
class _Connection:
    follower: Follower
    asked: Half
    answered: Half
    seen: int


Key = tuple[tuple[bytes, int], tuple[bytes, int]]


class Connections:
    """All connections to one port; the least recently used one goes where there are too many."""

    def __init__(self, port: int, follow: Callable[[], Follower], limit: int = MAX_CONNECTIONS) -> None:
        self._port, self._follow, self._limit = port, follow, limit
        self._known: OrderedDict[Key, _Connection] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def packet(self, packet: bytes, now: int) -> None:
        """One IP packet; `now` in nanoseconds."""
        segment = segment_of(packet)
        if segment is None:
            return
        if segment.target[1] == self._port:
            self._asked(segment, (segment.source, segment.target), now)
        elif segment.source[1] == self._port:
            self._answered(segment, (segment.target, segment.source), now)

    def expire(self, now: int) -> None:
        """Give up on connections that have been silent for long, and on old holes."""
        for key, connection in list(self._known.items()):
            if connection.asked.lost(now) or connection.answered.lost(now):
                self._lose(key)
            elif now - connection.seen > IDLE_NS:
                self._close(key, "client_left", now)

    def close(self, now: int) -> None:
        """Nothing more will come."""
        for key in list(self._known):
            self._close(key, "shutdown", now)

    def _asked(self, segment: Segment, key: Key, now: int) -> None:
        connection = self._opened(segment, key, now)
        if connection is None:
            return
        if segment.flags & _RST:
            self._close(key, "client_left", now)
            return
        data = self._advance(connection.asked, segment, now)
        if data:
            connection.follower.request(data, now)
        self._after(key, connection, connection.asked, "client_left", now)

    def _answered(self, segment: Segment, key: Key, now: int) -> None:
        connection = self._known.get(key)
        if connection is None:
            return
        connection.seen = now
        self._known.move_to_end(key)
        if segment.flags & _RST:
            self._close(key, "upstream_reset", now)
            return
        if segment.flags & _SYN:
            connection.answered.expected = (segment.sequence + 1) & 0xFFFFFFFF
        data = self._advance(connection.answered, segment, now)
        if data:
            connection.follower.response(data, now)
        self._after(key, connection, connection.answered, "upstream_closed", now)

    def _opened(self, segment: Segment, key: Key, now: int) -> _Connection | None:
        """The connection, new at its SYN or where a request begins; None in the middle of something."""
        connection = self._known.get(key)
        if segment.flags & _SYN:
            if connection is not None and connection.asked.expected == (segment.sequence + 1) & 0xFFFFFFFF:
                return connection  # sent again
            self._close(key, "client_left", now)
            return self._new(key, Half((segment.sequence + 1) & 0xFFFFFFFF), Half(), now)
        if connection is None:
            if not segment.data.startswith(_METHODS):
                return None
            return self._new(key, Half(segment.sequence), Half(segment.acknowledged), now)
        connection.seen = now
        self._known.move_to_end(key)
        return connection

    def _new(self, key: Key, asked: Half, answered: Half, now: int) -> _Connection:
        while len(self._known) >= self._limit:
            self._lose(next(iter(self._known)))
        connection = _Connection(self._follow(), asked, answered, now)
        self._known[key] = connection
        return connection

    @staticmethod
    def _advance(half: Half, segment: Segment, now: int) -> bytes:
        if segment.flags & _FIN:
            half.ends_at = (segment.sequence + len(segment.data)) & 0xFFFFFFFF
        return half.take(segment.sequence, segment.data, now) if segment.data else b""

    def _after(self, key: Key, connection: _Connection, half: Half, end: str, now: int) -> None:
        if half.lost(now):
            self._lose(key)
        elif not connection.follower.following:
            self._known.pop(key, None)
        elif half.ended:
            self._close(key, end, now)

    def _lose(self, key: Key) -> None:
        connection = self._known.pop(key)
        if connection.follower.following:
            connection.follower.stop("packets_lost")

    def _close(self, key: Key, outcome: str, now: int) -> None:
        connection = self._known.pop(key, None)
        if connection is not None and connection.follower.following:
            connection.follower.closed(outcome, now)


def _distance(sequence: int, expected: int) -> int:
    """How far ahead of `expected`, negative behind it."""
    return ((sequence - expected + 0x80000000) & 0xFFFFFFFF) - 0x80000000
