"""Asking the candidate, and the baseline a second time: one `Leg` each, nothing shared.

A leg has its own connection pool, its own limit on requests at once and its own deadline. It never
retries, hedges or follows redirects, and it marks what it sends, so that no sidecar mirrors it again.
What goes wrong comes back as a `Completion` with an `error_type`: failures are data here. `sent` is
refused (`Refused`) only for what says nothing about quality: the leg is down, sheds load, or is
configured wrongly; those are counted, never scored (DESIGN 5, Fidelity).
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import quote

import httpx

from monitor.config import ClientTLS
from monitor.lanes import Lanes, head
from monitor.openai_api import (
    StreamDecoder,
    TokenScore,
    decode_forced,
    decode_response,
    decode_token_ids,
    engine_seconds,
    forced_request,
    rewrite,
)
from monitor.records import Arm, Completion, Operation, Request
from monitor.server_load import Load, parse_load

MARKER = "x-tailgate-mirror"
MAX_ANSWER_BYTES = 16 << 20
_PATHS = {"chat": "/v1/chat/completions", "text_completion": "/v1/completions", "responses": "/v1/responses"}
_TOKENIZE = "/tokenize"
_dumped = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_LONGEST_ID: Final = 200
_VISIBLE: Final = "".join(map(chr, range(0x21, 0x7F))).replace("%", "")
# Scoring prompts needs memory outside vLLM's budget (vllm-project/vllm#5907): few at once, and a
# server that fails on them is left in peace for a while.
FORCED_AT_ONCE = 2
FORCED_FAILURES, FORCED_PAUSE_SECONDS = 3, 60.0
_NO_FAULT = frozenset({"shed", "context_length", "candidate_down"})
# A process that dies takes its answers with it; one that lives and fails has failed.
_BROKEN_OFF = frozenset({"reset", "truncated_stream", "http_500"})
# A wrong credential, model name or path says nothing about the model.
_MISCONFIGURED = frozenset({401, 403, 404, 405})
# A quota, a gateway without a server behind it, overload or maintenance (RFC 6585 4, RFC 9110 15.6): nor does this.
_UNAVAILABLE = frozenset({429, 502, 503})


class Refused(Exception):  # noqa: N818  a counted outcome, not an error
    """The leg did not take the request; `reason` is the funnel's label."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(detail or reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Identity:
    """What answers at a leg's address; another value means another candidate."""

    model: str | None
    root: str | None
    version: str | None
    max_model_len: int | None

    def __str__(self) -> str:
        return json.dumps([self.model, self.root, self.version, self.max_model_len])


@dataclass(frozen=True, slots=True)
class Ask:
    """How requests to one leg differ from the request as sent (the declared rewrite map)."""

    model: str | None = None
    logprobs: bool = False
    token_ids: bool = False
    priority: int | None = None


def _tls(settings: ClientTLS) -> ssl.SSLContext:
    if not settings.ca and not settings.client_cert:
        return httpx.create_ssl_context(trust_env=False)
    context = ssl.create_default_context(cafile=str(settings.ca) if settings.ca else None)
    if settings.client_cert:
        context.load_cert_chain(str(settings.client_cert))
    return context


class _Reading:
    """One answer on its way: clock and decoder, so that a timeout keeps what had arrived."""

    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self._started = time.perf_counter()
        self._decoder: StreamDecoder | None = None
        self._received = 0

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        self._decoder = StreamDecoder(self._operation, status=status, headers=headers)

    def feed(self, chunk: bytes) -> bool:
        """Take a chunk; False when the answer outgrew its bound."""
        if self._decoder is not None:
            self._decoder.feed(chunk, time.perf_counter() - self._started)
        self._received += len(chunk)
        return self._received <= MAX_ANSWER_BYTES

    def finish(self, error_type: str | None, message: str = "") -> Completion:
        elapsed = time.perf_counter() - self._started
        if self._received > MAX_ANSWER_BYTES:
            error_type, message = "too_large", f"more than {MAX_ANSWER_BYTES >> 20} MiB"
        if self._decoder is None:
            return Completion(duration_seconds=elapsed, error_type=error_type, error_message=message)
        completion = self._decoder.finish(error_type=error_type, t=elapsed if error_type else None)
        return replace(completion, error_message=message) if message else completion


def header_safe(request_id: str) -> str:
    """A client's id as every server takes it in a header: what is not visible ASCII as `%C3%A9`, and not without end.

    A client may send any byte from 0x80 on (RFC 9110, 5.5), and a recorded id may hold a line break.
    """
    return quote(request_id[:_LONGEST_ID], safe=_VISIBLE, errors="replace")


