"""Which requests are captured, within which bounds, and what of them is kept.

`Admission` is shared by all connections of one worker. It decides from the request's head alone:
endpoint, marker, keyed hash, thinning under pressure. Everything held in memory is accounted here;
at a bound the newest exchange is dropped and counted, production never waits.
"""

from __future__ import annotations

import random
import re
from collections import deque
from collections.abc import Callable, Iterable
from time import time
from typing import Final, Protocol

from collectors.counters import CELL, EVERY_DROPPED, Board
from collectors.settings import NEVER_CAPTURED, Settings
from collectors.wire import Exchange, Fields, Packed, pack
from monitor.sampling import positions

MARKER = "x-tailgate-mirror"
# Said by the sender or a gateway before us: this request is not to be logged.
NO_LOG = {"x-tailgate-no-log": None, "x-litellm-enable-message-redaction": b"true"}
_ALWAYS_CAPTURED = ("content-type", "content-encoding", "x-request-id", "traceparent", "x-session-id")
_RESPONSE_CAPTURED = ("content-type", "content-encoding", "x-request-id")
# Above this share of a bound of the backlog (open streams are none) the sample is thinned, linearly down to a floor at the bound itself.
_WATERMARK = 0.5
_FAST: Final = 32  # waiting, of those that come between two turns of the spool's writer: 640 in a second
_WAKE: Final = 128  # waiting, so that it does not sleep until its next turn
_SMALL: Final = 1 << 15  # bytes of an exchange that the loop encodes itself
_FLOOR = 0.1

# Final: a field of the module once compiled, not a look-up by name.
_NOT_SAMPLED: Final = CELL["not_sampled"]
_SAMPLED: Final = CELL["sampled"]
_UNKEYED: Final = CELL["unkeyed"]
_UNSUPPORTED: Final = CELL["excluded:endpoint_unsupported"]
_MARKED: Final = CELL["excluded:marked"]
_MARKER: Final = MARKER.encode()
_MARKED_AS_SENT: Final = b"\r\n" + _MARKER + b":"  # by our own legs; other spellings are found in the sample
_NO_LOG = tuple((name.encode(), value) for name, value in NO_LOG.items())
_CODING = b"transfer-encoding"
_SPECIAL = frozenset({_MARKER, _CODING, *(name for name, _ in _NO_LOG)})  # fields that may exclude a request
_DROPS = {reason: CELL[f"dropped:{reason}"] for reason in EVERY_DROPPED}


def finder(names: Iterable[str]) -> Callable[[bytes], Fields]:
    """A function that picks these headers out of a complete head, given without its blank line.

    One pass at C speed; the look-ahead on first letters skips most lines at once, and a line is held
    only against names that begin as it does. The head must have passed a strict parser: no folding,
    no bare LF, no space before the colon.
    """
    by_letter: dict[str, list[str]] = {}
    for name in sorted({name.lower() for name in names}):
        by_letter.setdefault(name[0], []).append(re.escape(name[1:]))
    letters = "".join(re.escape(letter + letter.upper()) for letter in by_letter)
    choice = "|".join(
        f"[{re.escape(letter + letter.upper())}](?i:{'|'.join(rests)})" for letter, rests in by_letter.items()
    )
    pattern = rf"\n(?=[{letters}])({choice}):[ \t]*([^\r]*)"
    findall = re.compile(pattern.encode("latin-1")).findall

    def find(head: bytes) -> Fields:
        return {name.lower(): value for name, value in findall(head)}

    return find


def spellings(name: str) -> tuple[bytes, ...]:
    """Line starts of a header as clients usually write it: x-request-id, X-Request-Id, X-Request-ID."""
    lower = name.lower()
    title = "-".join(part.capitalize() for part in lower.split("-"))
    shouted = title[:-2] + title[-2:].upper()
    return tuple(f"\r\n{each}:".encode("latin-1") for each in dict.fromkeys((lower, title, shouted)))


