"""How a connection's side ends: in order, half-closed, or by reset, as its other side did."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress

_RESET = struct.pack("ii", 1, 0)


def discard(data: bytes) -> None:
    """Where bytes go whose receiver is gone."""


def finish(transport: asyncio.Transport | None, *, both: bool) -> None:
    """Pass a FIN on; close where the other direction has ended too."""
    if transport is None or transport.is_closing():
        return
    if both or not transport.can_write_eof():
        transport.close()
    else:
        transport.write_eof()


def set_reset(transport: asyncio.Transport) -> None:
    """Have the close that follows send RST."""
    with suppress(OSError):
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


def close_with_reset(transport: asyncio.Transport) -> None:
    """Close with RST, after what was already read from the other side has been passed on."""
    set_reset(transport)
    transport.close()
