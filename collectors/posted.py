"""Records that another tool posts: JSON, an array of them, or one per line, read by a mapping file.

LiteLLM's `generic_api` callback does this with every answer it served. A post is answered at once;
what becomes of its records is in the counts.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from collectors.bodies import body_of
from collectors.intake import Intake
from collectors.mapping import RecordMapping, told
from collectors.serving import authorized, http_server
from monitor.config_collect import Records
from monitor.errors import BadInput

EXCLUDED = frozenset({"not_an_exchange"})


def take(intake: Intake, mapping: RecordMapping, body: bytes) -> None:
    """Every record ends in the spool or in one count."""
    for record in records(body):
        try:
            intake.take(told(mapping, record, time.time()))
        except BadInput as reason:
            _count(intake, reason.reason)


def _count(intake: Intake, reason: str) -> None:
    if reason in EXCLUDED:
        intake.exclude(reason)
    else:
        intake.refuse(reason if reason in {"no_content", "too_large"} else "unreadable")


def records(body: bytes) -> Iterator[object]:
    """The records of one post; a line that is no JSON is None."""
    whole = _json(body)
    if isinstance(whole, list):
        yield from whole
    elif whole is not None:
        yield whole
    else:
        yield from (_json(line) for line in body.splitlines() if line.strip())


def _json(text: bytes) -> object:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


@asynccontextmanager
async def posted(intake: Intake, settings: Records, mapping: RecordMapping, token: str) -> AsyncIterator[str]:
    """`POST /` with records; yields the address."""

    async def receive(request: Request) -> Response:
        if not authorized(request.headers.get("authorization", ""), token):
            return Response(status_code=401)
        try:
            body = await body_of(request, settings.max_request_bytes, settings.max_inflated_bytes)
        except BadInput as error:
            _count(intake, error.reason)
            return Response(str(error), status_code=413 if error.reason == "too_large" else 400)
        take(intake, mapping, body)
        return Response(status_code=204)

    app = Starlette(routes=[Route("/", receive, methods=["POST"])])
    async with http_server(app, settings.listen or "", "collect.records.listen") as address:
        yield address
