"""Finds the targets and makes inputs for them from seeds, repeatably."""

from __future__ import annotations

import ast
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).parent
# What parsers trip over: separators, bounds, and bytes that are no UTF-8.
TOKENS = (
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\n\n", b": ", b",", b";", b"0\r\n\r\n", b"\x00", b"\xff", b"\xc3", b"\xed\xa0\x80",
    b"{", b"}", b"[", b"]", b'"', b"\\", b"\\u0000", b"null", b"true", b"1e999", b"-1", b"NaN", b"18446744073709551616",
    b"data: ", b"data: [DONE]\n\n", b"Content-Length: 1\r\n", b"Transfer-Encoding: chunked\r\n", b"HTTP/1.1 100 Continue\r\n\r\n",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Target:
    """One fuzz target as loaded from its module."""

    name: str
    covers: tuple[str, ...]
    seeds: tuple[bytes, ...]
    run: Callable[[bytes], None]


def names() -> list[str]:
    """Names of all targets."""
    return sorted(path.stem for path in HERE.glob("fuzz_*.py"))


def covers(name: str) -> tuple[str, ...]:
    """COVERS of the target `name`, read without importing what it covers."""
    tree = ast.parse((HERE / f"{name}.py").read_text())
    assigned = {
        ast.unparse(node.target if isinstance(node, ast.AnnAssign) else node.targets[0]): node.value
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
    }
    found: tuple[str, ...] = ast.literal_eval(assigned["COVERS"] or "()")
    return found


def load(name: str) -> Target:
    """The target `name`. AttributeError where its module lacks what a target must have."""
    module = import_module(f"tests.fuzz.{name}")
    return Target(name, tuple(module.COVERS), tuple(module.SEEDS), module.run)


def inputs(seeds: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """`count` inputs: the seeds themselves, then mutations of them; the same for the same `seed`."""
    rng = random.Random(seed)
    yield from seeds[:count]
    for _ in range(count - len(seeds)):
        yield mutated(rng, seeds)


def mutated(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One seed after one to eight small changes; most stay close to well-formed."""
    data = rng.choice(seeds)
    for _ in range(rng.choice((1, 1, 1, 2, 2, 4, 8))):
        data = rng.choice(_MUTATIONS)(rng, data, seeds)
    return data


def _span(rng: random.Random, data: bytes) -> tuple[int, int]:
    start = rng.randrange(len(data) + 1)
    return start, min(len(data), start + rng.choice((1, 1, 2, 4, 16, 64)))


def _delete(rng: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    start, end = _span(rng, data)
    return data[:start] + data[end:]


def _repeat(rng: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    start, end = _span(rng, data)
    return data[:end] + data[start:end] * rng.choice((1, 2, 8)) + data[end:]


def _overwrite(rng: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    start, end = _span(rng, data)
    return data[:start] + rng.randbytes(end - start) + data[end:]


def _insert(rng: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    start, _ = _span(rng, data)
    return data[:start] + rng.choice(TOKENS) + data[start:]


def _truncate(rng: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _splice(rng: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    other = rng.choice(seeds)
    return data[: rng.randrange(len(data) + 1)] + other[rng.randrange(len(other) + 1) :]


_MUTATIONS = (_delete, _repeat, _overwrite, _insert, _truncate, _splice)
