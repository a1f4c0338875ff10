"""What travels on the topic of exchanges: one sealed record of the spool per message. Pure.

    key     the stream that it comes from, ASCII
    value   magic 2s | version B | codec B | nonce 12s | sealed payload

The payload is a `Shipment` in msgpack, compressed (codec 0 none, 1 zstd, 2 lz4) and then sealed by AES-GCM
with header and key as associated data: what is encrypted no longer compresses, so the brokers' own
compression would do nothing. The key is derived from the spool's and the stream's name apart from the
spool's own use of them, and nonces are random (NIST SP 800-38D 8.2.2): a record that is shipped again may
be compressed otherwise.

A consumer refuses what it cannot read with one of the `REASONS`; versions only grow, and a reader says
which it knows.
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Literal

import lz4.frame
import msgspec
import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from collectors.spool_reader import Entry, Position
from collectors.wire import Capture, Counters, Gap
from monitor.errors import BadInput

MAGIC = b"\xa7K"
VERSION = 1
_HEAD = struct.Struct("<2sBB")
_NONCE_BYTES = 12
_TAG_BYTES = 16
MAX_PAYLOAD = 256 << 20
"""Bytes after decompression; only holders of the key can make a larger one."""

Codec = Literal["none", "zstd", "lz4"]
CODECS: Mapping[Codec, int] = {"none": 0, "zstd": 1, "lz4": 2}

REASONS = ("too_large", "malformed", "unknown_version", "unknown_codec", "seal_broken", "undecodable")
"""Why a record is a dead letter."""


class Shipment(msgspec.Struct, frozen=True, array_like=True):
    """One record of a stream. It lies behind `after` and ends at `position`, which names it."""

    after: Position
    position: Position
    record: Capture | Counters | Gap

    def entry(self, stream: str) -> Entry:
        """As the spool's reader yields it."""
        return Entry(self.record, stream, self.position)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Shipment)


def _lz4_decompress(data: bytes) -> bytes:
    with lz4.frame.LZ4FrameDecompressor() as decompressor:
        plain: bytes = decompressor.decompress(data, max_length=MAX_PAYLOAD)
        if not decompressor.eof:
            raise ValueError("longer than it may be, or cut short")
        return plain


def _zstd_decompress(data: bytes) -> bytes:
    # The frame declares its size, so nothing is allocated for one that is too large.
    if zstandard.frame_content_size(data) > MAX_PAYLOAD:
        raise ValueError("longer than it may be")
    return zstandard.ZstdDecompressor().decompress(data)


_COMPRESS: Mapping[Codec, Callable[[bytes], bytes]] = {
    "none": lambda data: data,
    "zstd": lambda data: zstandard.ZstdCompressor(level=3).compress(data),
    "lz4": lz4.frame.compress,
}
_DECOMPRESS: Mapping[int, Callable[[bytes], bytes]] = {
    CODECS["none"]: lambda data: data,
    CODECS["zstd"]: _zstd_decompress,
    CODECS["lz4"]: _lz4_decompress,
}


class Sealer:
    """Seals and opens messages of any stream under the spool's key (32 bytes)."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._seals: dict[bytes, AESGCM] = {}

    def _seal(self, stream: bytes) -> AESGCM:
        seal = self._seals.get(stream)
        if seal is None:
            derived = blake2b(stream, digest_size=32, key=self._key, person=b"tailgate-kafka-1")
            if len(self._seals) > 10_000:  # one per worker incarnation; a producer may invent names
                self._seals.clear()
            seal = self._seals[stream] = AESGCM(derived.digest())
        return seal

    def seal(self, stream: bytes, shipment: Shipment, codec: Codec) -> bytes:
        """The message's value."""
        head = _HEAD.pack(MAGIC, VERSION, CODECS[codec])
        nonce = secrets.token_bytes(_NONCE_BYTES)
        payload = _COMPRESS[codec](_encoder.encode(shipment))
        return head + nonce + self._seal(stream).encrypt(nonce, payload, head + stream)

    def open(self, stream: bytes | None, value: bytes | None, max_bytes: int) -> Shipment:
        """The shipment, or BadInput with one of `REASONS`."""
        if value is None or not stream or len(value) < _HEAD.size + _NONCE_BYTES + _TAG_BYTES:
            raise BadInput("malformed", "no key, no value or too short for a header")
        if len(value) > max_bytes:
            raise BadInput("too_large", f"{len(value)} bytes, more than the {max_bytes} that a sidecar sends")
        magic, version, codec = _HEAD.unpack_from(value)
        if magic != MAGIC:
            raise BadInput("malformed", "not a record of Tailgate")
        if version != VERSION:
            raise BadInput("unknown_version", f"version {version}; this program reads {VERSION}")
        if codec not in _DECOMPRESS:
            raise BadInput("unknown_codec", f"codec {codec}; this program knows {dict(CODECS)}")
        return self._opened(stream, value, codec)

    def _opened(self, stream: bytes, value: bytes, codec: int) -> Shipment:
        start = _HEAD.size + _NONCE_BYTES
        head, nonce = value[: _HEAD.size], value[_HEAD.size : start]
        try:
            payload = self._seal(stream).decrypt(nonce, value[start:], head + stream)
        except InvalidTag as error:
            raise BadInput("seal_broken", "damaged, or sealed under another key") from error
        try:
            return _decoder.decode(_DECOMPRESS[codec](payload))
        except (ValueError, RuntimeError, zstandard.ZstdError, msgspec.MsgspecError) as error:
            raise BadInput("undecodable", str(error)) from error
