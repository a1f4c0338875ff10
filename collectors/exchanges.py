"""What capture wrote becomes an `Exchange`, or a counted reason why it cannot.

The bytes were copied in the path without being understood; here they are decoded, once, by the same
code that reads the candidate's answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from collectors.wire import Capture
from monitor.errors import BadInput
from monitor.openai_api import decode_request, decode_response, mirrorable
from monitor.records import Exchange

SESSION = "x-session-id"
_MICRO = 1e-6


@dataclass(frozen=True, slots=True)
class Decoding:
    """Which headers carry the session and the data subject, and how old a capture may be."""

    session_header: str | None = None
    subject_header: str | None = None
    max_age_seconds: float = 3600.0


def exchange_of(capture: Capture, settings: Decoding, now: float) -> Exchange:
    """The exchange, or BadInput with the funnel's reason."""
    if now - capture.received_at > settings.max_age_seconds:
        raise BadInput("expired", "older than spool.max_age_seconds before it could be scored")
    request = decode_request(capture.path, capture.request_headers, capture.request_body)
    if reason := mirrorable(request):
        raise BadInput(reason)
    _check_baseline(capture)
    marks = [(micros * _MICRO, length) for micros, length in capture.marks]
    completion = decode_response(
        request.operation, capture.response_headers, capture.response_body, marks, status=capture.status
    )
    if completion.error_type:
        raise BadInput("baseline_error", completion.error_message)
    first = capture.first_token_us * _MICRO if capture.first_token_us else None
    headers = capture.request_headers
    return Exchange(
        id=headers.get("x-request-id") or capture.id,
        received_at=capture.received_at,
        request=request,
        baseline=replace(
            completion,
            duration_seconds=capture.duration_us * _MICRO if capture.duration_us else None,
            time_to_first_token_seconds=first or completion.time_to_first_token_seconds,
            in_flight=capture.in_flight or None,
        ),
        headers=headers,
        session=_first(headers, settings.session_header, SESSION),
        subject=_first(headers, settings.subject_header),
        inclusion_probability=capture.inclusion_probability,
        collector=capture.collector,
        path=capture.path,
    )


def _check_baseline(capture: Capture) -> None:
    """What the baseline failed, refused or never finished is no measure of the candidate."""
    if capture.outcome == "client_left":
        raise BadInput("client_left")
    if capture.outcome != "ok":
        raise BadInput("baseline_incomplete", capture.outcome)
    if capture.status != 200:
        raise BadInput("baseline_error", f"HTTP {capture.status}")


def _first(headers: Mapping[str, str], *names: str | None) -> str | None:
    return next((headers[name] for name in names if name and headers.get(name)), None)
