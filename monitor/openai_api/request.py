"""Request bytes to `Request`: chat completions, completions, responses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from monitor.errors import BadInput
from monitor.openai_api.encoding import inflate
from monitor.records import Message, Operation, Request, ToolCall

# Longest first: "/chat/completions" also ends in "/completions".
_PATHS: tuple[tuple[str, Operation], ...] = (
    ("/chat/completions", "chat"),
    ("/completions", "text_completion"),
    ("/responses", "responses"),
)
_TEXT_PARTS = frozenset({"text", "input_text", "output_text"})
# UnicodeError: JSON read by other means may carry lone surrogates, which have no UTF-8.
_JSON_ERRORS = (msgspec.MsgspecError, UnicodeError, RecursionError)


class _Function(msgspec.Struct):
    name: str = ""
    arguments: str | dict[str, Any] | None = None


class _Call(msgspec.Struct):
    id: str | None = None
    function: _Function | None = None


class _Message(msgspec.Struct):
    role: str
    content: str | list[dict[str, Any] | str] | None = None
    tool_calls: list[_Call] | None = None
    function_call: _Function | None = None


class _Common(msgspec.Struct):
    model: str | None = None
    stream: bool | None = None


class _Chat(_Common):
    messages: list[_Message] = msgspec.field(default_factory=list)


class _TextCompletion(_Common):
    prompt: str | list[str | int | list[int]] | None = None


class _Item(msgspec.Struct):
    """One item of a Responses `input` list; which fields are set depends on `type`."""

    type: str = "message"
    role: str = ""
    content: str | list[dict[str, Any] | str] | None = None
    name: str = ""
    arguments: str = ""
    call_id: str = ""
    output: str | list[dict[str, Any] | str] | None = None


class _Responses(_Common):
    input: str | list[_Item | str] | None = None
    instructions: str | None = None


def operation_of_path(path: str) -> Operation:
    """The operation of a request target; BadInput `endpoint_unsupported` for any other."""
    bare = path.partition("?")[0].rstrip("/")
    for suffix, operation in _PATHS:
        if bare.endswith(suffix):
            return operation
    raise BadInput("endpoint_unsupported", f"{bare[:80]!r} is not a completion endpoint")


def operation_of(body: Mapping[str, Any]) -> Operation:
    """The operation that a bare request body belongs to (recorded files carry no path)."""
    if "messages" in body:
        return "chat"
    if "prompt" in body:
        return "text_completion"
    if "input" in body:
        return "responses"
    raise BadInput("request_unsupported", "the request has neither messages, prompt nor input")


def decode_request(path: str, headers: Mapping[str, str], body: bytes) -> Request:
    """One captured request.

    Raises BadInput: `endpoint_unsupported`, `encoding_unsupported`, `encoding_broken`,
    `body_too_large`, `request_not_json`, `request_unsupported`.
    """
    operation = operation_of_path(path)
    try:
        parsed = msgspec.json.decode(inflate(headers, body))
    except _JSON_ERRORS as error:
        raise BadInput("request_not_json", f"request body: {error}") from error
    return parse_request(operation, parsed)


def parse_request(operation: Operation, body: object) -> Request:
    """A parsed request body; BadInput `request_unsupported` where its shape would mislead."""
    if not isinstance(body, dict):
        raise BadInput("request_unsupported", "the request body is not a JSON object")
    try:
        wire = msgspec.convert(body, _SHAPES[operation])
        messages = tuple(_messages(wire))
    except _JSON_ERRORS as error:
        raise BadInput("request_unsupported", f"request body: {error}") from error
    if not messages:
        raise BadInput("request_unsupported", "the request asks nothing")
    return Request(operation, body, messages, model=wire.model, stream=bool(wire.stream))


_SHAPES: dict[Operation, type[_Chat | _TextCompletion | _Responses]] = {
    "chat": _Chat,
    "text_completion": _TextCompletion,
    "responses": _Responses,
}


def _messages(wire: _Chat | _TextCompletion | _Responses) -> Iterator[Message]:
    match wire:
        case _Chat():
            yield from (_chat_message(message) for message in wire.messages)
        case _TextCompletion():
            yield from _prompts(wire.prompt)
        case _Responses():
            if wire.instructions:
                yield Message("system", wire.instructions)
            items = [wire.input] if isinstance(wire.input, str) else wire.input or ()
            yield from (_item(item) for item in items)


def _chat_message(message: _Message) -> Message:
    text, others = _content(message.content)
    calls = tuple(_call(call.id, call.function) for call in message.tool_calls or () if call.function)
    if message.function_call:
        calls += (_call("", message.function_call),)
    return Message(message.role, text, others, calls)


def _call(call_id: str | None, function: _Function) -> ToolCall:
    arguments = function.arguments
    if isinstance(arguments, dict):
        arguments = msgspec.json.encode(arguments).decode()
    return ToolCall(function.name, arguments or "", call_id or "")


def _content(content: str | Sequence[dict[str, Any] | str] | None) -> tuple[str, tuple[str, ...]]:
    """Joined text parts, and the kinds of all other parts."""
    if content is None or isinstance(content, str):
        return content or "", ()
    texts: list[str] = []
    others: list[str] = []
    for part in content:
        if isinstance(part, str):
            texts.append(part)
        elif str(part.get("type", "text")) in _TEXT_PARTS and isinstance(part.get("text"), str):
            texts.append(part["text"])
        else:
            others.append(str(part.get("type", "unknown"))[:40])
    return "\n".join(texts), tuple(others)


def _prompts(prompt: str | list[str | int | list[int]] | None) -> Iterator[Message]:
    """A prompt is text, token ids, or a batch of either."""
    if isinstance(prompt, str):
        yield Message("user", prompt)
    elif prompt and all(isinstance(item, int) for item in prompt):
        yield Message("user", "", ("token_ids",))
    else:
        for item in prompt or ():
            yield Message("user", item) if isinstance(item, str) else Message("user", "", ("token_ids",))


def _item(item: _Item | str) -> Message:
    if isinstance(item, str):
        return Message("user", item)
    if item.type == "function_call":
        return Message("assistant", "", (), (ToolCall(item.name, item.arguments, item.call_id),))
    if item.type == "function_call_output":
        text, others = _content(item.output)
        return Message("tool", text, others)
    text, others = _content(item.content)
    kinds = others if item.type == "message" else (*others, item.type[:40])
    return Message(item.role or "user", text, kinds)
