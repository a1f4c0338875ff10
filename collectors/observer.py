"""Reads copies of what passes and keeps the sampled exchanges; never touches the bytes.

One `Observer` per connection, in lock-step: one request, then its answer. llhttp parses both
directions in strict mode and writes its events to a list ("tape") at C speed; Python looks at the
tape after each read. Whatever cannot be followed exactly (RFC 9112 ambiguities, pipelining,
tunnels, HTTP/2) ends the observation of that connection, counted by reason, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import httptools

from collectors.admission import Admission, finder
from collectors.counters import CELL, UNOBSERVED
from collectors.wire import Exchange

MAX_HEAD_BYTES = 1 << 16
_BEGIN: Final = object()
_HEADERS: Final = object()
_DONE: Final = object()
_FINAL: Final = 200  # statuses below are interim
# Events of a message with a body that came in one read.
_WHOLE_REQUEST: Final = 4
_WHOLE_ANSWER: Final = 3
_WHOLE_UNKEPT_ANSWER: Final = 2
_H: Final = ord("H")  # no other method begins with it
_framing = finder(("content-length", "transfer-encoding"))
_STOPS = {reason: CELL[f"unobserved:{reason}"] for reason in UNOBSERVED}
# What becomes of the exchange under observation when its connection cannot be followed further.
_DROP = {"tunnel": "upgrade"} | {each: each for each in ("pipelined", "observer_error", "packets_lost")}


class _Tape:
    """What llhttp calls: events of one read, in order. Bodies are bytes, statuses int."""

    def __init__(self, events: list[Any]) -> None:
        self.append = append = events.append
        self.on_headers_complete: Callable[[], None] = partial(append, _HEADERS)
        self.on_message_complete = partial(append, _DONE)


class _KeepingTape(_Tape):
    """With bodies; without this callback the parser does not even make bytes objects of them."""

    def __init__(self, events: list[Any]) -> None:
        super().__init__(events)
        self.on_body = self.append


class _RequestTape(_KeepingTape):
    def __init__(self, events: list[Any]) -> None:
        super().__init__(events)
        self.on_message_begin = partial(self.append, _BEGIN)


class Observer:
    """Follows one connection. `request` and `response` take what was read, in order.

    Once `following` is False it has given up and must not be fed. Times are monotonic nanoseconds.
    """

    __slots__ = (
        "_admission",
        "_answer_head",
        "_began",
        "_cells",
        "_collector",
        "_exchange",
        "_feed_answer",
        "_feed_kept",
        "_feed_request",
        "_feed_unkept",
        "_head",
        "_head_open",
        "_is_head_request",
        "_may_switch",
        "_message_bytes",
        "_requests",
        "_response_head",
        "_responses",
        "_status",
        "awaiting",
        "following",
        "in_request",
        "switched",
    )

    def __init__(self, admission: Admission, collector: str = "spool") -> None:
        self.following = True
        self.awaiting = False  # an answer is outstanding
        self.in_request = False  # a request has begun and not ended
        self.switched = False  # the peers agreed on another protocol (101, CONNECT)
        self._admission, self._collector = admission, collector
        self._cells = admission.cells
        self._exchange: Exchange | None = None
        self._head = b""  # of the request, or of the answer to HEAD, while it is incomplete
        self._head_open = False
        self._is_head_request = False
        self._may_switch = False  # Upgrade or CONNECT was asked for
        self._began = 0
        self._message_bytes = 0
        self._response_head = b""  # of a sampled exchange, while it is incomplete
        self._answer_head = b""  # of the last final answer to a sampled exchange
        self._status = 0  # of the final answer, once its head is complete
        self._requests: list[Any] = []
        self._responses: list[Any] = []
        self._feed_request = httptools.HttpRequestParser(_RequestTape(self._requests)).feed_data
        # One parser for answers that are kept and one for the others: both stand between two messages
        # when an answer begins. The first is made when it is needed.
        self._feed_unkept = _response_feed(_Tape(self._responses))
        self._feed_kept: Callable[[bytes], None] | None = None
        self._feed_answer: Callable[[bytes], None] | None = None  # of the answer that has begun

    def request(self, data: bytes, now: int) -> bool:
        """One read from the client; whether it completed a request's head."""
        fresh = not self.in_request
        if fresh and self.awaiting:
            self.stop("tunnel" if self._may_switch else "pipelined")
            return False
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
        events = self._requests
        if fresh and len(events) == _WHOLE_REQUEST and events[3] is _DONE:
            # The common case, one request with a body in one read, without the loop over events.
            self.awaiting = True
            admission = self._admission
            admission.in_flight += 1
            self._is_head_request = data[0] == _H
            exchange = admission.admit(data, now)
            if exchange is not None:
                self._begin(exchange, events[2], now)
            events.clear()
            return True
        completed = self._request_events(data, now, fresh=fresh)
        events.clear()
        if self._head_open:
            self._head += data
            if len(self._head) > MAX_HEAD_BYTES:
                self.stop("head_too_large")
        return completed

    def _begin(self, exchange: Exchange, body: bytes, now: int) -> None:
        """A sampled request that came whole."""
        self._exchange = exchange
        exchange.collector = self._collector
        exchange.request_body.append(body)
        exchange.request_ended = now
        kept = self._grown(exchange, len(body))
        self._message_bytes = 0
        if kept and self._may_switch:
            self._drop(exchange, "upgrade")

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
                self._admission.in_flight += 1
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
        self._is_head_request = head[0] == _H
        self._exchange = exchange = self._admission.admit(head, self._began)
        if exchange is not None:
            exchange.collector = self._collector
        return exchange

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
        exchange = self._exchange
        feed = self._feed_answer
        if feed is None:
            self._feed_answer = feed = self._feed_unkept if exchange is None else self._keeping()
        try:
            feed(data)
        except httptools.HttpParserUpgrade:
            self._switch()
            return
        except httptools.HttpParserError:
            self.stop("unparseable")
            return
        events = self._responses
        count = len(events)
        # The common cases, without the loop over events.
        if exchange is None:
            if not count:
                return  # the middle of an answer that nobody keeps
            if (
                count == _WHOLE_UNKEPT_ANSWER
                and events[1] is _DONE
                and not self._status
                and events[0] >= _FINAL
            ):
                self._answered(None, now, 0)
            else:
                self._response_events(None, data, now)
        elif count == _WHOLE_ANSWER and events[2] is _DONE and not self._status and not self.in_request:
            self._answer_whole(exchange, data, now)
        else:
            self._response_events(exchange, data, now)
        events.clear()

    def _keeping(self) -> Callable[[bytes], None]:
        """The feed for an answer that is kept."""
        if self._feed_kept is None:
            self._feed_kept = _response_feed(_KeepingTape(self._responses))
        return self._feed_kept

    def _answer_whole(self, exchange: Exchange, data: bytes, now: int) -> None:
        """Head, body and end of the final answer in one read; interim ones have no body."""
        status, body, _ = self._responses
        self._final_head(exchange, status, data)
        exchange.response_body.append(body)
        self._answered(exchange, now, len(body))

    def _response_events(self, exchange: Exchange | None, data: bytes, now: int) -> None:
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
            elif not self.awaiting:
                self.stop("unsolicited_response")
                return
            elif event >= _FINAL:
                self._status = event
                if exchange is not None:
                    self._final_head(exchange, event, data)
        if exchange is not None:
            self._progress(exchange, data, now, length)

    def _final_head(self, exchange: Exchange, status: int, data: bytes) -> None:
        """The head of the final answer is complete; interim ones (1xx) may stand before it."""
        head = self._response_head + data if self._response_head else data
        self._response_head = b""
        while head[9:10] == b"1":
            head = head[head.find(b"\r\n\r\n") + 4 :]
        exchange.status = status
        self._answer_head = head = head[: head.find(b"\r\n\r\n")]
        exchange.response_fields = self._admission.response_fields(head)

    def _progress(self, exchange: Exchange, data: bytes, now: int, length: int) -> None:
        if length:
            exchange.marks.append((now, length))
            self._grown(exchange, length)
        elif not exchange.status:
            self._response_head += data
            if len(self._response_head) > MAX_HEAD_BYTES:
                self.stop("head_too_large")

    def _answered(self, exchange: Exchange | None, now: int, length: int) -> None:
        """The final answer is complete."""
        self._status = 0
        self._feed_answer = None
        self.awaiting = self._may_switch = False
        self._admission.in_flight -= 1
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
        if self._admission.grow(exchange, count, self._message_bytes):
            return exchange
        self._exchange = None
        self._message_bytes = 0
        return None

    def _drop(self, exchange: Exchange, reason: str) -> None:
        self._exchange = None
        self._admission.drop(exchange, reason)

    def _finish(self, exchange: Exchange) -> None:
        self._admission.finish(exchange)  # first: what it cannot encode is still there to be dropped
        self._exchange = None

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
            if outcome != "upstream_closed" or not self._ends_with_connection(exchange):
                exchange.outcome = outcome
            exchange.ended = now
            self._finish(exchange)

    def _ends_with_connection(self, exchange: Exchange) -> bool:
        """Whether the answer has no other end than the connection's (RFC 9112 6.3, case 8)."""
        return bool(exchange.status) and not _framing(self._answer_head)

    def stop(self, reason: str) -> None:
        """Give up on this connection; what is under observation is dropped and counted."""
        self._cells[_STOPS[reason]] += 1
        exchange = self._exchange
        self._leave()
        if exchange is not None:
            self._drop(exchange, _DROP.get(reason, "unparseable"))

    def _leave(self) -> None:
        if self.following and self.awaiting:
            self._admission.in_flight -= 1
        self.following = False


def _response_feed(tape: _Tape) -> Callable[[bytes], None]:
    """The response parser's feed; statuses go on the tape in place of the header marker."""

    def headers_complete() -> None:
        append(status_code())

    tape.on_headers_complete = headers_complete
    append = tape.append
    parser = httptools.HttpResponseParser(tape)
    status_code = parser.get_status_code
    feed: Callable[[bytes], None] = parser.feed_data
    return feed
