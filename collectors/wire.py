"""What travels in the spool: its records, the frame around them and the seal. Pure.

The sidecar writes an `Exchange` as it saw it, and `Seal.open` makes a `Capture` of it: what the
reader can do costs production nothing.

A stream is what one worker incarnation writes. Its frames are

    magic 2s | version B | kind B | length I | sequence Q | subject Q | crc32 I | sealed payload

little-endian; the crc covers the header, so that a reader can find the next frame behind damage
without the key, and AES-GCM authenticates header and payload. The key of a stream is derived from
the spool's key and the stream's name, which is never used twice, so the sequence number is a safe
nonce (NIST SP 800-38D 8.2.1: deterministic construction).

`subject` is a keyed hash of the data subject (0 = none): `erase` finds frames without opening them.
"""

from __future__ import annotations

import struct
from hashlib import blake2b
from typing import NamedTuple
from zlib import crc32

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from monitor.errors import BadInput
from monitor.records import spoken

MAGIC = b"\xa7T"
VERSION = 1
ERASED, CAPTURE, COUNTERS = 0, 1, 2
_UNCHECKED = struct.Struct("<2sBBIQQ")
_CHECK = struct.Struct("<I")
HEADER_BYTES = _UNCHECKED.size + _CHECK.size
_TAG_BYTES = 16
_NUMBER = struct.Struct(">BQ")
_UINT_64 = 0xCF  # msgpack's mark of the eight bytes behind it
# Two messages of sidecar.max_body_bytes and their marks fit many times over; anything larger is
# damage that happens to carry a valid header.
MAX_PAYLOAD = 1 << 30


class Capture(msgspec.Struct, frozen=True, array_like=True, tag="capture1"):
    """One observed exchange. Only allow-listed headers are in it; the query string is not.

    `id` is `<stream>-<number>`; `number` counts the stream's captures from 1. `received_at` is UNIX
    seconds at the request's first byte; all other times are microseconds since then. `marks` are
    (microseconds, bytes) of the response body in arrival order, as read from the socket: their
    lengths sum to `len(response_body)`. Bodies are free of transfer coding; content coding is
    kept. `outcome`: `ok`, `client_left`, `upstream_reset`, `upstream_closed` (the latter three with
    what had arrived). `in_flight` counts requests of this worker when this one began, itself
    included; 0 = unknown. `first_token_us` is what a record of another tool says instead of marks (0 =
    nothing), `collector` names the way in.
    """

    id: str
    number: int
    received_at: float
    method: str
    path: str
    request_headers: dict[str, str]
    request_body: bytes
    status: int
    response_headers: dict[str, str]
    response_body: bytes
    marks: list[tuple[int, int]]
    duration_us: int
    outcome: str
    inclusion_probability: float
    worker: int
    in_flight: int
    request_end_us: int = 0
    first_token_us: int = 0
    collector: str = "spool"


class Counters(msgspec.Struct, frozen=True, array_like=True, tag="counters1"):
    """Cumulative counts of one stream (worker incarnation) at UNIX time `at`.

    Every request that was parsed is in exactly one of `excluded` (by reason), `not_sampled` and
    `sampled`; every sampled one ends in `written` (it is in this stream, before this record) or in
    `dropped` (by reason), so pending = sampled - written - sum(dropped). `unobserved` counts
    connections that could not be followed, by reason. `final`: no more will come; the stream ended
    in order, or its worker died and the parent settled its account (`dropped["worker_died"]`).
    """

    stream: str
    at: float
    started_at: float
    worker: int
    not_sampled: int = 0
    sampled: int = 0
    written: int = 0
    unkeyed: int = 0
    excluded: dict[str, int] = {}
    dropped: dict[str, int] = {}
    unobserved: dict[str, int] = {}
    final: bool = False

    @property
    def skipped(self) -> dict[str, int]:
        """Eligible requests that ended in the capture process, by reason."""
        return {"not_sampled": self.not_sampled, **self.dropped}

    @property
    def eligible(self) -> int:
        """Requests on allowed endpoints, sampled or not."""
        return self.not_sampled + self.sampled

    @property
    def pending(self) -> int:
        """Sampled, but neither written nor dropped yet."""
        return self.sampled - self.written - sum(self.dropped.values())


class Gap(msgspec.Struct, frozen=True, array_like=True, tag="gap1"):
    """Captures that were written and cannot be read; made by the reader, never on disk.

    `reason`: `spool_lost` (segments deleted by age or by hand, or damage), `spool_corrupt`,
    `erased`, `capture_killed` (the whole sidecar died: `count` were sampled and not written at UNIX
    time `since`, and what came in the 100 ms behind is unknown).
    """

    stream: str
    reason: str
    count: int
    since: float = 0.0


Fields = dict[bytes, bytes]
"""Headers of interest by lower-case name; of repeated ones the last."""


class Exchange(msgspec.Struct, gc=False, array_like=True, tag="exchange1"):
    """One exchange while it is observed, queued and in the spool; a reader gets a `Capture`.

    `path` is without the query and `fields` are of the allow-list. `size` is what it holds in memory,
    bytes. Times are monotonic nanoseconds, `received_at` is UNIX seconds. `marks` are (time, body bytes)
    per read of the answer; records of other tools have no reads, they may say when the first token came
    (0 = unknown). A struct, because its fields are set at a third of a plain class's cost; without the
    garbage collector, because nothing in it can form a cycle.
    """

    path: bytes
    fields: Fields
    probability: float
    began: int
    in_flight: int
    size: int
    received_at: float
    worker: int
    request_body: list[bytes] = []
    request_ended: int = 0
    response_fields: Fields = {}
    response_body: list[bytes] = []
    marks: list[tuple[int, int]] = []
    status: int = 0
    ended: int = 0
    first_token: int = 0
    outcome: str = "ok"
    collector: str = "spool"
    number: int = 0


