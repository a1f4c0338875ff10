"""Which requests are captured, within which bounds, and what of them is kept.

`Admission` is shared by all connections of one worker. It decides from the request's head alone:
endpoint, marker, keyed hash, thinning under pressure. Everything held in memory is accounted here;
at a bound the newest exchange is dropped and counted, production never waits.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Protocol

from collectors.counters import CELL, EVERY_DROPPED, Board
from collectors.settings import NEVER_CAPTURED, Settings
from collectors.wire import Capture
from monitor.sampling import positions

MARKER = "x-tailgate-mirror"
# Said by the sender or a gateway before us: this request is not to be logged.
NO_LOG = {"x-tailgate-no-log": None, "x-litellm-enable-message-redaction": b"true"}
_ALWAYS_CAPTURED = ("content-type", "content-encoding", "x-request-id", "traceparent", "x-session-id")
_RESPONSE_CAPTURED = ("content-type", "content-encoding", "x-request-id")
_FRAMING = ("content-length", "transfer-encoding")
# Above this share of a bound of the backlog (open streams are none) the sample is thinned, linearly down to a floor at the bound itself.
_WATERMARK = 0.5
_FLOOR = 0.1

_NOT_SAMPLED, _SAMPLED, _UNKEYED = CELL["not_sampled"], CELL["sampled"], CELL["unkeyed"]
_UNSUPPORTED, _MARKED = CELL["excluded:endpoint_unsupported"], CELL["excluded:marked"]
_MARKER = MARKER.encode()
_MARKED_AS_SENT = (
    b"\r\n" + _MARKER + b":"
)  # as our own legs spell it; other spellings are found in the sample
_NO_LOG = tuple((name.encode(), value) for name, value in NO_LOG.items())
_DROPS = {reason: CELL[f"dropped:{reason}"] for reason in EVERY_DROPPED}


Fields = dict[bytes, bytes]
"""Headers of interest by lower-case name; of repeated ones the last."""


class Exchange:
    """One exchange while it is observed and queued; `size` is what it holds in memory, bytes.

    Times are monotonic nanoseconds. `marks` are (time, body bytes) per read of the answer. Records of
    other tools have no reads: they may say when the first token came (0 = unknown).
    """

    __slots__ = (
        "began",
        "collector",
        "ended",
        "fields",
        "first_token",
        "in_flight",
        "marks",
        "outcome",
        "probability",
        "received_at",
        "request_body",
        "request_ended",
        "response_body",
        "response_fields",
        "size",
        "status",
        "target",
    )

    def __init__(
        self, target: bytes, fields: Fields, probability: float, began: int, *, in_flight: int, size: int
    ) -> None:
        self.target = target
        self.fields = fields
        self.probability = probability
        self.began = began
        self.in_flight = in_flight
        self.size = size
        self.received_at = time.time()
        self.request_body: list[bytes] = []
        self.request_ended = 0
        self.response_fields: Fields = {}
        self.response_body: list[bytes] = []
        self.marks: list[tuple[int, int]] = []
        self.status = 0
        self.ended = 0
        self.first_token = 0
        self.outcome = "ok"
        self.collector = "spool"


def finder(names: Iterable[str]) -> Callable[[bytes, int], Fields]:
    """A function that picks these headers out of a complete head, given with its length.

    One pass at C speed; the look-ahead on first letters skips most lines at once. The head must
    have passed a strict parser: no folding, no bare LF, no space before the colon.
    """
    unique = sorted({name.lower() for name in names})
    letters = "".join(sorted({letter for name in unique for letter in (name[0], name[0].upper())}))
    choice = "|".join(map(re.escape, unique))
    pattern = rf"\r\n(?=[{re.escape(letters)}])((?i:{choice})):[ \t]*([^\r\n]*)"
    findall = re.compile(pattern.encode("latin-1")).findall

    def find(data: bytes, end: int) -> Fields:
        return {name.lower(): value for name, value in findall(data, 0, end)}

    return find


def spellings(name: str) -> tuple[bytes, ...]:
    """Line starts of a header as clients usually write it: x-request-id, X-Request-Id, X-Request-ID."""
    lower = name.lower()
    title = "-".join(part.capitalize() for part in lower.split("-"))
    shouted = title[:-2] + title[-2:].upper()
    return tuple(f"\r\n{each}:".encode("latin-1") for each in dict.fromkeys((lower, title, shouted)))


def _field(data: bytes, end: int, lines: tuple[bytes, ...]) -> bytes | None:
    """The value of a header in one of its usual spellings, by plain searches: a tenth of a pattern's cost."""
    for line in lines:
        start = data.find(line, 0, end)
        if start >= 0:
            start += len(line)
            stop = data.find(b"\r\n", start, end + 2)
            return data[start:stop].strip(b" \t")
    return None


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
        self.in_flight = 0  # requests awaiting their answer, sampled or not
        self.observing = 0
        self._taken = 0
        self._settings, self._sink, self._draw = settings, sink, draw
        self._max_bytes = settings.max_queue_bytes
        self._switches = board.switches
        self._position = positions(settings.salt.encode())
        self._prefixes = tuple(
            f"POST {path}{end}".encode() for path in settings.endpoints for end in (" ", "?")
        )
        keys = (settings.sampling_header,) if settings.sampling_header else ("x-request-id", "traceparent")
        self._keys = tuple((name.lower().encode(), spellings(name)) for name in keys)
        self._boosts = settings.boosts
        names = captured_names(settings)
        self._find = finder({*names, *keys, MARKER, *NO_LOG, *_FRAMING, *boost_headers(settings)})
        self.response_fields = finder((*_RESPONSE_CAPTURED, *_FRAMING))
        self._half_items = settings.max_queue_items * _WATERMARK
        self._half_bytes = settings.max_queue_bytes * _WATERMARK
        self._half_spool = settings.spool_max_bytes * _WATERMARK

    @property
    def held(self) -> int:
        """Captured bytes in memory, under observation and queued."""
        return self._taken - self._sink.released

    def admit(self, data: bytes, began: int) -> Exchange | None:
        """The exchange to observe, or None; `data` starts with a complete request head."""
        if not data.startswith(self._prefixes):
            self.cells[_UNSUPPORTED] += 1
            return None
        end = data.find(b"\r\n\r\n")
        fraction = self._switches[0]
        # Most requests end here, so they are spared the search for all fields.
        if data.find(_MARKED_AS_SENT, 0, end) >= 0:
            self.cells[_MARKED] += 1
            return None
        if self._boosts and fraction:
            fraction = self._boosted(data, self._find(data, end), fraction)
        position = self._where(data, end) if fraction else 1.0
        if position >= fraction:
            self.cells[_NOT_SAMPLED] += 1
            return None
        fields = self._find(data, end)
        if _MARKER in fields:
            self.cells[_MARKED] += 1
            return None
        self.cells[_SAMPLED] += 1
        threshold = fraction * self._keep()
        reason = self._refusal(fields, position, threshold)
        if reason:
            self.cells[_DROPS[reason]] += 1
            return None
        self.observing += 1
        self._taken += end
        target = data[5 : data.find(b" ", 5)]
        return Exchange(target, fields, threshold, began, in_flight=self.in_flight, size=end)

    def grow(self, exchange: Exchange, count: int) -> bool:
        """Account for `count` more captured bytes; False where they are too many."""
        exchange.size += count
        self._taken += count
        return self._taken - self._sink.released <= self._max_bytes

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

    def _where(self, data: bytes, end: int) -> float:
        for key, spellings in self._keys:
            value = _field(data, end, spellings) or self._find(data, end).get(key)
            if value:
                # All requests of a trace, on every replica, share its trace id (W3C traceparent).
                return self._position(value[3:35] if key == b"traceparent" else value.rstrip())
        self.cells[_UNKEYED] += 1
        return self._draw()

    def _boosted(self, data: bytes, fields: Fields, fraction: float) -> float:
        path = path_of(data[5 : data.find(b" ", 5)])
        for boost in self._boosts:
            if boost.path is not None and boost.path != path:
                continue
            if boost.header is not None:
                value = fields.get(boost.header.lower().encode("latin-1"))
                if value is None or (boost.value is not None and _text(value) != boost.value):
                    continue
            return boost.fraction
        return fraction

    def _keep(self) -> float:
        sink = self._sink
        held = self._taken - sink.released
        if len(sink) <= self._half_items and held <= self._half_bytes and sink.used <= self._half_spool:
            return 1.0
        pressure = _WATERMARK * max(
            len(sink) / self._half_items,
            held / self._half_bytes,
            sink.used / self._half_spool,
        )
        return max(_FLOOR, 1.0 - (1.0 - _FLOOR) * (pressure - _WATERMARK) / (1.0 - _WATERMARK))

    def _refusal(self, fields: Fields, position: float, threshold: float) -> str | None:
        if self.observing >= self._settings.max_in_flight:
            return "in_flight_full"
        if self._taken - self._sink.released >= self._max_bytes:
            return "memory_full"
        if position >= threshold:
            return "thinned"
        # llhttp takes any coding list that ends in chunked; the body would still be coded.
        if fields.get(b"transfer-encoding", b"chunked").strip().lower() != b"chunked":
            return "ambiguous"
        for name, value in _NO_LOG:
            if name in fields and value in (None, fields[name].rstrip().lower()):
                return "no_log"
        return None