class Leg:
    """One destination. Use as an async context manager."""

    def __init__(
        self,
        arm: Arm,
        url: str,
        *,
        concurrency: int,
        token: str | None = None,
        tls: ClientTLS | None = None,
        failures_to_open: int = 3,
        pause_seconds: float = 5.0,
    ) -> None:
        self.arm = arm
        self.url = url
        self.in_flight = 0
        self.lost = False
        """Nobody answered at the last attempt; until `identity` does, what serves there may be another."""
        self._slots = asyncio.Semaphore(concurrency)
        self._breaker = Breaker(failures_to_open, pause_seconds)
        self._forced_slots = asyncio.Semaphore(FORCED_AT_ONCE)
        self._forced_breaker = Breaker(FORCED_FAILURES, FORCED_PAUSE_SECONDS, reason="breaker_open")
        headers = {MARKER: arm, "user-agent": "tailgate", "content-type": "application/json"}
        if token:
            headers["authorization"] = f"Bearer {token}"
        self._lanes = Lanes(url, _tls(tls or ClientTLS()))  # `_slots` bounds them
        self._client = httpx.AsyncClient(
            base_url=url,
            headers=headers,
            transport=self._lanes,
            timeout=None,  # noqa: S113  each question has its own deadline
            trust_env=False,  # no proxy or credential from the environment: only configured addresses
        )
        self._headers = self._client.headers.multi_items()
        self._heads: dict[str, bytes] = {}
        self._urls = {path: httpx.URL(url + path) for path in (*_PATHS.values(), _TOKENIZE)}

    async def __aenter__(self) -> Leg:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def send(
        self, request: Request, request_id: str, deadline: float, ask: Ask
    ) -> tuple[Completion, tuple[str, ...]]:
        """The leg's answer within `deadline` seconds, and the rewrites that were applied.

        Raises Refused where nothing can be said about the model. Timeouts are answers.
        """
        body, rewrites = rewrite(
            request,
            model=ask.model,
            logprobs=ask.logprobs,
            stream_usage=True,
            token_ids=ask.token_ids,
            priority=ask.priority,
        )
        async with self._slots:
            self._breaker.check(time.monotonic())
            completion = await self._exchange(request, body, request_id, deadline)
        broken_off = completion.error_type in _BROKEN_OFF or completion.finish_reason == "abort"
        if broken_off and await self._gone():
            raise Refused(f"{self.arm}_crashed", completion.error_message)
        return self._judged(completion), rewrites

    async def _exchange(
        self, request: Request, body: Mapping[str, Any], request_id: str, deadline: float
    ) -> Completion:
        in_flight, self.in_flight = self.in_flight, self.in_flight + 1
        reading = _Reading(request.operation)
        try:
            async with asyncio.timeout(deadline):
                await self._read(reading, request, body, request_id)
            completion = reading.finish(None)
        except TimeoutError:
            completion = reading.finish("timeout", f"no full answer in {deadline:.1f} s")
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            completion = reading.finish("connect", str(error))
        except (httpx.TransportError, httpx.InvalidURL) as error:
            completion = reading.finish("reset", f"{type(error).__name__}: {error}")
        finally:
            self.in_flight -= 1
        return replace(completion, in_flight=in_flight)

    async def _read(
        self, reading: _Reading, request: Request, body: Mapping[str, Any], request_id: str
    ) -> None:
        """Without a request and an answer of httpx, whose making is a third of what asking costs."""
        connection = await self._lanes.ask(self._message(_PATHS[request.operation], body, request_id))
        try:
            reading.begin(connection.status, connection.fields())
            while chunk := await connection.piece():
                if not reading.feed(chunk):
                    return
        finally:
            self._lanes.done(connection)

    def _message(self, path: str, body: Mapping[str, Any], request_id: str) -> bytes:
        """A POST as httpx would write it: only id, length and content differ from one to the next."""
        if path not in self._heads:
            url = self._urls[path]
            headers = [(b"Host", url.netloc), *self._client.headers.raw]
            self._heads[path] = head(b"POST", url.raw_path, headers)
        content = _dumped(body).encode()
        named = f"tailgate-{self.arm}-{header_safe(request_id)}".encode()
        last = b"x-request-id: %b\r\ncontent-length: %d\r\n\r\n" % (named, len(content))
        return b"".join((self._heads[path], last, content))

    @asynccontextmanager
    async def _asked(
        self, path: str, body: Mapping[str, Any], request_id: str
    ) -> AsyncIterator[httpx.Response]:
        """The answer to a POST while it comes. Straight from the transport: redirects, cookies, credentials and
        hooks, of which a leg wants none, cost httpx a third of the request."""
        named = ("x-request-id", f"tailgate-{self.arm}-{header_safe(request_id)}")
        request = httpx.Request("POST", self._urls[path], json=body, headers=[*self._headers, named])
        response = await self._lanes.handle_async_request(request)
        try:
            yield response
        finally:
            await response.aclose()

    def _judged(self, completion: Completion) -> Completion:
        """Tell outcomes from refusals, and keep the breaker's count."""
        down = completion.error_type == "connect"
        self._connected(ok=not down)
        if down:
            raise Refused(f"{self.arm}_down", completion.error_message)
        if completion.error_type in {"shed", "context_length"}:
            raise Refused(f"{self.arm}_{completion.error_type}", completion.error_message)
        if completion.status in _UNAVAILABLE:
            raise Refused(f"{self.arm}_unavailable", completion.error_message)
        if completion.status in _MISCONFIGURED:
            raise Refused(f"{self.arm}_misconfigured", completion.error_message)
        return completion

    def _connected(self, *, ok: bool) -> None:
        """Count one attempt to reach the server."""
        self._breaker.record(time.monotonic(), failed=not ok)
        self.lost = self.lost or not ok

    async def _gone(self) -> bool:
        """Whether the process behind an answer that broke off is dead: no connection, or an engine that died."""
        try:
            async with asyncio.timeout(5):
                alive = (await self._client.get("/health")).status_code < 500
        except (httpx.HTTPError, TimeoutError):
            alive = False
        self.lost = self.lost or not alive
        return not alive

    async def force(
        self, answer: Completion, request_id: str, deadline: float, ask: Ask
    ) -> tuple[tuple[TokenScore, ...], float | None]:
        """Scores of the answer's tokens, one prefill and no answer, and the engine's seconds where it reports them.

        Raises Refused where the server does not answer, BadInput where it did not score.
        """
        body = forced_request(answer, ask.model, ask.priority)
        async with self._forced_slots, self._slots:
            self._breaker.check(time.monotonic())
            self._forced_breaker.check(time.monotonic())
            try:
                found = await self._posted(_PATHS["text_completion"], body, f"forced-{request_id}", deadline)
            except Refused as refused:
                healthy = refused.reason in _NO_FAULT
                self._forced_breaker.record(time.monotonic(), failed=not healthy)
                raise
        self._forced_breaker.record(time.monotonic(), failed=False)
        return decode_forced(found, answer.token_ids), engine_seconds(found)

    async def tokenize(self, body: Mapping[str, Any], deadline: float) -> tuple[int, ...]:
        """Token ids from vLLM's /tokenize. Raises Refused, and BadInput for an answer without ids."""
        self._breaker.check(time.monotonic())
        return decode_token_ids(await self._posted(_TOKENIZE, body, "tokenize", deadline))

    async def _posted(self, path: str, body: Mapping[str, Any], request_id: str, deadline: float) -> bytes:
        """Body of a 200 answer within `deadline` seconds; else Refused with the funnel's reason."""
        try:
            async with asyncio.timeout(deadline), self._asked(path, body, request_id) as response:
                content = await _bounded(response)
        except TimeoutError as error:
            raise Refused("timeout", f"{path}: nothing in {deadline:.1f} s") from error
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            self._connected(ok=False)
            raise Refused(f"{self.arm}_down", str(error)) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Refused("reset", f"{path}: {type(error).__name__}: {error}") from error
        self._connected(ok=True)
        if response.status_code != 200:
            failed = decode_response("text_completion", {}, content, status=response.status_code)
            raise Refused(failed.error_type or "bad_body", failed.error_message)
        return content

    async def identity(self) -> Identity | None:
        """What serves there now, or None where it does not answer."""
        models = await self._get("/v1/models")
        if models is None:
            return None
        self.lost = False
        version = await self._get("/version") or {}
        first: dict[str, Any] = next(iter(models.get("data") or ()), {})
        length = first.get("max_model_len")
        return Identity(first.get("id"), first.get("root"), version.get("version"), length)

    async def _get(self, path: str) -> dict[str, Any] | None:
        try:
            async with asyncio.timeout(5):
                response = await self._client.get(path)
            body = response.json() if response.status_code == 200 else None
        except (httpx.HTTPError, TimeoutError, ValueError):
            return None
        return body if isinstance(body, dict) else None

    async def load(self) -> Load:
        """Queue length and KV-cache use from the server's own metrics."""
        try:
            async with asyncio.timeout(2):
                response = await self._client.get("/metrics")
        except (httpx.HTTPError, TimeoutError) as error:
            self.lost = self.lost or isinstance(error, httpx.ConnectError)
            return Load()
        return parse_load(response.text) if response.status_code == 200 else Load()


async def _bounded(response: httpx.Response) -> bytes:
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > MAX_ANSWER_BYTES:
            raise Refused("too_large", f"more than {MAX_ANSWER_BYTES >> 20} MiB")
    return bytes(content)


class Breaker:
    """Opens after `failures` refused connections in a row, lets one request through per pause."""

    def __init__(self, failures: int, pause_seconds: float, reason: str = "candidate_down") -> None:
        self._reason = reason
        self._limit = failures
        self._pause = pause_seconds
        self._failed = 0
        self._retry_at = 0.0

    @property
    def open(self) -> bool:
        return self._failed >= self._limit

    def check(self, now: float) -> None:
        """Raise Refused while open; the first caller after the pause becomes the trial."""
        if not self.open:
            return
        if now < self._retry_at:
            raise Refused(self._reason, "circuit breaker is open")
        self._retry_at = now + self._pause

    def record(self, now: float, *, failed: bool) -> None:
        """Count one outcome."""
        self._failed = self._failed + 1 if failed else 0
        if self.open:
            self._retry_at = now + self._pause
