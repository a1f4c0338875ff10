"""Reads the GGUF files that PyPI packages carry: metadata, and tensors as float32 arrays.

Format: ggml-org/ggml docs/gguf.md; block layouts: ggml-common.h. Only what SmolLM2's file uses:
F32, F16, Q8_0 and Q4_1. Needs numpy alone.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

_SCALARS = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}
_STRING, _LIST = 8, 9
_BLOCK = 32
_ALIGNMENT = 32


@dataclass(slots=True)
class _Cursor:
    data: bytes
    at: int = 0

    def take(self, form: str) -> tuple[Any, ...]:
        values = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return values

    def string(self) -> str:
        (length,) = self.take("<Q")
        self.at += length
        return self.data[self.at - length : self.at].decode()

    def value(self, kind: int) -> Any:
        if kind == _STRING:
            return self.string()
        if kind == _LIST:
            inner, count = self.take("<IQ")
            return [self.value(inner) for _ in range(count)]
        return self.take(_SCALARS[kind])[0]


@dataclass(frozen=True, slots=True)
class Gguf:
    """`metadata` by key; `tensors` yields (name, array in row-major order)."""

    metadata: dict[str, Any]
    entries: tuple[tuple[str, tuple[int, ...], int, int], ...]
    data: bytes

    def tensors(self) -> Iterator[tuple[str, Array]]:
        for name, shape, kind, offset in self.entries:
            yield name, _read(self.data, shape, kind, offset)


def parse(data: bytes) -> Gguf:
    """The whole file; ValueError where it is none."""
    cursor = _Cursor(data)
    magic, _, tensors, keys = cursor.take("<4sIQQ")
    if magic != b"GGUF":
        raise ValueError("not a GGUF file")
    metadata = {}
    for _ in range(keys):
        name = cursor.string()
        (kind,) = cursor.take("<I")
        metadata[name] = cursor.value(kind)
    entries = [_entry(cursor) for _ in range(tensors)]
    start = -(-cursor.at // _ALIGNMENT) * _ALIGNMENT
    return Gguf(metadata, tuple((n, shape, kind, start + at) for n, shape, kind, at in entries), data)


def _entry(cursor: _Cursor) -> tuple[str, tuple[int, ...], int, int]:
    name = cursor.string()
    (dimensions,) = cursor.take("<I")
    shape = cursor.take(f"<{dimensions}Q")
    kind, offset = cursor.take("<IQ")
    return name, tuple(reversed(shape)), kind, offset


def _read(data: bytes, shape: tuple[int, ...], kind: int, offset: int) -> Array:
    if kind not in _READERS:
        raise ValueError(f"tensor type {kind} is not read here")
    return _READERS[kind](data, offset, int(np.prod(shape))).reshape(shape)


def _f32(data: bytes, offset: int, count: int) -> Array:
    return np.frombuffer(data, np.float32, count, offset)


def _f16(data: bytes, offset: int, count: int) -> Array:
    return np.frombuffer(data, np.float16, count, offset).astype(np.float32)


def _q8_0(data: bytes, offset: int, count: int) -> Array:
    block = np.dtype([("scale", "<f2"), ("values", "i1", _BLOCK)])
    blocks = np.frombuffer(data, block, count // _BLOCK, offset)
    return blocks["scale"].astype(np.float32)[:, None] * blocks["values"].astype(np.float32)


def _q4_1(data: bytes, offset: int, count: int) -> Array:
    """Low nibbles are the first half of a block, high nibbles the second."""
    block = np.dtype([("scale", "<f2"), ("least", "<f2"), ("pairs", "u1", _BLOCK // 2)])
    blocks = np.frombuffer(data, block, count // _BLOCK, offset)
    nibbles = np.concatenate([blocks["pairs"] & 15, blocks["pairs"] >> 4], axis=1).astype(np.float32)
    return blocks["scale"].astype(np.float32)[:, None] * nibbles + blocks["least"].astype(np.float32)[:, None]


_READERS: dict[int, Callable[[bytes, int, int], Array]] = {0: _f32, 1: _f16, 3: _q4_1, 8: _q8_0}
