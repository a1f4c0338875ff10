"""Routes of the monitor's HTTP API (DESIGN 7). Handlers translate; the `Service` decides."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from monitor.errors import BadInput, TailgateError
from monitor.http.guard import Guard, Tokens
from monitor.http.openapi import document
from monitor.records import Funnel, Verdict
from monitor.summary import reason
from monitor.verdict import funnel_json, to_json

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PLAIN = "text/plain; version=0.0.4; charset=utf-8"
MAX_PAIRS = 1000


class Service(Protocol):
    """What the app offers; every method may block briefly and is called in a thread."""

    def verdict(self) -> Verdict: ...
    def funnel(self) -> Funnel: ...
    def pairs(self, segment: str | None, signal: str | None, limit: int) -> Sequence[Mapping[str, Any]]: ...
    def metrics(self, *, openmetrics: bool) -> bytes: ...
    def label(self, labels: Sequence[Mapping[str, Any]]) -> Mapping[str, int]: ...
    def store_probes(self, results: Sequence[Any]) -> Mapping[str, int]: ...
    def erase(self, subject: str) -> Mapping[str, Any]: ...
    def export_subject(self, subject: str) -> Sequence[Mapping[str, Any]]: ...
    def not_ready(self) -> str | None: ...
    def reload(self) -> str: ...


Handler = Callable[[Request], Awaitable[Response]]


async def _json_body(request: Request) -> Any:
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise BadInput("content_type", "send application/json")
    body = await request.body()
    try:
        found = json.loads(body)
        if b"\\u" in body:  # half a surrogate pair has no UTF-8, and no database takes it (RFC 8259, 8.2)
            json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise BadInput("not_json", f"the body is not JSON: {error}") from error
    return found


async def _subject(request: Request) -> str:
    body = await _json_body(request)
    subject = body.get("subject") if isinstance(body, dict) else None
    if not isinstance(subject, str) or not subject:
        raise BadInput("subject", 'send {"subject": "..."}')
    return subject


def _limit(text: str | None) -> int:
    if text is None:
        return 20
    if not text.isdecimal() or not 1 <= int(text[:9]) <= MAX_PAIRS:
        raise BadInput("limit", f"limit must be a number from 1 to {MAX_PAIRS}")
    return int(text)


class Api:
    """Handlers over one service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._written: tuple[Verdict, bytes] | None = None

    def routes(self) -> list[BaseRoute]:
        get, post = ["GET"], ["POST"]
        table: Sequence[tuple[str, Handler, list[str]]] = (
            ("/metrics", self.metrics, get),
            ("/-/healthy", self.healthy, get),
            ("/-/ready", self.ready, get),
            ("/-/reload", self.reload, post),
            ("/api/v1/openapi.json", self.openapi, get),
            ("/api/v1/verdict", self.verdict, get),
            ("/api/v1/segments", self.segments, get),
            ("/api/v1/pairs", self.pairs, get),
            ("/api/v1/funnel", self.funnel, get),
            ("/api/v1/labels", self.labels, post),
            ("/api/v1/probes", self.probes, post),
            ("/api/v1/erase", self.erase, post),
            ("/api/v1/subject", self.subject, post),
            ("/gate/argo", self.argo, get),
            ("/gate/flagger", self.flagger, post),
        )
        return [Route(path, handler, methods=methods) for path, handler, methods in table]

    async def metrics(self, request: Request) -> Response:
        openmetrics = "application/openmetrics-text" in request.headers.get("accept", "")
        page = await run_in_threadpool(self._service.metrics, openmetrics=openmetrics)
        return Response(page, headers={"content-type": OPENMETRICS if openmetrics else PLAIN})

    async def healthy(self, _: Request) -> Response:
        return PlainTextResponse("healthy\n")

    async def ready(self, _: Request) -> Response:
        reason = await run_in_threadpool(self._service.not_ready)
        return PlainTextResponse(f"not ready: {reason}\n" if reason else "ready\n", 503 if reason else 200)

    async def reload(self, _: Request) -> Response:
        return JSONResponse({"reloaded": await run_in_threadpool(self._service.reload)})

    async def openapi(self, _: Request) -> Response:
        return JSONResponse(document())

    async def verdict(self, _: Request) -> Response:
        return Response(await run_in_threadpool(self._verdict_body), media_type="application/json")

    def _verdict_body(self) -> bytes:
        """Written in a thread and once per verdict: thousands of rows hold the event loop up for a tenth of a second."""
        verdict, written = self._service.verdict(), self._written
        if written is None or written[0] is not verdict:
            written = self._written = (verdict, bytes(JSONResponse(to_json(verdict)).body))
        return written[1]

    async def segments(self, _: Request) -> Response:
        return Response(await run_in_threadpool(self._segments_body), media_type="application/json")

    def _segments_body(self) -> bytes:
        verdict = to_json(self._service.verdict())
        return bytes(JSONResponse({"route": verdict["route"], "segments": verdict["segments"]}).body)

    async def funnel(self, _: Request) -> Response:
        return JSONResponse(funnel_json(await run_in_threadpool(self._service.funnel)))

    async def pairs(self, request: Request) -> Response:
        query = request.query_params
        limit = _limit(query.get("limit"))
        rows = await run_in_threadpool(self._service.pairs, query.get("segment"), query.get("signal"), limit)
        return JSONResponse({"pairs": list(rows)})

    async def labels(self, request: Request) -> Response:
        body = await _json_body(request)
        labels = body if isinstance(body, list) else [body]
        if not all(isinstance(label, dict) for label in labels):
            raise BadInput("labels", 'send {"id": ..., "candidate_correct": true} or a list of them')
        return JSONResponse(dict(await run_in_threadpool(self._service.label, labels)))

    async def probes(self, request: Request) -> Response:
        body = await _json_body(request)
        results = body if isinstance(body, list) else [body]
        return JSONResponse(dict(await run_in_threadpool(self._service.store_probes, results)))

    async def erase(self, request: Request) -> Response:
        subject = await _subject(request)
        return JSONResponse(dict(await run_in_threadpool(self._service.erase, subject)))

    async def subject(self, request: Request) -> Response:
        """What is kept about a person: a POST, so that no log ever holds the subject, and a token is asked."""
        subject = await _subject(request)
        return JSONResponse({"pairs": list(await run_in_threadpool(self._service.export_subject, subject))})

    async def argo(self, _: Request) -> Response:
        verdict = await run_in_threadpool(self._service.verdict)
        return JSONResponse(
            {
                "verdict": verdict.verdict,
                "route": verdict.route,
                "pairs": verdict.pairs,
                "reason": reason(verdict),
                "warnings": len(verdict.warnings),
            }
        )

    async def flagger(self, _: Request) -> Response:
        verdict = await run_in_threadpool(self._service.verdict)
        status = 200 if verdict.verdict == "ok" else 412
        return PlainTextResponse(f"{verdict.verdict}: {reason(verdict)}\n", status)


async def _bad_input(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error), "reason": getattr(error, "reason", "")}, status_code=400)


async def _our_error(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, status_code=503)


def application(
    service: Service, *, tokens: Tokens, loopback: bool, pages: Sequence[BaseRoute] = ()
) -> Starlette:
    """The ASGI application; `pages` are the routes of the human side."""
    return Starlette(
        routes=[*Api(service).routes(), *pages],
        middleware=[Middleware(Guard, tokens=tokens, loopback=loopback)],
        exception_handlers={BadInput: _bad_input, TailgateError: _our_error},
    )
