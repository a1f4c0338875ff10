"""Scores as `gen_ai.evaluation.result` events over OTLP/HTTP, for a tracing backend; off by default.

The event of the OpenTelemetry GenAI conventions (Development): name, value, label, explanation, the
response's id, under the trace and span of the call where its request or its span named one. Values
are Tailgate's: 1 = the candidate is worse or differs. JSON, so that nothing need be installed. What
the receiver does not take at once is dropped and counted: evidence never waits for an observer of it.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import httpx

from monitor.ledger import Kept
from monitor.records import Exchange, Score

log = logging.getLogger("tailgate.evaluations")

EVENT = "gen_ai.evaluation.result"
_QUEUED = 10_000
_BATCH = 1_000
_PAUSE_SECONDS = 1.0
_TIMEOUT_SECONDS = 5.0
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
Json = dict[str, Any]
Count = Callable[[str, int], None]
"""Told `sent`, `queue_full` or `unreachable`, and how many events."""


def events(exchange: Exchange, kept: Kept, now: float) -> Iterator[Json]:
    """One OTLP log record per score; `now` in UNIX seconds."""
    common = _attributes(exchange, kept)
    trace = _TRACEPARENT.fullmatch(exchange.headers.get("traceparent", ""))
    where = {"traceId": trace[1], "spanId": trace[2]} if trace else {}
    for score in kept.scored.scores.values():
        yield {
            "timeUnixNano": str(int(exchange.received_at * 1e9)),
            "observedTimeUnixNano": str(int(now * 1e9)),
            "eventName": EVENT,
            "attributes": [*_of(score), *common],
            **where,
        }


def _of(score: Score) -> list[Json]:
    texts = {
        "gen_ai.evaluation.name": score.signal,
        "gen_ai.evaluation.score.label": score.label,
        "gen_ai.evaluation.explanation": score.explanation,
    }
    value = {"key": "gen_ai.evaluation.score.value", "value": {"doubleValue": score.value}}
    return [value, *_texts(texts)]


def _attributes(exchange: Exchange, kept: Kept) -> list[Json]:
    """What tells whose score it is; segments are Tailgate's own."""
    candidate = kept.candidate.model if kept.candidate else None
    return _texts(
        {
            "gen_ai.response.id": kept.baseline.response_id,
            "tailgate.exchange.id": exchange.id,
            "tailgate.candidate.model": candidate,
            **{f"tailgate.segment.{dimension}": value for dimension, value in kept.dims.items()},
        }
    )


def _texts(values: Mapping[str, str | None]) -> list[Json]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in values.items() if value]


def export_of(records: Sequence[Json], route: str) -> Json:
    """The body of one export."""
    resource = {"attributes": _texts({"service.name": "tailgate", "tailgate.route": route})}
    return {
        "resourceLogs": [
            {
                "resource": resource,
                "scopeLogs": [{"scope": {"name": "tailgate"}, "logRecords": list(records)}],
            }
        ]
    }


class Evaluations:
    """A bounded queue and the task that empties it. `offer` may be called from any thread."""

    def __init__(self, endpoint: str, route: str, *, token: str | None, count: Count) -> None:
        self._url, self._route, self._count = f"{endpoint.rstrip('/')}/v1/logs", route, count
        self._headers = {"authorization": f"Bearer {token}"} if token else {}
        self._queue: deque[Json] = deque()

    def offer(self, exchange: Exchange, kept: Kept) -> None:
        """Queue the events of a scored pair, or count that there is no room for them."""
        made = list(events(exchange, kept, time.time()))
        if len(self._queue) + len(made) > _QUEUED:
            self._count("queue_full", len(made))
        else:
            self._queue.extend(made)

    async def run(self) -> None:
        """Send, for ever."""
        async with httpx.AsyncClient(
            timeout=_TIMEOUT_SECONDS, headers=self._headers, trust_env=False
        ) as client:
            while True:
                await asyncio.sleep(_PAUSE_SECONDS)
                while self._queue:
                    await self._send(
                        client, [self._queue.popleft() for _ in range(min(_BATCH, len(self._queue)))]
                    )

    async def _send(self, client: httpx.AsyncClient, batch: Sequence[Json]) -> None:
        try:
            reply = await client.post(self._url, json=export_of(batch, self._route))
            reply.raise_for_status()
        except httpx.HTTPError as error:
            log.warning("%s: %d evaluation events dropped: %s", self._url, len(batch), error)
            self._count("unreachable", len(batch))
        else:
            self._count("sent", len(batch))
