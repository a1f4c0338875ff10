from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.wire import (
    CAPTURE,
    HEADER_BYTES,
    Capture,
    Counters,
    Exchange,
    Header,
    Seal,
    pack,
    pack_header,
    subject_tag,
    unpack_header,
)
from monitor.errors import BadInput

KEY = b"k" * 32
COUNTS = Counters("w0-a", 2.0, 1.0, 0, not_sampled=3, sampled=5, written=2, dropped={"thinned": 1})


def capture(number: int = 1, received_at: float = 1.0, body: bytes = b"{}") -> Capture:
    """A small capture."""
    return Capture(
        f"w0-a-{number}", number, received_at, "POST", "/v1/completions", {}, body, 200, {}, b"abc",
        [(10, 1), (20, 2)], 30, "ok", 0.5, 0, 1,
    )  # fmt: skip


@pytest.mark.parametrize("record", [capture(), COUNTS])
def test_a_sealed_frame_opens_to_the_same_record(record: Capture | Counters) -> None:
    frame = Seal(KEY, "w0-a").frame(record, 7, subject=9)
    header = unpack_header(frame)
    assert header is not None
    assert (header.sequence, header.subject, header.length) == (7, 9, len(frame) - HEADER_BYTES)
    assert Seal(KEY, "w0-a").open(header, frame[HEADER_BYTES:]) == record


def test_a_sealed_exchange_opens_to_its_capture() -> None:
    exchange = Exchange(
        b"/v1/completions", {b"x-request-id": b"r1 "}, 0.5, 1_000_000, 2, 9, 7.5, 1,
        request_body=[b"a", b"b"], request_ended=1_004_000, response_fields={b"content-type": b"text/plain"},
        response_body=[b"c", b"de"], marks=[(1_010_000, 1), (1_020_999, 2)], status=200, ended=1_030_000, number=4,
    )  # fmt: skip
    frame = Seal(KEY, "w1-a").frame(exchange, 7)
    header = unpack_header(frame)
    assert header is not None
    assert header.kind == CAPTURE
    assert Seal(KEY, "w1-a").open(header, frame[HEADER_BYTES:]) == Capture(
        "w1-a-4", 4, 7.5, "POST", "/v1/completions", {"x-request-id": "r1"}, b"ab",
        200, {"content-type": "text/plain"}, b"cde", [(10, 1), (20, 2)], 30, "ok", 0.5, 1, 2, 4,
    )  # fmt: skip


@pytest.mark.parametrize(("key", "stream"), [(b"x" * 32, "w0-a"), (KEY, "w0-b")])
def test_another_key_or_stream_opens_nothing(key: bytes, stream: str) -> None:
    frame = Seal(KEY, "w0-a").frame(capture(), 0)
    header = unpack_header(frame)
    assert header is not None
    with pytest.raises(BadInput, match="frame 0"):
        Seal(key, stream).open(header, frame[HEADER_BYTES:])


@given(st.data())
def test_no_changed_byte_goes_unnoticed(data: st.DataObject) -> None:
    frame = bytearray(Seal(KEY, "w0-a").frame(capture(), 3))
    at = data.draw(st.integers(0, len(frame) - 1))
    frame[at] ^= data.draw(st.integers(1, 255))
    header = unpack_header(bytes(frame))
    if header is not None:
        with pytest.raises(BadInput):
            Seal(KEY, "w0-a").open(header, bytes(frame[HEADER_BYTES:]))


def test_the_plain_text_is_not_in_the_frame() -> None:
    assert b"very private" not in Seal(KEY, "w0-a").frame(capture(body=b"very private"), 0)


def test_equal_records_have_different_frames() -> None:
    seal = Seal(KEY, "w0-a")
    assert seal.frame(capture(), 0)[HEADER_BYTES:] != seal.frame(capture(), 1)[HEADER_BYTES:]


@given(st.binary(max_size=64))
def test_garbage_is_no_header(data: bytes) -> None:
    assert unpack_header(data) is None


def test_a_header_with_an_absurd_length_is_damage() -> None:
    assert unpack_header(pack_header(Header(CAPTURE, 2**32 - 1, 0, 0))) is None


def test_unknown_later_fields_are_ignored() -> None:
    later = msgspec.msgpack.encode([*msgspec.to_builtins(capture(), builtin_types=(bytes,)), "new field"])
    decoded: Capture | Counters = msgspec.msgpack.decode(later, type=Capture | Counters)
    assert decoded == capture()


def test_subject_tags_depend_on_the_key() -> None:
    assert subject_tag(KEY, "u1") == subject_tag(KEY, "u1")
    assert subject_tag(KEY, "u1") not in {subject_tag(KEY, "u2"), subject_tag(b"x" * 32, "u1")}


def test_counters_say_what_is_pending() -> None:
    assert (COUNTS.eligible, COUNTS.pending) == (8, 2)
    assert COUNTS.skipped == {"not_sampled": 3, "thinned": 1}


@pytest.mark.parametrize("number", [1, 1 << 40])
def test_an_exchange_is_packed_without_its_number_and_numbered_by_the_writer(number: int) -> None:
    exchange = Exchange(
        b"/v1/completions", {}, 1.0, 1, 2, 9, 7.5, 1, response_body=[b"abc"], status=200, ended=2
    )
    packed = pack(exchange, "u1")
    assert (packed.size, packed.subject) == (9, "u1")
    opened = msgspec.msgpack.decode(packed.numbered(number), type=Exchange)
    exchange.number = number
    assert opened == exchange
