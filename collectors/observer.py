"""Reads copies of what passes and keeps the sampled exchanges; never touches the bytes.

One `Observer` per connection, in lock-step: one request, then its answer. llhttp parses both
directions in strict mode and writes its events to a list ("tape") at C speed; Python looks at the
tape after each read. Whatever cannot be followed exactly (RFC 9112 ambiguities, pipelining,
tunnels, HTTP/2) ends the observation of that connection, counted by reason, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import httptools

from collectors.admission import Admission, Exchange, final_head
from collectors.counters import CELL, UNOBSERVED

MAX_HEAD_BYTES = 1 << 16
_BEGIN, _HEADERS, _DONE = object(), object(), object()
_FINAL = 200  # statuses below are interim
_IN_FLIGHT = CELL["gauge:in_flight"]
_STOPS = {reason: CELL[f"unobserved:{reason}"] for reason in UNOBSERVED}
# What becomes of the exchange under observation when its connection cannot be followed further.
_DROP = {"tunnel": "upgrade", "pipelined": "pipelined", "observer_error": "observer_error"}


class _Tape:
    """What llhttp calls: events of one read, in order. Bodies are bytes, statuses int."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        append = self.events.append
        self.on_message_begin = partial(append, _BEGIN)
        self.on_headers_complete: Callable[[], None] = partial(append, _HEADERS)
        self.on_body = append
        self.on_message_complete = partial(append, _DONE)


