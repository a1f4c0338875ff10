"""Envoy's external processor in observability mode: both directions of each stream, told as they pass.

Envoy sends copies and never waits for an answer (`observability_mode: true`); this side only appends
to lists, because a stream whose processor lags is cut off `deferred_close_timeout` after its end.
Not sampled, nothing more wanted: the call ends after the request's head and Envoy stops copying.
The shipped configuration is deploy/envoy/ext_proc.yaml.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc

from collectors.envoy_messages import SERVICE, ProcessingRequest, fields
from collectors.intake import Intake, head
from collectors.serving import authorized, grpc_server
from collectors.wire import Exchange

_CALLS = 1024
_MESSAGE_BYTES = 1 << 20  # Envoy sends what it read from a socket, far less at a time


class Stream:
    """One HTTP request with its answer. `feed` says whether more is wanted; `end` must be called once."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._exchange: Exchange | None = None
        self._request_bytes = self._response_bytes = 0

    def feed(self, message: Any, now: int) -> bool:
        """One message; `now` in monotonic nanoseconds."""
        kind = message.WhichOneof("request")
        if kind == "request_headers":
            return self._asked(message.request_headers, now)
        return self._exchange is not None and self._step(self._exchange, kind, message, now)

    def end(self) -> None:
        """The call is over; an exchange that had not ended was cut off: by its client, or by a limit."""
        if self._exchange is not None:
            self._intake.admission.drop(self._exchange, "cut_off")
            self._exchange = None

    def _asked(self, message: Any, now: int) -> bool:
        found = fields(message)
        method, path = found.pop(":method", ""), found.pop(":path", "")
        exchange = self._intake.begin(method, path, _real(found), now)
        if exchange is None:
            return False
        exchange.collector = "envoy"
        exchange.in_flight = 0  # requests that are not sampled end here: their number is unknown
        exchange.request_ended = now
        self._exchange = exchange
        return True

    def _step(self, exchange: Exchange, kind: str | None, message: Any, now: int) -> bool:
        match kind:
            case "request_body":
                return self._more_request(exchange, message.request_body.body)
            case "response_headers":
                return self._answered(exchange, message.response_headers, now)
            case "response_body":
                return self._more_response(exchange, message.response_body, now)
            case "response_trailers":
                return self._finish(exchange, now)
        return True

    def _more_request(self, exchange: Exchange, data: bytes) -> bool:
        self._request_bytes += len(data)
        exchange.request_body.append(data)
        return self._grown(exchange, len(data), self._request_bytes)

    def _answered(self, exchange: Exchange, message: Any, now: int) -> bool:
        found = fields(message)
        status = found.pop(":status", "")
        exchange.status = int(status) if status.isdecimal() else 0
        exchange.response_fields = self._intake.admission.response_fields(head("", "", _real(found)))
        return self._finish(exchange, now) if message.end_of_stream else True

    def _more_response(self, exchange: Exchange, message: Any, now: int) -> bool:
        data = message.body
        if data:
            self._response_bytes += len(data)
            exchange.response_body.append(data)
            exchange.marks.append((now, len(data)))
            if not self._grown(exchange, len(data), self._response_bytes):
                return False
        return self._finish(exchange, now) if message.end_of_stream else True

    def _grown(self, exchange: Exchange, count: int, message_bytes: int) -> bool:
        if self._intake.grow(exchange, count, message_bytes):
            return True
        self._exchange = None
        return False

    def _finish(self, exchange: Exchange, now: int) -> bool:
        exchange.ended = now
        self._exchange = None
        self._intake.admission.finish(exchange)
        return False


def _real(found: dict[str, str]) -> dict[str, str]:
    """Without pseudo-headers."""
    return {name: value for name, value in found.items() if not name.startswith(":")}


@asynccontextmanager
async def ext_proc(intake: Intake, address: str, token: str) -> AsyncIterator[str]:
    """The gRPC service; yields its address."""

    async def process(messages: AsyncIterator[Any], context: grpc.aio.ServicerContext) -> None:
        if not authorized(dict(context.invocation_metadata() or ()).get("authorization", ""), token):
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "collect.token_env names the token")
        stream = Stream(intake)
        try:
            async for message in messages:
                if not stream.feed(message, time.monotonic_ns()):
                    return
        finally:
            stream.end()

    handler = grpc.method_handlers_generic_handler(
        SERVICE,
        {"Process": grpc.stream_stream_rpc_method_handler(process, ProcessingRequest.FromString)},
    )
    async with grpc_server(
        handler, address, "collect.envoy.listen", max_message_bytes=_MESSAGE_BYTES, calls=_CALLS
    ) as bound:
        yield bound