def capture_of(exchange: Exchange, stream: str) -> Capture:
    """The record that readers get of an exchange of this stream."""
    began = exchange.began
    return Capture(
        id=f"{stream}-{exchange.number}",
        number=exchange.number,
        received_at=exchange.received_at,
        method="POST",
        path=exchange.path.decode("latin-1"),
        request_headers=_text(exchange.fields),
        request_body=b"".join(exchange.request_body),
        status=exchange.status,
        response_headers=_text(exchange.response_fields),
        response_body=b"".join(exchange.response_body),
        marks=[((at - began) // 1000, length) for at, length in exchange.marks],
        duration_us=(exchange.ended - began) // 1000,
        outcome=exchange.outcome,
        inclusion_probability=exchange.probability,
        worker=exchange.worker,
        in_flight=exchange.in_flight,
        request_end_us=(exchange.request_ended - began) // 1000,
        first_token_us=(exchange.first_token - began) // 1000 if exchange.first_token else 0,
        collector=exchange.collector,
    )


def _text(fields: Fields) -> dict[str, str]:
    return {name.decode("latin-1"): value.rstrip().decode("latin-1") for name, value in fields.items()}


Record = Capture | Counters
_encoder = msgspec.msgpack.Encoder()
_encode = _encoder.encode
_decoder: msgspec.msgpack.Decoder[Record | Exchange] = msgspec.msgpack.Decoder(Record | Exchange)


class Packed(NamedTuple):
    """An encoded exchange on its way to the spool: `size` bytes as accounted for, and its data subject, if any.

    `payload` lacks only the number, which the writer's thread gives it.
    """

    payload: bytes
    size: int
    subject: str | None = None

    def numbered(self, number: int) -> bytes:
        """The payload with its number: the last field, which is 0 (one byte) so far."""
        return self.payload[:-1] + _NUMBER.pack(_UINT_64, number)


def pack(exchange: Exchange, subject: str | None = None) -> Packed:
    """Encoded at once, while its parts lie in the processor's cache.

    Where exchanges come fast the thread would find them in main memory, at four times the cost, and the loop would
    fill new memory meanwhile.
    """
    return Packed(_encode(exchange), exchange.size, subject)


class Header(NamedTuple):
    """A frame's header; `length` counts the sealed payload."""

    kind: int
    length: int
    sequence: int
    subject: int


def pack_header(header: Header) -> bytes:
    """The header's bytes with their checksum."""
    head = _UNCHECKED.pack(MAGIC, VERSION, *header)
    return head + _CHECK.pack(crc32(head))


def unpack_header(data: bytes | memoryview, at: int = 0) -> Header | None:
    """The header at `at`, or None where there is no valid one."""
    if len(data) < at + HEADER_BYTES:
        return None
    magic, version, kind, length, sequence, subject = _UNCHECKED.unpack_from(data, at)
    (check,) = _CHECK.unpack_from(data, at + _UNCHECKED.size)
    if magic != MAGIC or version != VERSION or length > MAX_PAYLOAD:
        return None
    if crc32(data[at : at + _UNCHECKED.size]) != check:
        return None
    return Header(kind, length, sequence, subject)


def subject_tag(key: bytes, subject: str) -> int:
    """Keyed hash under which frames of a data subject are found; never 0."""
    name = spoken(subject).encode("utf-8", "surrogatepass")
    digest = blake2b(name, digest_size=8, key=key, person=b"tailgate-subject").digest()
    return int.from_bytes(digest, "little") or 1


class Seal:
    """Seals and opens the frames of one stream under the spool's key (32 bytes)."""

    def __init__(self, key: bytes, stream: str) -> None:
        self._stream = stream
        derived = blake2b(stream.encode(), digest_size=32, key=key, person=b"tailgate-spool-1")
        self._aead = AESGCM(derived.digest())

    def frame(self, record: Record | Exchange | bytes, sequence: int, subject: int = 0) -> bytes:
        """One frame, ready to append; of a record, or of a packed and numbered exchange."""
        payload = record if type(record) is bytes else _encode(record)
        kind = COUNTERS if type(record) is Counters else CAPTURE
        head = _UNCHECKED.pack(MAGIC, VERSION, kind, len(payload) + _TAG_BYTES, sequence, subject)
        head += _CHECK.pack(crc32(head))
        return head + self._aead.encrypt(sequence.to_bytes(12, "big"), payload, head)

    def open(self, header: Header, sealed: bytes) -> Record:
        """The record of one frame; BadInput where it was damaged or sealed under another key."""
        try:
            payload = self._aead.decrypt(header.sequence.to_bytes(12, "big"), sealed, pack_header(header))
            record = _decoder.decode(payload)
        except (InvalidTag, msgspec.DecodeError) as error:
            raise BadInput("spool_corrupt", f"frame {header.sequence}: seal broken or not msgpack") from error
        return capture_of(record, self._stream) if isinstance(record, Exchange) else record
