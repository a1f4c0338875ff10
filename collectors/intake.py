"""Where every other way in ends: the admission, bounds, sample and sealed spool of the data path.

An exchange that Envoy, a trace or another tool's record told us is admitted by the same code as one
that the sidecar saw, so that sampling, limits, the funnel and what is kept are the same; only the
bytes came differently. Everything here runs in one event loop and never waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from collectors.admission import Admission
from collectors.counters import CELL, EVERY_DROPPED, EVERY_EXCLUDED
from collectors.wire import Exchange

_NANO = 1e9
_DROPS = {reason: CELL[f"dropped:{reason}"] for reason in EVERY_DROPPED}
_EXCLUSIONS = {reason: CELL[f"excluded:{reason}"] for reason in EVERY_EXCLUDED}
_SAMPLED = CELL["sampled"]


@dataclass(frozen=True, slots=True)
class Told:
    """One exchange as somebody else recorded it; bodies are OpenAI JSON, times are seconds.

    `headers` are what would have been request headers: `x-request-id`, `traceparent`, `x-session-id`
    and whatever declared segments or `privacy.subject` name. `status` other than 200: the baseline failed.
    """

    collector: str
    path: str
    request: bytes
    response: bytes
    received_at: float
    headers: Mapping[str, str] = field(default_factory=dict)
    duration_seconds: float | None = None
    first_token_seconds: float | None = None
    status: int = 200
    response_headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "application/json"})


class Intake:
    """One process's way into the spool."""

    def __init__(self, admission: Admission) -> None:
        self.admission = admission
        self._cells = admission.cells

    def begin(self, method: str, target: str, headers: Mapping[str, str], now: int) -> Exchange | None:
        """Admit by the head alone; `now` in nanoseconds, on the clock of all later times."""
        return self.admission.admit(head(method, target, headers), now)

    def take(self, told: Told) -> None:
        """A whole exchange; counted where it is not wanted or does not fit."""
        began = int(told.received_at * _NANO)
        exchange = self.begin("POST", told.path, told.headers, began)
        if exchange is None:
            return
        exchange.collector, exchange.received_at = told.collector, told.received_at
        exchange.in_flight = 0  # unknown
        if self.grow(exchange, len(told.request), len(told.request)) and self.grow(
            exchange, len(told.response), len(told.response)
        ):
            exchange.request_body, exchange.response_body = [told.request], [told.response]
            exchange.request_ended = began
            exchange.response_fields = self.admission.response_fields(head("", "", told.response_headers))
            exchange.status = told.status
            exchange.ended = began + int((told.duration_seconds or 0.0) * _NANO)
            if told.first_token_seconds:
                exchange.first_token = began + int(told.first_token_seconds * _NANO)
            self.admission.finish(exchange)

    def grow(self, exchange: Exchange, count: int, message_bytes: int) -> bool:
        """Account for `count` more bytes of a message that has `message_bytes` by now.

        False where that breaks a bound: the exchange is dropped and counted.
        """
        return self.admission.grow(exchange, count, message_bytes) is not None

    def refuse(self, reason: str) -> None:
        """Count an eligible exchange that cannot be used, before it was admitted."""
        self._cells[_SAMPLED] += 1
        self._cells[_DROPS[reason]] += 1

    def exclude(self, reason: str) -> None:
        """Count something that is no exchange of ours."""
        self._cells[_EXCLUSIONS[reason]] += 1


def head(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    """A request head with these fields; what could break out of a line is left out."""
    lines = [f"{method} {_line(target) or '/'} HTTP/1.1", *(f"{n}: {_line(v)}" for n, v in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace")


def _line(value: str) -> str:
    return value.replace("\r", " ").replace("\n", " ")