def boost_headers(settings: Settings) -> tuple[str, ...]:
    """Headers that boosts look at."""
    return tuple(boost.header for boost in settings.boosts if boost.header)


def captured_names(settings: Settings) -> frozenset[str]:
    """The allow-list of request headers, lower case; credentials are never in it."""
    configured = (*settings.captured_headers, settings.sampling_header, settings.subject_header)
    names = {*_ALWAYS_CAPTURED, *(name.lower() for name in configured if name)}
    return frozenset(names - NEVER_CAPTURED)


class Renderer:
    """Makes the record of an exchange; runs in the writer's thread.

    Header names outside the allow-list, credentials and the query string end here.
    """

    def __init__(self, settings: Settings, stream: str, worker: int) -> None:
        self._request = {name.encode("latin-1"): name for name in captured_names(settings)}
        self._response = {name.encode(): name for name in _RESPONSE_CAPTURED}
        self._subject = settings.subject_header.lower() if settings.subject_header else None
        self._stream, self._worker = stream, worker

    def __call__(self, exchange: Exchange, number: int) -> tuple[Capture, str | None]:
        """The record and its data subject, if its header is configured and sent."""
        began = exchange.began
        headers = _kept(exchange.fields, self._request)
        capture = Capture(
            id=f"{self._stream}-{number}",
            number=number,
            received_at=exchange.received_at,
            method="POST",
            path=_path(exchange.target),
            request_headers=headers,
            request_body=b"".join(exchange.request_body),
            status=exchange.status,
            response_headers=_kept(exchange.response_fields, self._response),
            response_body=b"".join(exchange.response_body),
            marks=[((at - began) // 1000, length) for at, length in exchange.marks],
            duration_us=(exchange.ended - began) // 1000,
            outcome=exchange.outcome,
            inclusion_probability=exchange.probability,
            worker=self._worker,
            in_flight=exchange.in_flight,
            request_end_us=(exchange.request_ended - began) // 1000,
            first_token_us=(exchange.first_token - began) // 1000 if exchange.first_token else 0,
            collector=exchange.collector,
        )
        return capture, headers.get(self._subject) if self._subject else None


def _kept(fields: Fields, names: Mapping[bytes, str]) -> dict[str, str]:
    return {names[name]: _text(value) for name, value in fields.items() if name in names}


def _text(value: bytes) -> str:
    return value.rstrip().decode("latin-1")


def path_of(target: bytes) -> str:
    """The path of a request target; a query string may carry a key and is never kept."""
    return target.partition(b"?")[0].decode("latin-1")


_path = lru_cache(maxsize=64)(path_of)
