"""A sender that says nothing, or half of a head, is let go: it would keep a connection for ever."""

from __future__ import annotations

import asyncio

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from collectors.serving import http_server
from monitor.http.patience import Patient


class Impatient(Patient):
    """As collectors have it, in less time."""

    head_seconds = 0.2


APP = Starlette(routes=[Route("/", lambda _: PlainTextResponse("here"))])


async def told(sent: bytes) -> bytes:
    """Everything that comes back until the server closes the connection."""
    async with http_server(APP, "127.0.0.1:0", "collect.otlp.http", Impatient) as address:
        host, port = address.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(sent)
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
        return answer


def test_half_a_head_is_not_waited_for() -> None:
    assert asyncio.run(told(b"POST /v1/traces HTTP/1.1\r\nhost: ")) == b""


def test_a_connection_that_never_asks_is_closed() -> None:
    assert asyncio.run(told(b"")) == b""


def test_a_whole_head_is_answered() -> None:
    answer = asyncio.run(told(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"))
    assert answer.endswith(b"\r\n\r\nhere")
