"""Metrics and health of a process that has no verdict to give: a monitor that only scores, the shipper."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from monitor.exposition import openmetrics as openmetrics_text
from monitor.http.api import OPENMETRICS, PLAIN
from monitor.http.guard import Guard, Tokens


def plain_application(
    registry: CollectorRegistry, not_ready: Callable[[], str | None], *, tokens: Tokens, loopback: bool
) -> Starlette:
    """`/metrics`, `/-/healthy` and `/-/ready`."""

    async def metrics(request: Request) -> Response:
        openmetrics = "application/openmetrics-text" in request.headers.get("accept", "")
        body = await run_in_threadpool(
            lambda: openmetrics_text(registry.collect()) if openmetrics else generate_latest(registry)
        )
        return Response(body, headers={"content-type": OPENMETRICS if openmetrics else PLAIN})

    async def healthy(_: Request) -> Response:
        return PlainTextResponse("healthy\n")

    async def ready(_: Request) -> Response:
        reason = not_ready()
        return PlainTextResponse(f"not ready: {reason}\n" if reason else "ready\n", 503 if reason else 200)

    routes = [Route("/metrics", metrics), Route("/-/healthy", healthy), Route("/-/ready", ready)]
    return Starlette(routes=routes, middleware=[Middleware(Guard, tokens=tokens, loopback=loopback)])
