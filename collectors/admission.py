"""Which requests are captured, within which bounds, and what of them is kept.

`Admission` is shared by all connections of one worker. It decides from the request's head alone:
endpoint, marker, keyed hash, thinning under pressure. Everything held in memory is accounted here;
at a bound the newest exchange is dropped and counted, production never waits.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from typing import Protocol

from collectors.counters import CELL, DROPPED, Board
from collectors.settings import NEVER_CAPTURED, Settings
from collectors.wire import Capture
from monitor.sampling import positions

MARKER = "x-tailgate-mirror"
# Requests whose sender or gateway said that they are not to be logged: ours, LiteLLM's redaction
# switch, Helicone's and Cloudflare AI Gateway's.
NO_LOG = (
    b"\r\nx-tailgate-no-log:",
    b"\r\nx-litellm-enable-message-redaction: true",
    b"\r\nhelicone-omit-request: true",
    b"\r\ncf-aig-collect-log: false",
)
_ALWAYS_CAPTURED = ("content-type", "content-encoding", "x-request-id", "traceparent", "x-session-id")
_RESPONSE_HEADERS = ("content-type", "content-encoding", "x-request-id")
# Above this share of any bound the sample is thinned, linearly down to a floor at the bound itself.
_WATERMARK = 0.5
_FLOOR = 0.1

_NOT_SAMPLED, _SAMPLED, _UNKEYED = CELL["not_sampled"], CELL["sampled"], CELL["unkeyed"]
_UNSUPPORTED, _MARKED = CELL["excluded:endpoint_unsupported"], CELL["excluded:marked"]
_DROPS = {reason: CELL[f"dropped:{reason}"] for reason in DROPPED}
_IN_FLIGHT = CELL["gauge:in_flight"]


class Exchange:
    """One exchange while it is observed and queued; `size` is what it holds in memory, bytes.

    Times are monotonic nanoseconds. `marks` are (time, body bytes) per read of the answer.
    """

    __slots__ = (
        "began",
        "ended",
        "in_flight",
        "marks",
        "outcome",
        "probability",
        "received_at",
        "request_body",
        "request_ended",
        "request_head",
        "response_body",
        "response_head",
        "size",
        "status",
    )

    def __init__(self, request_head: bytes, probability: float, began: int, in_flight: int) -> None:
        self.request_head = request_head
        self.probability = probability
        self.began = began
        self.in_flight = in_flight
        self.received_at = time.time()
        self.request_body: list[bytes] = []
        self.request_ended = 0
        self.response_head = b""
        self.response_body: list[bytes] = []
        self.marks: list[tuple[int, int]] = []
        self.status = 0
        self.ended = 0
        self.outcome = "ok"
        self.size = len(request_head)


class Sink(Protocol):
    """Where finished exchanges go: the spool's writer."""

    released: int
    used: int

    def offer(self, item: Exchange) -> None: ...
    def __len__(self) -> int: ...


