"""Recorded exchanges and pairs: JSON Lines, one object per line (DESIGN 6), read lazily.

A line that cannot be used is counted with its number and reason and never stops the file; keys that
the format does not know are left out and counted. `dump_pair` writes what `read_pairs` reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

import msgspec

from monitor.errors import BadInput
from monitor.openai_api import operation_of, parse_request, parse_response
from monitor.records import Completion, Exchange, Label, Operation, Pair, ToolCall

Time = Annotated[float, msgspec.Meta(ge=0, le=253402300799)]  # to the end of year 9999
Seconds = Annotated[float, msgspec.Meta(ge=0)]
Tokens = Annotated[int, msgspec.Meta(ge=0)]
T = TypeVar("T")
_LONGEST_NAME = 64
_NOT_IN_NAMES = frozenset("=,'`")
_SHOWN = 20  # bad lines kept with their message; all are counted


class _Answer(msgspec.Struct):
    text: str | None = None
    response: dict[str, Any] | None = None
    tool_calls: list[dict[str, Any]] | None = None
    finish_reason: str | None = None
    duration_seconds: Seconds | None = None
    time_to_first_token_seconds: Seconds | None = None
    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    logprobs: list[float] | None = None
    error_type: str | None = None


class _Label(msgspec.Struct):
    baseline_correct: bool | None = None
    candidate_correct: bool | None = None


class _Line(msgspec.Struct):
    id: str | int
    request: dict[str, Any]
    baseline: _Answer
    candidate: _Answer | None = None
    replay: _Answer | None = None
    time: datetime | Time | None = None
    segments: dict[str, str | int | float | bool | None] | None = None
    session: str | int | None = None
    subject: str | int | None = None
    label: _Label | None = None


_KNOWN = {
    "": frozenset(_Line.__struct_fields__),
    "baseline": frozenset(_Answer.__struct_fields__),
    "candidate": frozenset(_Answer.__struct_fields__),
    "replay": frozenset(_Answer.__struct_fields__),
    "label": frozenset(_Label.__struct_fields__),
}


@dataclass(slots=True)
class Tally:
    """What became of the lines. `bad` counts by reason, `examples` shows the first ones."""

    lines: int = 0
    usable: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    unknown_keys: Counter[str] = field(default_factory=Counter)

    def reject(self, number: int, error: BadInput) -> None:
        """Counts one unusable line."""
        self.bad[error.reason] += 1
        if len(self.examples) < _SHOWN:
            self.examples.append(f"line {number}: {error.reason}: {error}")


def read_pairs(lines: Iterable[bytes], now: float, tally: Tally) -> Iterator[Pair]:
    """Pairs of one file; `now` (UNIX seconds) stands in for a missing `time`."""
    return _read(lines, tally, lambda line: _pair(line, now))


def read_exchanges(lines: Iterable[bytes], now: float, tally: Tally) -> Iterator[Exchange]:
    """Exchanges of one file (a pairs file will do: its other arms are not looked at)."""
    return _read(lines, tally, lambda line: _exchange(line, now))


def _read(lines: Iterable[bytes], tally: Tally, build: Callable[[_Line], T]) -> Iterator[T]:
    for number, raw in enumerate(lines, 1):
        if not raw.strip():
            continue
        tally.lines += 1
        try:
            built = build(_decode(raw.removeprefix(b"\xef\xbb\xbf"), tally))
        except BadInput as error:
            tally.reject(number, error)
            continue
        tally.usable += 1
        yield built


def _decode(raw: bytes, tally: Tally) -> _Line:
    try:
        tree = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput("not_json", str(error)) from error
    try:
        line = msgspec.convert(tree, _Line)
    except msgspec.ValidationError as error:
        raise BadInput("wrong_shape", str(error)) from error
    tally.unknown_keys.update(_unknown(tree))
    return line


def _unknown(tree: Mapping[str, Any]) -> Iterator[str]:
    for where, known in _KNOWN.items():
        part = tree.get(where) if where else tree
        if isinstance(part, dict):
            yield from (f"{where}.{key}" if where else key for key in part if key not in known)


def _pair(line: _Line, now: float) -> Pair:
    if line.candidate is None:
        raise BadInput("no_candidate", "a pair needs `candidate`")
    exchange = _exchange(line, now)
    operation = exchange.request.operation
    return Pair(
        exchange,
        _completion(line.candidate, operation),
        replay=_completion(line.replay, operation) if line.replay else None,
        label=Label(line.label.baseline_correct, line.label.candidate_correct) if line.label else None,
    )


def _exchange(line: _Line, now: float) -> Exchange:
    request = parse_request(operation_of(line.request), line.request)
    return Exchange(
        str(line.id),
        _seconds(line.time, now),
        request,
        _completion(line.baseline, request.operation),
        dims=_dims(line.segments or {}),
        session=None if line.session is None else str(line.session),
        subject=None if line.subject is None else str(line.subject),
        collector="jsonl",
    )


def _seconds(time: datetime | float | None, now: float) -> float:
    if isinstance(time, datetime):
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    return now if time is None else time


def _dims(segments: Mapping[str, str | int | float | bool | None]) -> dict[str, str]:
    for name in segments:
        # `dimension=value` and `a=x,b=y` must stay readable as what they are, in a shell's quotes too
        if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable() or set(name) & _NOT_IN_NAMES:
            raise BadInput(
                "bad_segment",
                f"dimension {name[:_LONGEST_NAME]!r} is empty, long or holds `=`, `,`, a quote or what cannot be seen",
            )
    return {name: _word(value) for name, value in segments.items() if value is not None}


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _completion(answer: _Answer, operation: Operation) -> Completion:
    if all(v is None for v in (answer.text, answer.response, answer.tool_calls, answer.error_type)):
        raise BadInput("no_answer", "an answer needs `text`, `response`, `tool_calls` or `error_type`")
    whole = parse_response(operation, answer.response) if answer.response is not None else Completion()
    given: dict[str, Any] = {
        name: value
        for name in _Answer.__struct_fields__
        if name not in {"response", "tool_calls", "logprobs"} and (value := getattr(answer, name)) is not None
    }
    if answer.tool_calls is not None:
        given["tool_calls"] = tuple(_call(call) for call in answer.tool_calls)
    if answer.logprobs is not None:
        given["logprobs"] = tuple(answer.logprobs)
    return replace(whole, **given)


def _call(call: Mapping[str, Any]) -> ToolCall:
    """Both the API's shape (`function: {name, arguments}`) and the flat one."""
    function = call.get("function", call)
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise BadInput("wrong_shape", "a tool call needs a `name`")
    arguments = function.get("arguments", "")
    text = arguments if isinstance(arguments, str) else msgspec.json.encode(arguments).decode()
    return ToolCall(function["name"], text, str(call.get("id") or ""))


