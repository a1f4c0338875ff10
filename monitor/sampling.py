"""Which exchanges are mirrored: a keyed hash of a stable key, identical on every replica.

Pure, and light enough for the capture process: it imports nothing but hashlib. A random draw
would pick another exchange on every replica and on every replay of the log; a plain CRC would
correlate with a rollout split that hashes the same id, hence the key ("hash domain").
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

_SCALE = float(1 << 64)


def positions(salt: bytes) -> Callable[[bytes], float]:
    """The function `key -> position(key, salt)`, with the salt hashed once."""
    start, number = blake2b(digest_size=8, key=salt).copy, int.from_bytes

    def of(key: bytes) -> float:
        state = start()
        state.update(key)
        return number(state.digest(), "big") / _SCALE

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
