"""Answer bytes as they arrive to `Completion`: one decoder for live and for captured answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import msgspec

from monitor.errors import BadInput
from monitor.openai_api.assembly import Assembly, Timing
from monitor.openai_api.encoding import header, inflater
from monitor.openai_api.response import JSON_ERRORS, decode_json
from monitor.openai_api.sse import EventParser
from monitor.openai_api.wire import Answer, ResponseEvent
from monitor.records import Completion, Gaps, Operation

_SNIFFED_BYTES = 6

Mark = tuple[float, int]
"""(seconds since the request was sent, bytes that arrived then)."""

_CHUNK = msgspec.json.Decoder(Answer)
_EVENT = msgspec.json.Decoder(ResponseEvent)


class StreamDecoder:
    """Feed it an answer's body as it arrives; `finish` says what it was.

    Times are seconds since the request was sent. Time to first token and gaps are known only for
    streams; several tokens in one read share one time. Nothing here raises: an undecodable coding
    or body becomes `error_type`.
    """

    def __init__(self, operation: Operation, headers: Mapping[str, str], status: int = 200) -> None:
        self._operation = operation
        self._status = status
        self._events = _is_sse(headers)
        self._sniffed = self._events
        self._parser = EventParser()
        self._assembly = Assembly()
        self._whole: list[bytes] = []
        self._times: list[float] = []
        self._last: float | None = None
        self._failure: str | None = None
        self._done = False
        try:
            self._inflate = inflater(headers)
        except BadInput as error:
            self._failure, self._inflate = error.reason, bytes

    @property
    def done(self) -> bool:
        """Whether `[DONE]` or the last event of a response has been seen."""
        return self._done

    def feed(self, chunk: bytes, t: float | None = None) -> None:
        """Take the bytes that arrived at time `t` (None where unknown)."""
        self._last = self._last if t is None else t
        if self._failure:
            return
        try:
            plain = self._inflate(chunk)
        except BadInput as error:
            self._failure = error.reason
            return
        self._take(plain, t)

    def _take(self, plain: bytes, t: float | None) -> None:
        if not self._sniffed:
            plain = self._sniff(plain)
        if not self._events:
            self._whole.append(plain)
        elif not all(self._event(data, t) for data in self._parser.feed(plain)):
            self._failure = "bad_body"

    def finish(self, t: float | None = None, *, error_type: str | None = None) -> Completion:
        """The answer. `error_type` is what the transport saw (`timeout`, `reset`), `t` its time."""
        self._last = self._last if t is None else t
        failure = error_type or self._failure
        if self._events:
            return self._finish_stream(failure)
        timing = Timing(self._last)
        if failure:
            return Assembly().completion(status=self._status, timing=timing, failure=failure)
        return decode_json(self._operation, b"".join(self._whole), status=self._status, timing=timing)

    def _finish_stream(self, failure: str | None) -> Completion:
        rest = b"" if self._failure else self._parser.rest()
        torn = bool(rest) and not self._event(rest, self._last)
        if torn or not (self._done or self._assembly.complete):
            failure = failure or "truncated_stream"
        first = self._times[0] if self._times else None
        timing = Timing(self._last, first, _gaps(self._times))
        return self._assembly.completion(status=self._status, timing=timing, failure=failure)

    def _sniff(self, plain: bytes) -> bytes:
        """Some gateways stream events under another content type; the first bytes tell.

        Returns everything that came so far, and leaves nothing behind.
        """
        plain = b"".join([*self._whole, plain])
        self._whole = []
        self._sniffed = len(plain) >= _SNIFFED_BYTES
        self._events = self._sniffed and plain.startswith((b"data:", b"event:", b":"))
        return plain

    def _event(self, data: bytes, t: float | None) -> bool:
        """Take one event; False where it is no JSON of ours."""
        data = data.strip()
        if not data or data == b"[DONE]":
            self._done = self._done or bool(data)
            return True
        try:
            content = self._decode(data)
        except JSON_ERRORS:
            return False
        if content and t is not None:
            self._times.append(t)
        return True

    def _decode(self, data: bytes) -> bool:
        if self._operation == "responses":
            content = self._assembly.add_event(_EVENT.decode(data))
            self._done = self._done or self._assembly.complete
            return content
        return self._assembly.add(_CHUNK.decode(data))


def decode_response(
    operation: Operation,
    headers: Mapping[str, str],
    body: bytes,
    marks: Sequence[Mark] = (),
    *,
    status: int = 200,
    error_type: str | None = None,
) -> Completion:
    """One captured answer; `body` as on the wire (still content-encoded), cut by `marks`.

    Bytes beyond the marks count as arriving with the last one. `error_type` is what the capture
    saw of the transport (`reset`), if anything.
    """
    decoder = StreamDecoder(operation, headers, status)
    start = 0
    for t, length in marks:
        end = start + max(length, 0)
        decoder.feed(body[start:end], t)
        start = end
    if start < len(body):
        decoder.feed(body[start:], marks[-1][0] if marks else None)
    return decoder.finish(error_type=error_type)


def _is_sse(headers: Mapping[str, str]) -> bool:
    return header(headers, "content-type").partition(";")[0].strip().lower() == "text/event-stream"


def _gaps(times: Sequence[float]) -> Gaps | None:
    """Between one token-bearing event and the next; None for fewer than two."""
    if len(times) < 2:
        return None
    gaps = sorted(max(0.0, later - earlier) for earlier, later in pairwise(times))
    return Gaps(len(gaps), sum(gaps) / len(gaps), _rank(gaps, 0.5), _rank(gaps, 0.99), gaps[-1])


def _rank(ordered: Sequence[float], q: float) -> float:
    """Nearest rank: a value that was really observed."""
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]
