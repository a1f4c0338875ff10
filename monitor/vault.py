"""Stored text, sealed: what lies in DuckDB and Parquet is unreadable without the key of the hand-over. Pure.

DuckDB's own encryption writes only with its `httpfs` extension, which is fetched over the network, and
would not cover the scores topic or exported files. AES-SIV (RFC 5297) needs no random nonce; the pair's
id and the field are authenticated with the text, so nothing can be moved to another pair. Texts are
deflated first: the database cannot compress what is sealed.
"""

from __future__ import annotations

import hashlib
import hmac
import zlib
from base64 import b64decode, b64encode
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

PREFIX = "sealed:1:"
UNREADABLE = "[sealed with another key]"


@dataclass(frozen=True, slots=True)
class Vault:
    """Seals and opens texts under a key derived from `secret`."""

    secret: bytes
    _cipher: AESSIV = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        key = hmac.new(self.secret, b"stored text", hashlib.sha512).digest()
        object.__setattr__(self, "_cipher", AESSIV(key))

    def seal(self, text: str, *place: str) -> str:
        """`text` sealed for `place` (the pair's id, then the field); the empty text stays empty."""
        if not text:
            return text
        packed = zlib.compress(text.encode("utf-8", "replace"), 1)
        return PREFIX + b64encode(self._cipher.encrypt(packed, _bytes(place))).decode()

    def open(self, text: str, *place: str) -> str:
        """The inverse; what was never sealed comes back as it is, what cannot be opened as `UNREADABLE`."""
        if not text.startswith(PREFIX):
            return text
        try:
            packed = self._cipher.decrypt(b64decode(text.removeprefix(PREFIX)), _bytes(place))
            return zlib.decompress(packed).decode()
        except (ValueError, InvalidTag, zlib.error):
            return UNREADABLE


def _bytes(place: tuple[str, ...]) -> list[bytes]:
    return [part.encode("utf-8", "surrogatepass") for part in place]
