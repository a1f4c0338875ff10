"""Content codings (RFC 9110 8.4) undone incrementally and bounded."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping

from monitor.errors import BadInput

MAX_DECODED_BYTES = 64 << 20
"""A 1 MiB gzip body can inflate a thousandfold; 128k tokens of JSON stay far below this."""

_SLICE = 2048

Inflate = Callable[[bytes], bytes]


def header(headers: Mapping[str, str], name: str) -> str:
    """The value of a header whatever its case, or an empty string."""
    found = headers.get(name)
    if found is not None:
        return found
    return next((value for key, value in headers.items() if key.lower() == name), "")


def inflater(headers: Mapping[str, str]) -> Inflate:
    """A function that undoes the message's content coding chunk by chunk.

    Raises BadInput `encoding_unsupported` for a coding that is unknown or not installed.
    """
    codings = header(headers, "content-encoding").lower().replace(" ", "").split(",")
    named = [coding for coding in codings if coding and coding != "identity"]
    if not named:
        return bytes
    if len(named) > 1 or named[0] not in _CODINGS:
        raise BadInput("encoding_unsupported", f"cannot decode content-encoding {','.join(named)!r}")
    return _bounded(_CODINGS[named[0]]())


def inflate(headers: Mapping[str, str], body: bytes) -> bytes:
    """The whole decoded body; BadInput `encoding_broken` or `body_too_large`."""
    return inflater(headers)(body)


def _bounded(step: Inflate) -> Inflate:
    """Slices the input: four bytes of zstd may inflate to 128 KiB, and only gzip takes a limit."""
    left = MAX_DECODED_BYTES

    def run(chunk: bytes) -> bytes:
        nonlocal left
        out: list[bytes] = []
        for start in range(0, len(chunk), _SLICE):
            out.append(step(chunk[start : start + _SLICE]))
            left -= len(out[-1])
            if left < 0:
                raise BadInput("body_too_large", f"decoded body exceeds {MAX_DECODED_BYTES} bytes")
        return b"".join(out)

    return run


def _zlib(window_bits: int) -> Inflate:
    machine = zlib.decompressobj(window_bits)

    def step(chunk: bytes) -> bytes:
        try:
            return machine.decompress(chunk)
        except zlib.error as error:
            raise BadInput("encoding_broken", f"compressed body: {error}") from error

    return step


def _zstd() -> Inflate:
    try:
        import zstandard
    except ImportError as error:
        raise BadInput(
            "encoding_unsupported", "content-encoding zstd needs `pip install zstandard`"
        ) from error
    machine = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()

    def step(chunk: bytes) -> bytes:
        try:
            return machine.decompress(chunk)
        except zstandard.ZstdError as error:
            raise BadInput("encoding_broken", f"compressed body: {error}") from error

    return step


_CODINGS: dict[str, Callable[[], Inflate]] = {
    "gzip": lambda: _zlib(16 + zlib.MAX_WBITS),
    "x-gzip": lambda: _zlib(16 + zlib.MAX_WBITS),
    "deflate": lambda: _zlib(zlib.MAX_WBITS),
    "zstd": _zstd,
}