def _value(head: bytes, lines: tuple[bytes, ...]) -> bytes | None:
    """The value of a header in one of its usual spellings. `partition` costs half of `find`, a fifth of a pattern."""
    for line in lines:
        _, found, rest = head.partition(line)
        if found:
            return rest.partition(b"\r\n")[0].strip(b" \t")
    return None


class Sink(Protocol):
    """Where finished exchanges go: the spool's writer."""

    released: int
    used: int

    @property
    def queue(self) -> deque[Exchange | Packed]: ...
    def wake(self) -> None: ...


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
        self._worker = worker
        self._taken = 0  # captured bytes ever; the sink knows how many were released
        self._sink, self._queue, self._draw = sink, sink.queue, draw
        self._max_bytes = settings.max_queue_bytes
        self._max_in_flight = settings.max_in_flight
        self._max_items = settings.max_queue_items
        self._switches = board.switches
        self._position = positions(settings.salt.encode())
        self._prefixes = tuple(
            f"POST {path}{end}".encode() for path in settings.endpoints for end in (" ", "?")
        )
        keys = (settings.sampling_header,) if settings.sampling_header else ("x-request-id", "traceparent")
        self._keys = tuple((name.lower().encode(), spellings(name)) for name in keys)
        self._boosts = settings.boosts
        names = captured_names(settings)
        found = {*names, *keys, MARKER, *NO_LOG, _CODING.decode(), *boost_headers(settings)}
        self._find = finder(found)
        self._captured = frozenset(name.encode("latin-1") for name in names)
        self._special = _SPECIAL.union(name.lower().encode("latin-1") for name in found) - (
            self._captured - _SPECIAL
        )
        self.response_fields = finder(_RESPONSE_CAPTURED)
        self._subject = subject_of(settings)
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
        head = data[: data.find(b"\r\n\r\n")]
        fraction = self._switches[0]
        if self._boosts and fraction:
            fraction = self._boosted(head, fraction)
        position = None  # where everything is sampled the key is only looked up, never searched for
        if fraction < 1.0:
            # Most requests end in the next lines, so they are spared the search for all fields.
            if head.partition(_MARKED_AS_SENT)[1]:
                self.cells[_MARKED] += 1
                return None
            position = self._where(head) if fraction else 1.0
            if position >= fraction:
                self.cells[_NOT_SAMPLED] += 1
                return None
        return self._begin(head, fraction, position, began)

    def _begin(self, head: bytes, fraction: float, position: float | None, began: int) -> Exchange | None:
        """The exchange of a sampled request, unless a bound or its sender is against it."""
        fields = self._find(head)
        special = not self._special.isdisjoint(fields)
        if special and _MARKER in fields:
            self.cells[_MARKED] += 1
            return None
        self.cells[_SAMPLED] += 1
        threshold = fraction * self._keep()
        if position is None:
            key = self._key_in(fields)
            position = 0.0 if threshold >= 1.0 else self._at(key)  # all are kept: no need to hash
        reason = self._full() or ("thinned" if position >= threshold else special and _refusal(fields))
        if reason:
            self.cells[_DROPS[reason]] += 1
            return None
        if special:
            fields = {name: value for name, value in fields.items() if name in self._captured}
        self.observing += 1
        size = len(head)
        self._taken += size
        return Exchange(path_of(head), fields, threshold, began, self.in_flight, size, time(), self._worker)

    def grow(self, exchange: Exchange, count: int, message_bytes: int) -> Exchange | None:
        """Account for `count` more captured bytes of a message of so many; None where that is too much."""
        exchange.size += count
        self._taken += count
        if message_bytes > self.max_body_bytes:
            self.drop(exchange, "too_large")
        elif self._taken - self._sink.released > self._max_bytes:
            self.drop(exchange, "memory_full")
        else:
            return exchange
        return None

    def drop(self, exchange: Exchange, reason: str) -> None:
        """Forget an exchange under observation."""
        self.cells[_DROPS[reason]] += 1
        self._taken -= exchange.size
        self.observing -= 1

    def finish(self, exchange: Exchange) -> None:
        """Hand a finished exchange over."""
        waiting = len(self._queue)
        if waiting >= self._max_items:
            self.drop(exchange, "queue_full")
            return
        # Where they come fast. At a slow pace the encoder's code would be as cold here as in the thread, and a copy of
        # megabytes would hold up the loop.
        item = self._packed(exchange) if waiting >= _FAST and exchange.size <= _SMALL else exchange
        self.observing -= 1
        self._queue.append(item)
        if waiting == _WAKE:
            self._sink.wake()

    def _packed(self, exchange: Exchange) -> Packed:
        return pack(exchange, self._subject(exchange))

    def _where(self, head: bytes) -> float:
        fields: Fields | None = None
        for key, lines in self._keys:
            value = _value(head, lines)
            if value is None:
                fields = self._find(head) if fields is None else fields
                value = fields.get(key)
            if value:
                return self._hashed(key, value)
        self.cells[_UNKEYED] += 1
        return self._draw()

    def _key_in(self, fields: Fields) -> tuple[bytes, bytes] | None:
        """The sampling key's name and value; requests without one are counted."""
        for key, _ in self._keys:
            if value := fields.get(key):
                return key, value
        self.cells[_UNKEYED] += 1
        return None

    def _at(self, key: tuple[bytes, bytes] | None) -> float:
        return self._draw() if key is None else self._hashed(*key)

    def _hashed(self, key: bytes, value: bytes) -> float:
        # All requests of a trace, on every replica, share its trace id (W3C traceparent).
        return self._position(value[3:35] if key == b"traceparent" else value.rstrip())

    def _boosted(self, head: bytes, fraction: float) -> float:
        path, fields = path_of(head).decode("latin-1"), self._find(head)
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
        """The share of the sample to keep under the present pressure."""
        sink = self._sink
        items, held = len(self._queue), self._taken - sink.released
        if items <= self._half_items and held <= self._half_bytes and sink.used <= self._half_spool:
            return 1.0
        pressure = _WATERMARK * max(
            items / self._half_items, held / self._half_bytes, sink.used / self._half_spool
        )
        return max(_FLOOR, 1.0 - (1.0 - _FLOOR) * (pressure - _WATERMARK) / (1.0 - _WATERMARK))

    def _full(self) -> str | None:
        if self.observing >= self._max_in_flight:
            return "in_flight_full"
        return "memory_full" if self._taken - self._sink.released >= self._max_bytes else None


