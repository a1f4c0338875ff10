"""From the spool to the topic of exchanges, in a process of its own that may wait for brokers.

A record leaves the spool when a monitor has committed what came of it, not when a broker has
acknowledged it: brokers lose what they acknowledged, too. Monitors say on the topic `settled` what they
committed. What was sent before something that is settled in the same partition and is not settled itself
is lost and sent again; so is everything once a partition hands out offsets that it handed out before (it
came back empty). Sent twice is scored once: a record is known by its position.

Bounded: at most `WINDOW` records are under way. While no broker answers the spool fills up to its own
bound, and the capture process drops and counts.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from zlib import crc32

from collectors.kafka_records import Codec, Sealer, Shipment
from collectors.kafka_topic import EXCHANGES, Cluster, Message, Producer, Received
from collectors.spool_reader import Entry, Position, Reader
from collectors.wire import Capture, Gap
from monitor.errors import BadInput, Unreachable
from monitor.ranges import Ranges

log = logging.getLogger("tailgate.shipper")

WINDOW = 100_000
BATCH = 256
SHARE = 64
"""Captures of one stream that go to the same partition before the next one has its turn."""
RELEASE_SECONDS = 1.0
LISTEN_SECONDS = 0.25
PATIENCE = 20
LOST_SECONDS = 10.0
PROBE_SECONDS = 15.0
RETRY_SECONDS = (0.5, 1.0, 2.0, 5.0)


class Flight(NamedTuple):
    """A record that was acknowledged by a broker and is not settled."""

    after: Position
    partition: int
    offset: int
    sent_at: float


@dataclass(slots=True)
class _Stream:
    settled: Ranges = field(default_factory=Ranges)
    flying: dict[Position, Flight] = field(default_factory=dict)
    last: Position = field(default_factory=Position)

    @property
    def committed(self) -> Position:
        """Everything up to here is settled. Flights are in no order once some were sent again."""
        return min((self.last, *(flight.after for flight in self.flying.values())))


@dataclass(slots=True)
class Counts:
    """What the shipper did, for its metrics."""

    shipped: int = 0
    resent: int = 0
    settled: int = 0
    unreachable: int = 0
    released: int = 0
    flying: int = 0


class Shipper:
    """`turn` is called for ever. `open_reader` starts at positions; `hear` polls the topic `settled`."""

    def __init__(
        self,
        cluster: Cluster,
        sealer: Sealer,
        *,
        open_reader: Callable[[Mapping[str, Position]], Reader],
        producer: Producer,
        hear: Callable[[], list[Received]],
        prepare: Callable[[], None],
        codec: Codec = "zstd",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counts = Counts()
        self._topic, self._sealer, self._codec = cluster.topic(EXCHANGES), sealer, codec
        self._open_reader, self._producer, self._hear, self._prepare = open_reader, producer, hear, prepare
        self._clock = clock
        self._streams: dict[str, _Stream] = {}
        self._reader: Reader | None = None
        self._partitions = 0
        self._offsets: dict[int, int] = {}  # highest acknowledged per partition
        self._heard: dict[int, int] = {}  # highest settled per partition
        self._failures = 0
        self._progress = clock()
        self._due = {"listen": 0.0, "release": 0.0, "look": 0.0}

    def turn(self) -> float:
        """One round; how many seconds to wait before the next one."""
        try:
            self._connect()
            if self._clock() >= self._due["listen"]:
                self._due["listen"] = self._clock() + LISTEN_SECONDS
                self._listen()
            moved = self._ship()
        except Unreachable as error:
            self.counts.unreachable += 1
            log.warning("%s; the spool keeps what comes", error)
            self._again()
            self._partitions = 0
            self._failures += 1
            return RETRY_SECONDS[min(self._failures, len(RETRY_SECONDS)) - 1]
        self._failures = 0
        self._upkeep()
        return 0.0 if moved else 0.05

    def measures(self) -> dict[str, float]:
        """For the metrics."""
        counts = self.counts
        return {
            "shipped": counts.shipped,
            "resent": counts.resent,
            "settled": counts.settled,
            "unreachable": counts.unreachable,
            "flying": counts.flying,
        }

    def close(self) -> None:
        """Release what is settled; the rest is sent again by the next shipper, and known."""
        if self._reader is not None:
            self._release(self._reader)
            self._reader.close()

    def _connect(self) -> None:
        if not self._partitions:
            self._prepare()
            self._partitions = self._producer.partitions(self._topic)
        if self._reader is None:
            self._listen(PATIENCE if not self._streams else 1)
            for stream in self._streams.values():
                stream.last = stream.committed
            self._reader = self._open_reader({n: s.committed for n, s in self._streams.items()})

    def _listen(self, patience: int = 1) -> None:
        """What monitors have committed meanwhile; a fresh connection takes a few tries to say it."""
        for _ in range(patience):
            if self._hear_all():
                return

    def _hear_all(self) -> bool:
        heard = False
        while messages := self._hear():
            for message in messages:
                heard = True
                if message.key and message.value:
                    self._settle(message.key.decode("ascii", "replace"), message.value)
        return heard

    def _settle(self, name: str, text: bytes) -> None:
        try:
            heard = Ranges.load(text.decode())
        except (ValueError, TypeError):
            log.warning("unreadable record on the topic of what is settled; ignored")
            return
        fresh = name not in self._streams
        stream = self._streams.setdefault(name, _Stream())
        stream.settled = stream.settled.merged(heard)
        if fresh:
            stream.last = Position(*stream.settled.resume())
        for position in [p for p in stream.flying if p in stream.settled]:
            flight = stream.flying.pop(position)
            self._heard[flight.partition] = max(self._heard.get(flight.partition, -1), flight.offset)
            self.counts.settled += 1
            self._progress = self._clock()

    def _ship(self) -> bool:
        assert self._reader is not None  # noqa: S101  set by _connect
        if self._under_way() >= WINDOW:
            return False
        read = {name: stream.last for name, stream in self._streams.items()}
        entries = self._reader.read(BATCH)
        wanted = [(entry, after) for entry in entries if (after := self._passed(entry)) is not None]
        try:
            acknowledged = self._send(wanted)
        except Unreachable:
            for name, stream in self._streams.items():
                stream.last = read.get(name, Position())  # nothing was sent: read it again
            raise
        now = self._clock()
        for (entry, after), (partition, offset) in zip(wanted, acknowledged, strict=True):
            self._streams[entry.stream].flying[_place(entry)] = Flight(after, partition, offset, now)
        self.counts.shipped += len(wanted)
        self._check_offsets(acknowledged)
        return bool(entries)

    def _send(self, wanted: Sequence[tuple[Entry, Position]]) -> list[tuple[int, int]]:
        """All at once; where brokers find one too large, one by one, and that one only as a loss."""
        if not wanted:
            return []
        try:
            return self._producer.send([self._message(entry, after) for entry, after in wanted])
        except BadInput as refused:
            if len(wanted) > 1:
                return [sent for each in wanted for sent in self._send([each])]
            entry, after = wanted[0]
            lost = Gap(entry.stream, refused.reason, int(isinstance(entry.record, Capture)))
            return self._producer.send([self._message(entry._replace(record=lost), after)])

    def _passed(self, entry: Entry) -> Position | None:
        """Behind which position an entry lies; None where it need not be sent."""
        stream = self._streams.setdefault(entry.stream, _Stream())
        after, place = stream.last, _place(entry)
        stream.last = max(place, after)
        if place in stream.settled or place in stream.flying:
            return None
        return after

    def _message(self, entry: Entry, after: Position) -> Message:
        place, stream = _place(entry), entry.stream.encode("ascii")
        value = self._sealer.seal(stream, Shipment(after, place, entry.record), self._codec)
        partition = (crc32(stream) + place.number // SHARE) % self._partitions
        return Message(self._topic, value, stream, partition)

    def _check_offsets(self, acknowledged: list[tuple[int, int]]) -> None:
        """A partition whose offsets do not grow has lost its log."""
        for partition, offset in acknowledged:
            if offset <= self._offsets.get(partition, -1):
                log.warning("partition %d came back empty: sending again what is not settled", partition)
                self._forget_flights()
                self._again()
                return
            self._offsets[partition] = offset

    def _forget_flights(self) -> None:
        for stream in self._streams.values():
            self.counts.resent += len(stream.flying)
            stream.last = stream.committed
            stream.flying.clear()
        self._offsets.clear()
        self._heard.clear()

    def _again(self) -> None:
        """Read again from what is settled; what is under way is passed over."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _upkeep(self) -> None:
        now = self._clock()
        self.counts.flying = self._under_way()
        if now >= self._due["release"] and self._reader is not None:
            self._due["release"] = now + RELEASE_SECONDS
            self._release(self._reader)
        if now >= self._due["look"]:
            self._due["look"] = now + LOST_SECONDS / 2
            self._look_for_lost(now)

    def _release(self, reader: Reader) -> None:
        self.counts.released += reader.release({n: s.committed for n, s in self._streams.items()})

    def _look_for_lost(self, now: float) -> None:
        """Send again what others overtook; where nothing moves at all, ask a partition how it is."""
        lost = [
            (stream, position)
            for stream in self._streams.values()
            for position, flight in stream.flying.items()
            if flight.offset < self._heard.get(flight.partition, -1) and now - flight.sent_at > LOST_SECONDS
        ]
        if not lost and self.counts.flying and now - self._progress > PROBE_SECONDS:
            self._progress = now
            lost = [next((s, p) for s in self._streams.values() for p in s.flying)]
        if not lost:
            return
        self.counts.resent += len(lost)
        for stream, _ in lost:
            stream.last = stream.committed
        for stream, position in lost:
            del stream.flying[position]
        self._again()

    def _under_way(self) -> int:
        return sum(len(stream.flying) for stream in self._streams.values())


def _place(entry: Entry) -> Position:
    """The end of a killed stream lies behind its last frame, as a record of its own."""
    at = entry.position
    ended = isinstance(entry.record, Gap) and entry.record.since
    return at._replace(offset=at.offset + 1) if ended else at
