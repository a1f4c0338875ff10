"""Sealed records of the topic: round trips, and a reason for everything that is none."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.kafka_records import CODECS, MAGIC, REASONS, Codec, Sealer, Shipment
from collectors.spool_reader import Position
from collectors.wire import Capture, Counters, Gap
from monitor.errors import BadInput
from tests.collectors.test_wire import capture

STREAM = b"w0-1"
SEALER = Sealer(b"k" * 32)
LIMIT = 1 << 20
RECORDS: list[Capture | Counters | Gap] = [
    capture(7, 1.5, b"\x00secret words"),
    Counters("w0-1", 1.0, 0.5, 0, written=3),
    Gap("w0-1", "spool_lost", 4),
]


def shipment(record: Capture | Counters | Gap) -> Shipment:
    return Shipment(Position(1, 0, 6), Position(1, 900, 7), record)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
@pytest.mark.parametrize("codec", CODECS)
def test_a_record_survives_the_topic(codec: Codec, record: Capture | Counters | Gap) -> None:
    value = SEALER.seal(STREAM, shipment(record), codec)
    assert SEALER.open(STREAM, value, LIMIT) == shipment(record)


@pytest.mark.parametrize("codec", CODECS)
def test_no_text_is_readable_and_no_two_values_are_equal(codec: Codec) -> None:
    values = [SEALER.seal(STREAM, shipment(RECORDS[0]), codec) for _ in range(2)]
    assert values[0] != values[1]
    assert not any(b"secret" in value for value in values)


def test_text_is_compressed_before_it_is_sealed() -> None:
    record = capture(1, 1.0, b"the same words again and again " * 400)
    sizes = [len(SEALER.seal(STREAM, shipment(record), codec)) for codec in ("none", "zstd", "lz4")]
    assert max(sizes[1:]) < sizes[0] / 5


GOOD = SEALER.seal(STREAM, shipment(RECORDS[0]), "zstd")
DAMAGE: dict[str, tuple[str, Callable[[], bytes | None]]] = {
    "nothing": ("malformed", lambda: None),
    "truncated JSON": ("malformed", lambda: b'{"id": "p1", "request": {"messages": [{"role": "us'),
    "NUL bytes": ("malformed", lambda: bytes(4000)),
    "wrong version": ("unknown_version", lambda: GOOD[:2] + b"\x09" + GOOD[3:]),
    "unknown codec": ("unknown_codec", lambda: GOOD[:3] + b"\x63" + GOOD[4:]),
    "cut short": ("seal_broken", lambda: GOOD[:-20]),
    "one bit": ("seal_broken", lambda: GOOD[:40] + bytes([GOOD[40] ^ 1]) + GOOD[41:]),
    "another key": ("seal_broken", lambda: Sealer(b"x" * 32).seal(STREAM, shipment(RECORDS[0]), "zstd")),
    "another stream": ("seal_broken", lambda: SEALER.seal(b"w0-2", shipment(RECORDS[0]), "zstd")),
    "50 MB": ("too_large", lambda: MAGIC + bytes(50 << 20)),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_poison_record_has_a_reason(case: str) -> None:
    reason, made = DAMAGE[case]
    with pytest.raises(BadInput) as raised:
        SEALER.open(STREAM, made(), LIMIT)
    assert raised.value.reason == reason


def test_a_sealed_bomb_is_refused_before_it_is_unpacked() -> None:
    import zstandard

    from collectors import kafka_records

    nonce, head = bytes(12), struct.pack("<2sBB", MAGIC, 1, CODECS["zstd"])
    bomb = zstandard.ZstdCompressor().compress(bytes(kafka_records.MAX_PAYLOAD + 1))
    value = head + nonce + SEALER._seal(STREAM).encrypt(nonce, bomb, head + STREAM)
    with pytest.raises(BadInput) as raised:
        SEALER.open(STREAM, value, LIMIT)
    assert raised.value.reason == "undecodable"


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_with_a_known_reason(value: bytes) -> None:
    with pytest.raises(BadInput) as raised:
        SEALER.open(STREAM, value, LIMIT)
    assert raised.value.reason in REASONS