def dump_pair(pair: Pair) -> bytes:
    """One line, without its end; what `read_pairs` reads back as the same pair."""
    exchange = pair.exchange
    tree: dict[str, Any] = {
        "id": pair.id,
        "time": datetime.fromtimestamp(exchange.received_at, UTC),
        "request": exchange.request.body,
        "segments": dict(exchange.dims),
        "session": exchange.session,
        "subject": exchange.subject,
        "baseline": _dump(exchange.baseline),
        "candidate": _dump(pair.candidate),
        "replay": _dump(pair.replay) if pair.replay else None,
        "label": _dump_label(pair.label) if pair.label else None,
    }
    return msgspec.json.encode({key: value for key, value in tree.items() if value not in (None, {})})


def _dump_label(label: Label) -> dict[str, bool | None]:
    return {"baseline_correct": label.baseline_correct, "candidate_correct": label.candidate_correct}


def _dump(answer: Completion) -> dict[str, Any]:
    calls = [{"function": {"name": c.name, "arguments": c.arguments}, "id": c.id} for c in answer.tool_calls]
    tree = {
        "text": answer.text,
        "tool_calls": calls or None,
        "finish_reason": answer.finish_reason,
        "duration_seconds": answer.duration_seconds,
        "time_to_first_token_seconds": answer.time_to_first_token_seconds,
        "input_tokens": answer.input_tokens,
        "output_tokens": answer.output_tokens,
        "logprobs": list(answer.logprobs) or None,
        "error_type": answer.error_type,
    }
    return {key: value for key, value in tree.items() if value is not None}
