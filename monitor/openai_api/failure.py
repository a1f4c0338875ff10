"""What an error answer means, in few words: the outcomes that `Completion.error_type` may hold."""

from __future__ import annotations

from monitor.openai_api.wire import ErrorObject

_CONTEXT = (
    "maximum context length",
    "context_length_exceeded",
    "longer than the maximum model length",
    "cannot be greater than max_model_len",
)
_BUSY = ("cannot accept new requests", "currently busy", "queue", "overloaded", "too many requests")
SHOWN_CHARACTERS = 300


def error_type(status: int, error: ErrorObject) -> str:
    """Low-cardinality name of a failure.

    `context_length` (the request does not fit this model: not comparable), `shed` (503 admission
    rejection, vLLM --max-num-queued-reqs: the server is healthy and busy), `http_<status>`,
    `stream_error` (an error event without a usable status).
    """
    words = f"{error.message or ''} {error.code} {error.type or ''}".lower()
    if error.param == "input_tokens" or any(phrase in words for phrase in _CONTEXT):
        return "context_length"
    code = _status(status, error)
    if code == 503 and any(phrase in words for phrase in _BUSY):
        return "shed"
    return f"http_{code}" if code else "stream_error"


def _status(status: int, error: ErrorObject) -> int:
    """The HTTP status; for an error event inside a 200 stream, the one that the event carries."""
    if status >= 400:
        return status
    code = error.code
    if isinstance(code, str) and code.isascii() and code.isdigit():
        code = int(code)
    return code if isinstance(code, int) and 400 <= code <= 599 else 0


def as_error(error: ErrorObject | str | None) -> ErrorObject | None:
    """Some gateways send the error as a bare string."""
    return ErrorObject(error) if isinstance(error, str) else error
