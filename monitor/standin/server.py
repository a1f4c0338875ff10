"""The stand-in as an ASGI application, and as a running server. I/O."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
import uvicorn

from monitor import languages
from monitor.errors import BadInput
from monitor.openai_api import decode_request
from monitor.records import Operation, Request
from monitor.standin import asgi, bodies, limits, tokens
from monitor.standin.call import Call, refuse
from monitor.standin.gauges import Gauges
from monitor.standin.generation import Generation, generate, prompt_ids, rendered
from monitor.standin.settings import Settings

Scope = Mapping[str, Any]
_PREFIX: Mapping[Operation, str] = {"chat": "chatcmpl", "text_completion": "cmpl", "responses": "resp"}
_BLOCK = 16


class Standin:
    """One stand-in; call it as an ASGI application."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.gauges = Gauges(settings.slots)
        self._slots = asyncio.Semaphore(settings.slots)
        self._seen: dict[bytes, int] = {}
        self._started = int(time.time())

    async def __call__(self, scope: Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        if scope["type"] == "lifespan":
            return await _lifespan(receive, send)
        if scope["type"] != "http":
            return None
        path = scope["path"]
        if scope["method"] == "GET":
            return await self._get(path, send)
        if path in {"/tokenize", "/detokenize"}:
            return await self._tokens(path, receive, send)
        return await self._complete(path, scope, receive, send)

    async def _get(self, path: str, send: asgi.Send) -> None:
        settings = self.settings
        pages: Mapping[str, Callable[[], bytes]] = {
            "/health": bytes,
            "/ping": bytes,
            "/version": lambda: asgi.encode({"version": "0.32.0"}),
            "/load": lambda: asgi.encode({"server_load": self.gauges.running}),
            "/metrics": lambda: self.gauges.page(settings.model),
            "/v1/models": lambda: asgi.encode(
                bodies.model_list(settings.model, settings.root, settings.max_model_len, self._started)
            ),
        }
        if path not in pages:
            return await asgi.Wire(send).answer(404, b'{"detail":"Not Found"}')
        kind = asgi.TEXT if path == "/metrics" else asgi.JSON
        return await asgi.Wire(send).answer(200, pages[path](), kind)

    async def _tokens(self, path: str, receive: asgi.Receive, send: asgi.Send) -> None:
        body = await asgi.read_body(receive)
        try:
            value = msgspec.json.decode(body, type=dict[str, Any])
            answer = self._detokenized(value) if path == "/detokenize" else self._tokenized(value)
        except (msgspec.DecodeError, BadInput, TypeError) as error:
            return await refuse(asgi.Wire(send), limits.unreadable(str(error)))
        return await asgi.Wire(send).answer(200, asgi.encode(answer))

    def _tokenized(self, value: Mapping[str, Any]) -> dict[str, Any]:
        text = value.get("prompt", "")
        if "messages" in value:
            text = rendered(decode_request("/chat/completions", {}, asgi.encode(value)).messages)
        strings = bool(value.get("return_token_strs"))
        return bodies.tokenized(str(text), self.settings.max_model_len, strings=strings)

    @staticmethod
    def _detokenized(value: Mapping[str, Any]) -> dict[str, Any]:
        return {"prompt": tokens.text_of([int(number) for number in value.get("tokens") or ()])}

    async def _complete(self, path: str, scope: Scope, receive: asgi.Receive, send: asgi.Send) -> None:
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        request_id = headers.get("x-request-id") or f"{self.gauges.serial:016x}"
        wire = asgi.Wire(send, (b"x-request-id", request_id.encode("latin-1", "replace")))
        body = await asgi.read_body(receive)
        try:
            request = decode_request(path, headers, body)
        except BadInput as error:
            return await _undecodable(wire, error)
        ids = prompt_ids(request)
        refused = limits.refusal(request, self.settings, len(ids))
        if refused:
            return await refuse(wire, refused)
        if self._full():
            self.gauges.rejected += 1
            return await refuse(wire, limits.BUSY)
        return await self._serve(request, request_id, receive, wire)

    def _full(self) -> bool:
        allowed = self.settings.max_queued
        return allowed is not None and self._slots.locked() and self.gauges.waiting >= allowed

    async def _serve(self, request: Request, request_id: str, receive: asgi.Receive, wire: asgi.Wire) -> None:
        self.gauges.serial += 1
        generation = generate(request, self.settings, self.gauges.serial)
        async with self._slot() as queued:
            stamp = self._stamp(generation, request_id)
            call = Call(self.settings, self.gauges, generation, stamp, wire, queued)
            gone = asyncio.ensure_future(asgi.left(receive))
            done = asyncio.ensure_future(call.run())
            await asyncio.wait({gone, done}, return_when=asyncio.FIRST_COMPLETED)
            gone.cancel()
            if not done.done():
                done.cancel()
                self.gauges.finished["abort"] += 1
            with suppress(asyncio.CancelledError):
                await done

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[float]:
        """A place in the batch; yields the seconds spent waiting for it."""
        asked = time.perf_counter()
        self.gauges.waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self.gauges.waiting -= 1
        self.gauges.running += 1
        try:
            yield time.perf_counter() - asked
        finally:
            self.gauges.running -= 1
            self._slots.release()

    def _stamp(self, generation: Generation, request_id: str) -> bodies.Stamp:
        prefix = _PREFIX[generation.request.operation]
        cached = self._cached(generation)
        return bodies.Stamp(f"{prefix}-{request_id}", int(time.time()), self.settings.model, cached)

    def _cached(self, generation: Generation) -> int:
        """Prompt tokens found in the prefix cache: whole blocks of a prompt seen before."""
        key = blake2b(asgi.encode(generation.prompt_ids), digest_size=16).digest()
        known = self._seen.get(key)
        if len(self._seen) > 50_000:
            self._seen.clear()
        self._seen[key] = len(generation.prompt_ids)
        return 0 if known is None else (known - 1) // _BLOCK * _BLOCK


async def _undecodable(wire: asgi.Wire, error: BadInput) -> None:
    if error.reason == "endpoint_unsupported":
        return await wire.answer(404, b'{"detail":"Not Found"}')
    return await refuse(wire, limits.unreadable(str(error)))


async def _lifespan(receive: asgi.Receive, send: asgi.Send) -> None:
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return


def listening(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 lets the system choose."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)


def http_server(settings: Settings, *, cert: Path | None = None, key: Path | None = None) -> uvicorn.Server:
    """A server that is not running yet; `run(sockets=[listening(...)])` blocks until a signal."""
    languages.language("ok")  # loads the detectors now, not under the first request
    config = uvicorn.Config(
        Standin(settings),
        log_level="critical",  # a planted crash is no news
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=2,
        # Closing idle connections races with their next request (RFC 9112 9.5); stay open instead.
        timeout_keep_alive=300,
        ssl_certfile=cert,
        ssl_keyfile=key,
    )
    return uvicorn.Server(config)
