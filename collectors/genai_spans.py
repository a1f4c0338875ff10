"""One span of a GenAI call as an exchange (OpenTelemetry GenAI conventions, and who came before). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from collectors.genai_messages import FINISH, Attributes, Content, Event, Message, content_of, unflatten
from collectors.intake import Told
from monitor.errors import BadInput

EXCLUDED = frozenset({"not_genai", "not_an_exchange"})
"""Reasons under which a span was never eligible; all others are skips."""
_NANO = 1e9
_PATHS = {
    "chat": "/v1/chat/completions",
    "generate_content": "/v1/chat/completions",
    "LLM": "/v1/chat/completions",
    "text_completion": "/v1/completions",
    "completion": "/v1/completions",
}
_OPERATION = ("gen_ai.operation.name", "llm.request.type", "openinference.span.kind")
_MARKS = ("gen_ai.", "llm.", "openinference.")
_PARAMETERS = {
    "gen_ai.request.temperature": "temperature",
    "gen_ai.request.top_p": "top_p",
    "gen_ai.request.top_k": "top_k",
    "gen_ai.request.max_tokens": "max_tokens",
    "gen_ai.request.frequency_penalty": "frequency_penalty",
    "gen_ai.request.presence_penalty": "presence_penalty",
    "gen_ai.request.stop_sequences": "stop",
    "gen_ai.request.seed": "seed",
    "gen_ai.openai.request.seed": "seed",
    "gen_ai.request.choice.count": "n",
    "gen_ai.request.stream": "stream",
    "llm.is_streaming": "stream",
}
_WHOLE = frozenset({"max_tokens", "top_k", "seed", "n"})
_FIRST_TOKEN = (
    "gen_ai.response.time_to_first_chunk",
    "gen_ai.server.time_to_first_token",
    "gen_ai.latency.time_to_first_token",
)
_MODEL = ("gen_ai.request.model", "llm.model_name", "gen_ai.response.model")
_INPUT = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt")
_OUTPUT = ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion")
_CACHED = ("gen_ai.usage.cache_read.input_tokens", "llm.token_count.prompt_details.cache_read")
_SESSION = ("gen_ai.conversation.id", "session.id")


@dataclass(frozen=True, slots=True)
class Span:
    """What of a span matters; ids are hex, times UNIX nanoseconds, `failed` = status ERROR."""

    trace_id: str
    span_id: str
    start: int
    end: int
    attributes: Attributes
    events: Sequence[Event] = ()
    failed: bool = False
    resource: Attributes = field(default_factory=dict)


def told(span: Span, declared: Sequence[str] = ()) -> Told:
    """The exchange; BadInput with `not_genai`, `not_an_exchange`, `no_content`, `unsupported_content`
    or `unreadable`. `declared` attributes (of span or resource) become headers for segments and subject.
    """
    path = _path(span.attributes)
    content = content_of(span.attributes, span.events)
    failure = _failure(span)
    if content is None or not (content.choices or failure):
        raise BadInput("no_content", "the instrumentation records no messages, or put them elsewhere")
    return Told(
        collector="otlp",
        path=path,
        headers=_headers(span, declared),
        request=_encoded(_request(path, span.attributes, content)),
        response=_encoded(failure or _response(path, span.attributes, content)),
        received_at=span.start / _NANO,
        duration_seconds=max(0, span.end - span.start) / _NANO,
        first_token_seconds=_seconds(_first(span.attributes, _FIRST_TOKEN)),
        status=_status(span.attributes) if failure else 200,
    )


def _encoded(body: Mapping[str, Any]) -> bytes:
    try:
        return msgspec.json.encode({key: value for key, value in body.items() if value is not None})
    except (UnicodeError, TypeError, OverflowError) as error:
        raise BadInput("unreadable", str(error)) from error


def _path(attributes: Attributes) -> str:
    if not any(key.startswith(_MARKS) for key in attributes):
        raise BadInput("not_genai")
    operation = _first(attributes, _OPERATION)
    if operation not in _PATHS:
        raise BadInput("not_an_exchange", f"operation {str(operation)[:40]!r}")
    return _PATHS[operation]


def _headers(span: Span, declared: Sequence[str]) -> dict[str, str]:
    """What a request's head would have said. The sampled flag is the trace's, not ours."""
    headers = {
        "x-request-id": f"{span.trace_id}-{span.span_id}",
        "traceparent": f"00-{span.trace_id}-{span.span_id}-01",
    }
    if (session := _first(span.attributes, _SESSION)) is not None:
        headers["x-session-id"] = str(session)
    known = {**span.resource, **span.attributes}
    return headers | {name: str(known[name]) for name in declared if name in known}


def _request(path: str, attributes: Attributes, content: Content) -> dict[str, Any]:
    body: dict[str, Any] = {"model": _first(attributes, _MODEL), **_parameters(attributes)}
    if path == "/v1/completions":
        return {**body, "prompt": "\n".join(_prompt(m) for m in content.messages)}
    if tools := _tools(attributes):
        body["tools"] = tools
    if attributes.get("gen_ai.output.type", attributes.get("gen_ai.openai.request.response_format")) in {
        "json",
        "json_object",
    }:
        body["response_format"] = {"type": "json_object"}
    return {**body, "messages": list(content.messages)}


def _prompt(message: Message) -> str:
    content = message["content"]
    if not isinstance(content, str):
        raise BadInput("unsupported_content", "a completion's prompt is text")
    return content


def _parameters(attributes: Attributes) -> dict[str, Any]:
    given = _invocation(attributes)
    for name, key in _PARAMETERS.items():
        if (value := attributes.get(name)) is not None:
            given[key] = int(value) if key in _WHOLE and isinstance(value, float) else value
    return given


def _invocation(attributes: Attributes) -> dict[str, Any]:
    """OpenInference keeps all parameters as one JSON text."""
    text = attributes.get("llm.invocation_parameters")
    try:
        parsed = msgspec.json.decode(text) if isinstance(text, str) else {}
    except (msgspec.DecodeError, UnicodeError):
        return {}
    wanted = {*_PARAMETERS.values(), "max_completion_tokens", "response_format", "tools", "tool_choice"}
    return {key: value for key, value in parsed.items() if key in wanted} if isinstance(parsed, dict) else {}


def _tools(attributes: Attributes) -> list[dict[str, Any]]:
    value = attributes.get("gen_ai.tool.definitions")
    try:
        given = msgspec.json.decode(value) if isinstance(value, str) else value
    except (msgspec.DecodeError, UnicodeError) as error:
        raise BadInput("unreadable", f"gen_ai.tool.definitions: {error}") from error
    found = given if isinstance(given, list) else unflatten("llm.request.functions.", attributes)
    return [_tool(tool) for tool in found if isinstance(tool, Mapping)]


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    if "function" in tool or tool.get("type", "function") != "function":
        return dict(tool)
    return {"type": "function", "function": {key: v for key, v in tool.items() if key != "type"}}


def _response(path: str, attributes: Attributes, content: Content) -> dict[str, Any]:
    reasons = attributes.get("gen_ai.response.finish_reasons")
    ends = reasons if isinstance(reasons, list) else []
    choices: list[dict[str, Any]] = []
    for index, (message, finish) in enumerate(content.choices):
        end = finish or (FINISH.get(str(ends[index]), str(ends[index])) if index < len(ends) else None)
        answer = {"text": message["content"] or ""} if path == "/v1/completions" else {"message": message}
        choices.append({"index": index, **answer, "finish_reason": end})
    return {
        "id": attributes.get("gen_ai.response.id"),
        "model": _first(attributes, ("gen_ai.response.model", *_MODEL)),
        "system_fingerprint": attributes.get("gen_ai.openai.response.system_fingerprint"),
        "choices": choices,
        "usage": {
            "prompt_tokens": _count(_first(attributes, _INPUT)),
            "completion_tokens": _count(_first(attributes, _OUTPUT)),
            "prompt_tokens_details": {"cached_tokens": _count(_first(attributes, _CACHED))},
        },
    }


def _failure(span: Span) -> dict[str, Any] | None:
    kind = span.attributes.get("error.type")
    if not span.failed and kind is None:
        return None
    return {"error": {"type": str(kind or "error")[:80], "message": "the span's status is an error"}}


def _status(attributes: Attributes) -> int:
    """`error.type` may be an HTTP status."""
    kind = str(attributes.get("error.type", ""))
    return int(kind) if kind.isdecimal() and 400 <= int(kind) < 600 else 500


def _first(attributes: Attributes, names: Sequence[str]) -> Any:
    return next((attributes[name] for name in names if attributes.get(name) is not None), None)


def _count(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) and value >= 0 else None


def _seconds(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and value > 0 else None
