"""The sidecar's admin port: health, metrics, funnel and the kill switch. A process of its own.

Reads what the workers count in shared memory, so a scrape never touches the data path.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import signal
import socket
import time
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

import msgspec

from collectors.counters import EVERY_DROPPED, EVERY_EXCLUDED, UNOBSERVED, Board
from collectors.exposition import counts, exposition, positive
from collectors.settings import Settings

_TEXT = "text/plain; version=0.0.4; charset=utf-8"
_JSON = "application/json"
_HEAD_LIMIT = 1 << 14
_BODY_LIMIT = 1 << 10
_REQUEST_SECONDS = 5.0
_READY_SECONDS = 1.0
_CONNECTIONS = 32
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


class Reply(NamedTuple):
    """What one admin request is answered with."""

    status: int
    body: str
    content_type: str = _JSON


class Sampling(msgspec.Struct, forbid_unknown_fields=True):
    """Body of `/-/sampling`."""

    fraction: float


def serve_admin(settings: Settings, board: Board, listener: socket.socket, parent: int) -> None:
    """Run the admin process until SIGTERM or the parent's end."""
    admin = Admin(settings, board, listener.getsockname()[0])
    asyncio.run(_serve(admin, listener, parent))


async def _serve(admin: Admin, listener: socket.socket, parent: int) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    loop.add_reader(parent, stop.set)
    server = await asyncio.start_server(admin.connection, sock=listener, limit=_HEAD_LIMIT)
    await stop.wait()
    loop.remove_reader(parent)
    server.close()


class Admin:
    """Answers one request per connection; `host` is the address that it is bound to."""

    def __init__(self, settings: Settings, board: Board, host: str) -> None:
        self._settings, self._board = settings, board
        # A page in a browser on this machine reaches loopback under a name that it rebinds (DNS rebinding).
        self._loopback = host in _LOCAL
        self._token = os.environ.get(settings.token_env, "") if settings.token_env else ""
        self._places = asyncio.Semaphore(_CONNECTIONS)
        self._reachable = (float("-inf"), "")

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Bounded in size and time: a slow or large request ends, nobody waits for it."""
        try:
            async with self._places, asyncio.timeout(_REQUEST_SECONDS):
                reply = await self._reply(reader)
                writer.write(_response(reply))
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _reply(self, reader: asyncio.StreamReader) -> Reply:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.LimitOverrunError:
            return _error(431, "the request's head is too large")
        line, *fields = head.split("\r\n")
        method, _, rest = line.partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (f.partition(":") for f in fields)
        }
        if self._loopback and _hostname(headers.get("host", "")) not in _LOCAL:
            return _error(421, "unknown Host; bind sidecar.admin to this address to allow it")
        if path == "/-/sampling" and method == "PUT":
            return await self._put_sampling(reader, headers)
        if method not in {"GET", "HEAD"}:
            return _error(405, "only GET here, and PUT on /-/sampling")
        return await self._get(path)

    async def _get(self, path: str) -> Reply:
        match path:
            case "/metrics":
                return Reply(200, exposition(self._settings.route, self._board, _version()), _TEXT)
            case "/-/healthy":
                return Reply(200, '{"healthy": true}')
            case "/-/ready":
                return await self._ready()
            case "/-/sampling":
                return _json({"fraction": self._board.fraction})
            case "/-/funnel":
                return _json(funnel(self._board))
            case _:
                return _error(404, "try /metrics, /-/healthy, /-/ready, /-/sampling or /-/funnel")

    async def _ready(self) -> Reply:
        """Whether the upstream accepts a connection; asked at most once a second."""
        checked, problem = self._reachable
        if not self._settings.upstream[0]:
            return _json({"ready": True, "problem": ""})  # nothing is forwarded here
        if time.monotonic() - checked > _READY_SECONDS:
            problem = ""
            try:
                async with asyncio.timeout(_READY_SECONDS):
                    _, writer = await asyncio.open_connection(*self._settings.upstream)
                    writer.close()
            except OSError as error:  # a timeout is one too
                problem = str(error) or type(error).__name__
            self._reachable = (time.monotonic(), problem)
        return _json({"ready": not problem, "problem": problem}, 503 if problem else 200)

    async def _put_sampling(self, reader: asyncio.StreamReader, headers: dict[str, str]) -> Reply:
        if headers.get("origin") or headers.get("sec-fetch-site", "none") != "none":
            return _error(403, "no browser's page may switch this")
        if self._token:
            given = headers.get("authorization", "").removeprefix("Bearer ")
            if not hmac.compare_digest(given.encode(), self._token.encode()):
                return _error(401, "bearer token missing or wrong (sidecar.token_env)")
        length = headers.get("content-length", "")
        # RFC 9110, 8.6: digits of ASCII; `²` is a digit to Python and no number.
        known = length.isascii() and length.isdecimal()
        if not known or int(length[:9]) > _BODY_LIMIT:
            return _error(413 if known else 411, "send a short JSON body with its length")
        try:
            fraction = msgspec.json.decode(await reader.readexactly(int(length)), type=Sampling).fraction
        except msgspec.MsgspecError as error:
            return _error(400, f'send {{"fraction": 0.05}}: {error}')
        if not 0 <= fraction <= 1:
            return _error(400, "fraction must be between 0 and 1")
        self._board.fraction = fraction
        return _json({"fraction": fraction})


def _hostname(host: str) -> str:
    """Of a Host header, which may carry a port and brackets (RFC 9110, 7.2)."""
    if host.startswith("["):
        name, _, port = host[1:].partition("]")
        return "" if port and not port.startswith(":") else name
    return host.partition(":")[0].lower()


def funnel(board: Board) -> dict[str, object]:
    """Where every parsed request ended, since the sidecar started."""
    dropped = counts(board, "dropped", EVERY_DROPPED)
    excluded = counts(board, "excluded", EVERY_EXCLUDED)
    sampled, not_sampled, written = (board.total(name) for name in ("sampled", "not_sampled", "written"))
    return {
        "requests": sum(excluded.values()) + sampled + not_sampled,
        "excluded": positive(excluded),
        "eligible": sampled + not_sampled,
        "not_sampled": not_sampled,
        "sampled": sampled,
        "dropped": positive(dropped),
        "written": written,
        "pending": sampled - written - sum(dropped.values()),
        "unkeyed": board.total("unkeyed"),
        "unobserved_connections": positive(counts(board, "unobserved", UNOBSERVED)),
        "fraction": board.fraction,
    }


def _version() -> str:
    with suppress(PackageNotFoundError):
        return version("tailgate")
    return "unknown"


def _json(value: object, status: int = 200) -> Reply:
    return Reply(status, msgspec.json.encode(value).decode())


def _error(status: int, message: str) -> Reply:
    return _json({"error": message}, status)


def _response(reply: Reply) -> bytes:
    body = reply.body.encode()
    head = (
        f"HTTP/1.1 {reply.status} {'OK' if reply.status == 200 else 'Error'}\r\n"
        f"content-type: {reply.content_type}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body
