"""The few ASGI messages that the stand-in needs, and the ends of an answer that HTTP does not plan for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

import msgspec

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Header = tuple[bytes, bytes]

JSON = (b"content-type", b"application/json")
EVENTS = (b"content-type", b"text/event-stream; charset=utf-8")
TEXT = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")


class Torn(Exception):  # noqa: N818  not an error of ours: the planned end of a faulty answer
    """Ends an answer without ending it: the server closes the connection."""


async def read_body(receive: Receive) -> bytes:
    """The whole request body."""
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return b"".join(parts)


async def left(receive: Receive) -> None:
    """Returns when the client has gone."""
    gone = False
    while not gone:
        gone = (await receive())["type"] == "http.disconnect"


@dataclass(frozen=True, slots=True)
class Wire:
    """Where an answer goes, with the header that every answer to this request carries."""

    send: Send
    echoed: Header | None = None

    async def start(self, status: int, *headers: Header) -> None:
        """Status line and headers."""
        every = [*headers, *([self.echoed] if self.echoed else [])]
        await self.send({"type": "http.response.start", "status": status, "headers": every})

    async def piece(self, body: bytes, *, more: bool = True) -> None:
        """Some bytes of the body."""
        await self.send({"type": "http.response.body", "body": body, "more_body": more})

    async def answer(self, status: int, body: bytes, kind: Header = JSON) -> None:
        """A whole answer."""
        await self.start(status, kind, (b"content-length", str(len(body)).encode()))
        await self.piece(body, more=False)


def encode(value: object) -> bytes:
    """JSON bytes."""
    return msgspec.json.encode(value)


def event(value: Any, *, named: bool) -> bytes:
    """One server-sent event; the Responses API names its events."""
    name = f"event: {value['type']}\n".encode() if named else b""
    return b"%sdata: %s\n\n" % (name, encode(value))