def _refusal(fields: Fields) -> str | None:
    """Why a request with special fields is not kept."""
    # llhttp takes any coding list that ends in chunked; the body would still be coded.
    if fields.get(_CODING, b"chunked").strip().lower() != b"chunked":
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


def subject_of(settings: Settings) -> Callable[[Exchange], str | None]:
    """Names an exchange's data subject, if its header is configured and sent."""
    header = settings.subject_header.lower().encode() if settings.subject_header else None

    def subject(exchange: Exchange) -> str | None:
        value = None if header is None else exchange.fields.get(header)
        return None if value is None else _text(value)

    return subject


def numbering(settings: Settings) -> Callable[[Exchange | Packed, int], tuple[Exchange | bytes, str | None]]:
    """Numbers an exchange and names its data subject. For the spool; runs in the writer's thread."""
    subject = subject_of(settings)

    def numbered(item: Exchange | Packed, number: int) -> tuple[Exchange | bytes, str | None]:
        if isinstance(item, Packed):
            return item.numbered(number), item.subject
        item.number = number
        return item, subject(item)

    return numbered


def _text(value: bytes) -> str:
    return value.rstrip().decode("latin-1")


def path_of(head: bytes) -> bytes:
    """The path of a POST; a query string may carry a key and is never kept."""
    return head[5 : head.find(b" ", 5)].partition(b"?")[0]
