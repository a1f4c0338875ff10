"""A whole answer, as JSON bytes or parsed JSON, to `Completion`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from monitor.openai_api.assembly import Assembly, Timing
from monitor.openai_api.failure import SHOWN_CHARACTERS, error_type
from monitor.openai_api.wire import Answer, ErrorObject, Response
from monitor.records import Completion, Operation

# UnicodeError: JSON read by other means may carry lone surrogates, which have no UTF-8.
JSON_ERRORS = (msgspec.MsgspecError, UnicodeError, RecursionError)
_ANSWER = msgspec.json.Decoder(Answer)
_RESPONSE = msgspec.json.Decoder(Response)


def decode_json(operation: Operation, body: bytes, *, status: int, timing: Timing) -> Completion:
    """A whole JSON answer. Never raises: what cannot be read becomes `error_type` `bad_body`."""
    try:
        wire = (_RESPONSE if operation == "responses" else _ANSWER).decode(body)
    except JSON_ERRORS as error:
        return _unreadable(status, body, error, timing)
    return _completion(wire, status, timing)


def parse_response(operation: Operation, body: Mapping[str, Any], *, status: int = 200) -> Completion:
    """As for bytes, for an answer that somebody parsed already (recorded pairs); no timing."""
    try:
        wire: Answer | Response = (
            msgspec.convert(body, Response) if operation == "responses" else msgspec.convert(body, Answer)
        )
        return _completion(wire, status, Timing())
    except JSON_ERRORS as error:
        return _unreadable(status, b"", error, Timing())


def _completion(wire: Answer | Response, status: int, timing: Timing) -> Completion:
    assembly = Assembly()
    if isinstance(wire, Response):
        assembly.add_response(wire)
    else:
        assembly.add(wire)
    return assembly.completion(status=status, timing=timing, failure=None if assembly.pieces else "bad_body")


def _unreadable(status: int, body: bytes, error: Exception, timing: Timing) -> Completion:
    """No JSON of ours: a proxy's HTML page, an empty body, a torn one."""
    shown = body[:SHOWN_CHARACTERS].decode("utf-8", "replace") or str(error)[:SHOWN_CHARACTERS]
    kind = error_type(status, ErrorObject(shown)) if status >= 400 else "bad_body"
    return Completion(
        status=status or None, duration_seconds=timing.duration, error_type=kind, error_message=shown
    )
