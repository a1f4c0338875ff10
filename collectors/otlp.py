"""GenAI spans over OTLP, gRPC and HTTP (protobuf and JSON, plain or gzip), into the spool.

An export is answered once its spans are admitted or counted; nothing is held back and no sender is
ever asked to wait. Sizes are bounded before and after decompression: gRPC's core does so itself.
https://opentelemetry.io/docs/specs/otlp/
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from collectors.bodies import body_of
from collectors.genai_messages import Event
from collectors.genai_spans import EXCLUDED, Span, told
from collectors.intake import Intake
from collectors.serving import authorized, grpc_server, http_server
from monitor.config_collect import Otlp
from monitor.errors import BadInput, ConfigError

try:
    import grpc
    from google.protobuf import json_format
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
        ExportTraceServiceRequest,
        ExportTraceServiceResponse,
    )
except ImportError as error:  # pragma: no cover  exercised in a venv without the extra
    raise ConfigError("collect.otlp: needs pip install 'tailgate[collect]'") from error

PROTOBUF, JSON = "application/x-protobuf", "application/json"
_METHOD = "opentelemetry.proto.collector.trace.v1.TraceService"
_ERROR = 2  # Status.STATUS_CODE_ERROR


class Receiver:
    """Turns exports into exchanges; one per process, called in its loop."""

    def __init__(self, intake: Intake, declared: Sequence[str]) -> None:
        self._intake, self._declared = intake, declared

    def take(self, export: ExportTraceServiceRequest) -> None:
        """Every span ends in the spool or in one count."""
        for span in spans_of(export):
            try:
                self._intake.take(told(span, self._declared))
            except BadInput as reason:
                count = self._intake.exclude if reason.reason in EXCLUDED else self._intake.refuse
                count(reason.reason)

    def refuse(self, reason: str) -> None:
        """Count an export that nobody could read."""
        self._intake.refuse(reason)


def spans_of(export: ExportTraceServiceRequest) -> Iterator[Span]:
    """All spans of an export as values."""
    for group in export.resource_spans:
        resource = _attributes(group.resource.attributes)
        for scope in group.scope_spans:
            for span in scope.spans:
                yield Span(
                    trace_id=_hex(span.trace_id, 16),
                    span_id=_hex(span.span_id, 8),
                    start=span.start_time_unix_nano,
                    end=span.end_time_unix_nano,
                    attributes=_attributes(span.attributes),
                    events=tuple(Event(event.name, _attributes(event.attributes)) for event in span.events),
                    failed=span.status.code == _ERROR,
                    resource=resource,
                )


def _hex(value: bytes, length: int) -> str:
    """In OTLP/JSON ids are hex, which a protobuf library reads as base64: undo that."""
    if len(value) == length * 3 // 2:
        return base64.b64encode(value).decode().lower()
    return value.hex()


def _attributes(pairs: Iterable[Any]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    return getattr(value, kind) if kind else None


def decode(body: bytes, content_type: str) -> ExportTraceServiceRequest:
    """An uncompressed body; BadInput `unreadable` where it is no export."""
    export = ExportTraceServiceRequest()
    try:
        if content_type == JSON:
            json_format.Parse(body, export, ignore_unknown_fields=True)
        else:
            export.ParseFromString(body)
    except (DecodeError, json_format.ParseError, UnicodeError, RecursionError) as error:
        raise BadInput("unreadable", str(error)) from error
    return export


@asynccontextmanager
async def over_http(receiver: Receiver, settings: Otlp, token: str) -> AsyncIterator[str]:
    """`POST /v1/traces`; yields the address."""

    async def traces(request: Request) -> Response:
        if not authorized(request.headers.get("authorization", ""), token):
            return Response(status_code=401)
        kind = request.headers.get("content-type", PROTOBUF).partition(";")[0].strip().lower()
        if kind not in {PROTOBUF, JSON}:
            return Response(f"send {PROTOBUF} or {JSON}", status_code=415)
        try:
            body = await body_of(request, settings.max_request_bytes, settings.max_inflated_bytes)
            receiver.take(decode(body, kind))
        except BadInput as error:
            receiver.refuse(error.reason)
            return Response(str(error), status_code=413 if error.reason == "too_large" else 400)
        reply = b"{}" if kind == JSON else ExportTraceServiceResponse().SerializeToString()
        return Response(reply, media_type=kind)

    app = Starlette(routes=[Route("/v1/traces", traces, methods=["POST"])])
    async with http_server(app, settings.http or "", "collect.otlp.http") as address:
        yield address


@asynccontextmanager
async def over_grpc(receiver: Receiver, settings: Otlp, token: str) -> AsyncIterator[str]:
    """`TraceService/Export`; yields the address."""

    async def export(body: bytes, context: grpc.aio.ServicerContext) -> bytes:
        shown = dict(context.invocation_metadata() or ()).get("authorization", "")
        if not authorized(shown, token):
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "collect.token_env names the token")
        try:
            receiver.take(decode(body, PROTOBUF))
        except BadInput as error:
            receiver.refuse(error.reason)
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        return b""

    handler = grpc.method_handlers_generic_handler(
        _METHOD, {"Export": grpc.unary_unary_rpc_method_handler(export)}
    )
    limit = settings.max_inflated_bytes
    async with grpc_server(
        handler, settings.grpc or "", "collect.otlp.grpc", max_message_bytes=limit
    ) as address:
        yield address
