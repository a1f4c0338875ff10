"""Records of other tools as exchanges, by a mapping file: where each thing lies, no code. Pure.

A mapping names JSON pointers (RFC 6901); of several the first that finds something is taken. It is
the same for JSON Lines (`tailgate shadow --mapping`), posted records (`collect.records`) and Kafka
topics. Shipped: `litellm`, `dynamo`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml
from pydantic import BeforeValidator, Field, ValidationError

from collectors.exchanges import Decoding, exchange_of
from collectors.intake import Told
from collectors.jsonl import Tally
from collectors.wire import Capture
from monitor.config_types import Strict
from monitor.errors import BadInput, ConfigError
from monitor.openai_api import operation_of
from monitor.records import Exchange

SHIPPED = ("litellm", "dynamo")
_PATHS = {"chat": "/v1/chat/completions", "text_completion": "/v1/completions", "responses": "/v1/responses"}
_UNITS = {"seconds": 1.0, "milliseconds": 1e-3, "microseconds": 1e-6, "nanoseconds": 1e-9}
_MICRO = 1e6


def _one_or_many(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Pointers = Annotated[tuple[str, ...], BeforeValidator(_one_or_many)]


class RequestPlaces(Strict):
    """Where the request's body is: whole, or in pieces that are merged in this order."""

    body: Pointers = ()
    parameters: Pointers = ()
    messages: Pointers = ()
    prompt: Pointers = ()
    model: Pointers = ()


class RecordMapping(Strict):
    """Where everything of one kind of record lies."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,30}$")
    envelope: Pointers = ()
    keep: Mapping[str, tuple[str | int | bool | None, ...]] = Field(default_factory=dict)
    failed: Mapping[str, tuple[str | int | bool | None, ...]] = Field(default_factory=dict)
    id: Pointers = ()
    session: Pointers = ()
    traceparent: Pointers = ()
    headers: Mapping[str, Pointers] = Field(default_factory=dict)
    unit: Literal["seconds", "milliseconds", "microseconds", "nanoseconds"] = "seconds"
    started: Pointers = ()
    ended: Pointers = ()
    duration: Pointers = ()
    first_token: Pointers = ()
    first_token_only: Mapping[str, tuple[str | int | bool | None, ...]] = Field(default_factory=dict)
    request: RequestPlaces
    response: Pointers


def load(name: str) -> RecordMapping:
    """A shipped mapping by name, or a file. Raises ConfigError, naming what is wrong."""
    try:
        if name in SHIPPED:
            text = files("collectors").joinpath("mappings", f"{name}.yaml").read_text("utf-8")
        else:
            text = Path(name).read_text("utf-8")
        return RecordMapping.model_validate(yaml.safe_load(text))
    except OSError as error:
        raise ConfigError(
            f"mapping {name}: {error.strerror}; shipped are {', '.join(SHIPPED)}, else name a file"
        ) from error
    except (ValidationError, yaml.YAMLError, UnicodeError) as error:
        raise ConfigError(f"mapping {name}: {error}") from error


def told(mapping: RecordMapping, record: object, now: float) -> Told:
    """One parsed record; `now` (UNIX seconds) where it says no time. BadInput: `not_an_exchange` (never
    wanted), `no_content`, `unreadable`.
    """
    record = _first(record, mapping.envelope) if mapping.envelope else record
    if not isinstance(record, Mapping):
        raise BadInput("unreadable", "the record is no JSON object")
    if not _holds(record, mapping.keep):
        raise BadInput("not_an_exchange", "`keep` does not hold")
    body = _body(mapping.request, record)
    started = _time(_first(record, mapping.started), mapping.unit)
    started = now if started is None else started
    failed = bool(mapping.failed) and _holds(record, mapping.failed)
    response = _first(record, mapping.response)
    if not failed and not isinstance(response, Mapping):
        raise BadInput("no_content", f"no answer at {' or '.join(mapping.response)}")
    return Told(
        collector=mapping.name,
        path=_PATHS[operation_of(body)],
        request=_encoded(body),
        response=_encoded(response or {}),
        received_at=started,
        headers=_headers(mapping, record),
        duration_seconds=_duration(mapping, record, started),
        first_token_seconds=_first_token(mapping, record, started),
        status=500 if failed else 200,
    )


def exchange(mapping: RecordMapping, raw: bytes, now: float, number: int = 0) -> Exchange:
    """One record's bytes as the exchange that the spool would have given; BadInput where it is none."""
    try:
        record = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BadInput("not_json", str(error)) from error
    found = told(mapping, record, now)
    capture = Capture(
        id=found.headers.get("x-request-id", f"{mapping.name}-{number}"),
        number=number,
        received_at=found.received_at,
        method="POST",
        path=found.path,
        request_headers=dict(found.headers),
        request_body=found.request,
        status=found.status,
        response_headers={"content-type": "application/json"},
        response_body=found.response,
        marks=[],
        duration_us=int((found.duration_seconds or 0.0) * _MICRO),
        outcome="ok",
        inclusion_probability=1.0,
        worker=0,
        in_flight=0,
        first_token_us=int((found.first_token_seconds or 0.0) * _MICRO),
        collector=mapping.name,
    )
    return exchange_of(capture, Decoding(max_age_seconds=float("inf")), now)


