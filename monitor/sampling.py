"""Which exchanges are mirrored: a keyed hash of a stable key, identical on every replica.

Pure, and light enough for the capture process. A random draw would pick another exchange on every
replica and on every replay of the log; a plain CRC would correlate with a rollout split that hashes
the same id, hence the key ("hash domain"): multiply-shift over the CRC, with multiplier and addend
drawn from the salt. The positions of two keys are independent of each other (Dietzfelbinger, STACS
1996, theorem 3: strongly universal), which is all that a sample needs; whoever knows the salt can
choose a sampled id, as with any hash. BLAKE2 over the key would cost every request 0.4 us more.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Final
from zlib import crc32

_MODULUS: Final = (1 << 64) - 1
_SCALE: Final = 1.0 / (1 << 32)


def positions(salt: bytes) -> Callable[[bytes], float]:
    """The function `key -> position(key, salt)`, with the salt hashed once."""
    drawn = blake2b(digest_size=16, key=salt).digest()
    multiplier, addend = int.from_bytes(drawn[:8], "big"), int.from_bytes(drawn[8:], "big")

    def of(key: bytes) -> float:
        return ((crc32(key) * multiplier + addend & _MODULUS) >> 32) * _SCALE

    return of


def position(key: bytes, salt: bytes) -> float:
    """Where `key` falls in [0, 1). Uniform, keyed by `salt` (at most 64 bytes)."""
    return positions(salt)(key)


def chosen(key: bytes, salt: bytes, fraction: float) -> bool:
    """Whether an exchange is in the sample; raising `fraction` only adds exchanges."""
    return position(key, salt) < fraction


def thinned(key: bytes, salt: bytes, fraction: float, keep: float) -> bool:
    """Whether a sampled exchange survives thinning to `keep` of the sample under pressure.

    Uses the same position, so the survivors are a subset and the inclusion probability is exactly
    `fraction * keep`. Decided before the size is known: dropping by size would empty the tail.
    """
    return position(key, salt) < fraction * keep