class Admission:
    """Decides and accounts for one worker; `cells` is its page of the board."""

    def __init__(
        self,
        settings: Settings,
        board: Board,
        worker: int,
        sink: Sink,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.cells = board.pages[worker]
        self.max_body_bytes = settings.max_body_bytes
        self.observing = 0
        self._taken = 0
        self._settings, self._sink, self._draw = settings, sink, draw
        self._switches = board.switches
        self._position = positions(settings.salt.encode())
        self._prefixes = tuple(
            f"POST {path}{end}".encode() for path in settings.endpoints for end in (" ", "?")
        )
        keys = (settings.sampling_header,) if settings.sampling_header else ("x-request-id", "traceparent")
        self._keys = tuple(_needle(name) for name in keys)
        self._marker = _needle(MARKER)

    @property
    def held(self) -> int:
        """Captured bytes in memory, under observation and queued."""
        return self._taken - self._sink.released

    def admit(self, data: bytes, began: int) -> Exchange | None:
        """The exchange to observe, or None; `data` starts with a complete request head."""
        cells = self.cells
        if not data.startswith(self._prefixes):
            cells[_UNSUPPORTED] += 1
            return None
        head = data[: data.find(b"\r\n\r\n") + 2]
        lower = head.lower()
        if self._marker in lower:
            cells[_MARKED] += 1
            return None
        position = self._where(head, lower)
        fraction = self._fraction(head, lower)
        if position >= fraction:
            cells[_NOT_SAMPLED] += 1
            return None
        cells[_SAMPLED] += 1
        keep = self._keep()
        reason = self._refusal(lower, position, fraction * keep)
        if reason:
            cells[_DROPS[reason]] += 1
            return None
        self.observing += 1
        exchange = Exchange(head, fraction * keep, began, cells[_IN_FLIGHT])
        self._taken += exchange.size
        return exchange

    def grow(self, exchange: Exchange, count: int) -> str | None:
        """Account for `count` more captured bytes; a reason where they are too many."""
        exchange.size += count
        self._taken += count
        return "memory_full" if self.held > self._settings.max_queue_bytes else None

    def drop(self, exchange: Exchange, reason: str) -> None:
        """Forget an exchange under observation."""
        self.cells[_DROPS[reason]] += 1
        self._taken -= exchange.size
        self.observing -= 1

    def finish(self, exchange: Exchange) -> None:
        """Hand a finished exchange over."""
        if len(self._sink) >= self._settings.max_queue_items:
            self.drop(exchange, "queue_full")
            return
        self.observing -= 1
        self._sink.offer(exchange)

    def _where(self, head: bytes, lower: bytes) -> float:
        for needle in self._keys:
            value = _value(head, lower, needle)
            if value:
                # All requests of a trace, on every replica, share its trace id (W3C traceparent).
                return self._position(value[3:35] if needle == b"\r\ntraceparent:" else value)
        self.cells[_UNKEYED] += 1
        return self._draw()

    def _fraction(self, head: bytes, lower: bytes) -> float:
        fraction = self._switches[0]
        if not fraction or not self._settings.boosts:
            return fraction
        for boost in self._settings.boosts:
            if boost.path is not None and _path(head) != boost.path:
                continue
            if boost.header is not None:
                value = _value(head, lower, _needle(boost.header))
                if value is None or (boost.value is not None and value.decode("latin-1") != boost.value):
                    continue
            return boost.fraction
        return fraction

    def _keep(self) -> float:
        settings, sink = self._settings, self._sink
        pressure = max(
            self.observing / settings.max_in_flight,
            len(sink) / settings.max_queue_items,
            (self._taken - sink.released) / settings.max_queue_bytes,
            sink.used / settings.spool_max_bytes,
        )
        if pressure <= _WATERMARK:
            return 1.0
        return max(_FLOOR, 1.0 - (1.0 - _FLOOR) * (pressure - _WATERMARK) / (1.0 - _WATERMARK))

    def _refusal(self, lower: bytes, position: float, threshold: float) -> str | None:
        if any(needle in lower for needle in NO_LOG):
            return "no_log"
        if self.observing >= self._settings.max_in_flight:
            return "in_flight_full"
        if self.held >= self._settings.max_queue_bytes:
            return "memory_full"
        if position >= threshold:
            return "thinned"
        # llhttp takes any coding list that ends in chunked; the body would still be coded.
        at = lower.find(b"\r\ntransfer-encoding:")
        if at >= 0 and lower[at + 20 : lower.find(b"\r\n", at + 20)].strip() != b"chunked":
            return "ambiguous"
        return None


class Renderer:
    """Makes the record of an exchange; runs in the writer's thread.

    Header names outside the allow-list, credentials and the query string end here.
    """

    def __init__(self, settings: Settings, stream: str, worker: int) -> None:
        names = {*_ALWAYS_CAPTURED, *settings.captured_headers}
        names.update(filter(None, (settings.sampling_header, settings.subject_header)))
        self._request = _needles(names)
        self._response = _needles(_RESPONSE_HEADERS)
        self._subject = settings.subject_header.lower() if settings.subject_header else None
        self._stream, self._worker = stream, worker

    def __call__(self, exchange: Exchange, number: int) -> tuple[Capture, str | None]:
        """The record and its data subject, if its header is configured and sent."""
        began = exchange.began
        headers = _picked(exchange.request_head, self._request)
        capture = Capture(
            id=f"{self._stream}-{number}",
            number=number,
            received_at=exchange.received_at,
            method="POST",
            path=_path(exchange.request_head),
            request_headers=headers,
            request_body=b"".join(exchange.request_body),
            status=exchange.status,
            response_headers=_picked(exchange.response_head, self._response),
            response_body=b"".join(exchange.response_body),
            marks=[((at - began) // 1000, length) for at, length in exchange.marks],
            duration_us=(exchange.ended - began) // 1000,
            outcome=exchange.outcome,
            inclusion_probability=exchange.probability,
            worker=self._worker,
            in_flight=exchange.in_flight,
            request_end_us=(exchange.request_ended - began) // 1000,
        )
        return capture, headers.get(self._subject) if self._subject else None


def _needle(name: str) -> bytes:
    return f"\r\n{name.lower()}:".encode("latin-1")


def _needles(names: Iterable[str]) -> tuple[tuple[str, bytes], ...]:
    allowed = {name.lower() for name in names} - NEVER_CAPTURED
    return tuple((name, _needle(name)) for name in sorted(allowed))


def _value(head: bytes, lower: bytes, needle: bytes) -> bytes | None:
    at = lower.find(needle)
    if at < 0:
        return None
    at += len(needle)
    return head[at : lower.find(b"\r\n", at)].strip()


def _picked(head: bytes, needles: tuple[tuple[str, bytes], ...]) -> dict[str, str]:
    lower = head.lower()
    values = ((name, _value(head, lower, needle)) for name, needle in needles)
    return {name: value.decode("latin-1") for name, value in values if value is not None}


def _path(head: bytes) -> str:
    target = head[head.find(b" ") + 1 : head.find(b" HTTP/1.")]
    return target.partition(b"?")[0].decode("latin-1")


def final_head(head: bytes) -> bytes:
    """Without the interim (1xx) heads before it."""
    while head[9:10] == b"1":
        head = head[head.find(b"\r\n\r\n") + 4 :]
    return head[: head.find(b"\r\n\r\n") + 2]