class Observer:
    """Follows one connection. `request` and `response` take what was read, in order.

    Once `following` is False it has given up and must not be fed. Times are monotonic nanoseconds.
    """

    __slots__ = (
        "_admission",
        "_began",
        "_cells",
        "_exchange",
        "_feed_request",
        "_feed_response",
        "_head",
        "_head_open",
        "_is_head_request",
        "_may_switch",
        "_message_bytes",
        "_requests",
        "_responses",
        "_status",
        "awaiting",
        "following",
        "in_request",
        "switched",
    )

    def __init__(self, admission: Admission) -> None:
        self.following = True
        self.awaiting = False  # an answer is outstanding
        self.in_request = False  # a request has begun and not ended
        self.switched = False  # the peers agreed on another protocol (101, CONNECT)
        self._admission = admission
        self._cells = admission.cells
        self._exchange: Exchange | None = None
        self._head = b""  # of the request, or of the answer to HEAD, while it is incomplete
        self._head_open = False
        self._is_head_request = False
        self._may_switch = False  # Upgrade or CONNECT was asked for
        self._began = 0
        self._message_bytes = 0
        self._status = 0  # of the final answer, once its head is complete
        requests, responses = _Tape(), _Tape()
        self._requests, self._responses = requests.events, responses.events
        self._feed_request = httptools.HttpRequestParser(requests).feed_data
        self._feed_response = _response_feed(responses)

    def request(self, data: bytes, now: int) -> bool:
        """One read from the client; whether it completed a request's head."""
        if self.awaiting and not self.in_request:
            self.stop("tunnel" if self._may_switch else "pipelined")
            return False
        fresh = not self.in_request
        try:
            self._feed_request(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._may_switch = True
            if upgrade.args[0] < len(data):
                self.stop("tunnel")
                return False
        except httptools.HttpParserError:
            self.stop("h2" if data.startswith(b"PRI * HTTP/2") else "unparseable")
            return False
        completed = self._request_events(data, now, fresh=fresh)
        self._requests.clear()
        if self._head_open:
            self._head += data
            if len(self._head) > MAX_HEAD_BYTES:
                self.stop("head_too_large")
        return completed

    def _request_events(self, data: bytes, now: int, *, fresh: bool) -> bool:
        completed = False
        exchange = self._exchange
        for event in self._requests:
            if type(event) is bytes:
                if exchange is not None:
                    exchange.request_body.append(event)
                    exchange = self._grown(exchange, len(event))
            elif event is _BEGIN:
                if not fresh:
                    self.stop("pipelined")
                    return completed
                fresh = False
                self.in_request = self.awaiting = self._head_open = True
                self._began = now
                self._cells[_IN_FLIGHT] += 1
            elif event is _HEADERS:
                completed = True
                exchange = self._admitted(self._head + data if self._head else data)
            else:
                self.in_request = False
                self._message_bytes = 0
                if exchange is not None:
                    self._request_done(exchange, now)
        return completed

    def _admitted(self, head: bytes) -> Exchange | None:
        self._head_open, self._head = False, b""
        self._is_head_request = head.startswith(b"HEAD ")
        self._exchange = self._admission.admit(head, self._began)
        return self._exchange

    def _request_done(self, exchange: Exchange, now: int) -> None:
        exchange.request_ended = now
        if self._may_switch:
            self._drop(exchange, "upgrade")
        elif not self.awaiting:  # the answer came before the request's end
            self._finish(exchange)

    def response(self, data: bytes, now: int) -> None:
        """One read from the upstream."""
        if not self.awaiting:
            self.stop("unsolicited_response")
            return
        if self._is_head_request:
            self._skip_head(data)
            return
        try:
            self._feed_response(data)
        except httptools.HttpParserUpgrade:
            self._switch()
            return
        except httptools.HttpParserError:
            self.stop("unparseable")
            return
        exchange = self._exchange
        if exchange is not None and not exchange.status:
            exchange.response_head += data
        self._response_events(exchange, now)
        self._responses.clear()

    def _response_events(self, exchange: Exchange | None, now: int) -> None:
        length = 0
        for event in self._responses:
            if type(event) is bytes:
                if exchange is not None:
                    exchange.response_body.append(event)
                    length += len(event)
            elif event is _DONE:
                if self._status:
                    self._answered(exchange, now, length)
                    exchange, length = None, 0
            elif event is _BEGIN:
                if not self.awaiting:
                    self.stop("unsolicited_response")
                    return
            elif event >= _FINAL:
                self._status = event
                if exchange is not None:
                    exchange.status = event
                    exchange.response_head = final_head(exchange.response_head)
        if exchange is not None:
            self._progress(exchange, now, length)

    def _progress(self, exchange: Exchange, now: int, length: int) -> None:
        if length:
            exchange.marks.append((now, length))
            self._grown(exchange, length)
        elif not exchange.status and len(exchange.response_head) > MAX_HEAD_BYTES:
            self.stop("head_too_large")

    def _answered(self, exchange: Exchange | None, now: int, length: int) -> None:
        """The final answer is complete."""
        self._status = 0
        self.awaiting = self._may_switch = False
        self._cells[_IN_FLIGHT] -= 1
        if exchange is None:
            return
        if length:
            exchange.marks.append((now, length))
            if self._grown(exchange, length) is None:
                return
        exchange.ended = now
        self._message_bytes = 0
        if not self.in_request:
            self._finish(exchange)

    def _skip_head(self, data: bytes) -> None:
        """The answer to HEAD has no body whatever its head says; llhttp cannot be told."""
        rest = self._head + data
        while (end := rest.find(b"\r\n\r\n")) >= 0:
            interim = rest[9:10] == b"1"
            rest = rest[end + 4 :]
            if not interim:
                self._is_head_request = False
                self._head = b""
                self._answered(None, 0, 0)
                if rest:
                    self.stop("unsolicited_response")
                return
        self._head = rest
        if len(rest) > MAX_HEAD_BYTES:
            self.stop("head_too_large")

    def _switch(self) -> None:
        self.switched = True
        self.stop("tunnel")

    def _grown(self, exchange: Exchange, count: int) -> Exchange | None:
        self._message_bytes += count
        reason = self._admission.grow(exchange, count)
        if self._message_bytes > self._admission.max_body_bytes:
            reason = "too_large"
        if reason is None:
            return exchange
        self._drop(exchange, reason)
        return None

    def _drop(self, exchange: Exchange, reason: str) -> None:
        self._exchange = None
        self._admission.drop(exchange, reason)

    def _finish(self, exchange: Exchange) -> None:
        self._exchange = None
        self._admission.finish(exchange)

    def closed(self, outcome: str, now: int) -> None:
        """The connection ended: `client_left`, `upstream_reset`, `upstream_closed` or `shutdown`."""
        exchange = self._exchange
        self._leave()
        if exchange is None:
            return
        if outcome == "shutdown":
            self._drop(exchange, "shutdown")
        elif self.in_request:
            self._drop(exchange, "request_incomplete")
        else:
            if outcome != "upstream_closed" or not _ends_with_connection(exchange):
                exchange.outcome = outcome
            exchange.ended = now
            self._finish(exchange)

    def stop(self, reason: str) -> None:
        """Give up on this connection; what is under observation is dropped and counted."""
        self._cells[_STOPS[reason]] += 1
        exchange = self._exchange
        self._leave()
        if exchange is not None:
            self._drop(exchange, _DROP.get(reason, "unparseable"))

    def _leave(self) -> None:
        if self.following and self.awaiting:
            self._cells[_IN_FLIGHT] -= 1
        self.following = False


def _response_feed(tape: _Tape) -> Callable[[bytes], None]:
    """The response parser's feed; statuses go on the tape in place of the header marker."""

    def headers_complete() -> None:
        tape.events.append(parser.get_status_code())

    tape.on_headers_complete = headers_complete
    parser = httptools.HttpResponseParser(tape)
    feed: Callable[[bytes], None] = parser.feed_data
    return feed


def _ends_with_connection(exchange: Exchange) -> bool:
    """Whether the answer has no other end than the connection's (RFC 9112 6.3, case 8)."""
    lower = exchange.response_head.lower()
    return bool(exchange.status) and not any(
        name in lower for name in (b"\r\ncontent-length:", b"\r\ntransfer-encoding:")
    )