def read_mapped(
    lines: Iterable[bytes], mapping: RecordMapping, now: float, tally: Tally
) -> Iterator[Exchange]:
    """Exchanges of a file of records, one per line; the rest is counted with its line and reason."""
    for number, raw in enumerate(lines, 1):
        if not raw.strip():
            continue
        tally.lines += 1
        try:
            found = exchange(mapping, raw, now, number)
        except BadInput as error:
            tally.reject(number, error)
            continue
        tally.usable += 1
        yield found


def _body(places: RequestPlaces, record: Mapping[str, Any]) -> dict[str, Any]:
    whole = _first(record, places.body)
    body: dict[str, Any] = dict(whole) if isinstance(whole, Mapping) else {}
    parameters = _first(record, places.parameters)
    if isinstance(parameters, Mapping):
        body = {**parameters, **body}
    for key in ("messages", "prompt", "model"):
        value = _first(record, getattr(places, key))
        if value is not None:
            body.setdefault(key, value)
    if not any(body.get(key) for key in ("messages", "prompt", "input")):
        raise BadInput("no_content", "the record holds no prompt (message logging switched off?)")
    return body


def _headers(mapping: RecordMapping, record: Mapping[str, Any]) -> dict[str, str]:
    places = {
        "x-request-id": mapping.id,
        "x-session-id": mapping.session,
        "traceparent": mapping.traceparent,
        **{name.lower(): pointers for name, pointers in mapping.headers.items()},
    }
    found = {name: _first(record, pointers) for name, pointers in places.items()}
    return {name: str(value) for name, value in found.items() if isinstance(value, str | int | float | bool)}


def _duration(mapping: RecordMapping, record: Mapping[str, Any], started: float) -> float | None:
    given = _first(record, mapping.duration)
    if isinstance(given, int | float):
        return max(0.0, given * _UNITS[mapping.unit])
    ended = _time(_first(record, mapping.ended), mapping.unit)
    return None if ended is None else max(0.0, ended - started)


def _first_token(mapping: RecordMapping, record: Mapping[str, Any], started: float) -> float | None:
    if not _holds(record, mapping.first_token_only):
        return None
    at = _time(_first(record, mapping.first_token), mapping.unit)
    return at - started if at is not None and at > started else None


def _time(value: object, unit: str) -> float | None:
    """A number in the mapping's unit since 1970, or ISO 8601 (UTC where no zone is given)."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value * _UNITS[unit]
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _holds(record: Mapping[str, Any], wanted: Mapping[str, tuple[Any, ...]]) -> bool:
    return all(_at(record, pointer) in values for pointer, values in wanted.items())


def _first(record: object, pointers: Pointers) -> Any:
    return next((found for pointer in pointers if (found := _at(record, pointer)) is not None), None)


def _at(record: object, pointer: str) -> Any:
    """RFC 6901; None where nothing is."""
    for step in pointer.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(record, Mapping):
            record = record.get(key)
        elif isinstance(record, list) and key.isdecimal() and int(key) < len(record):
            record = record[int(key)]
        else:
            return None
    return record


def _encoded(body: Mapping[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(body)
    except (UnicodeError, TypeError, OverflowError) as error:
        raise BadInput("unreadable", str(error)) from error
