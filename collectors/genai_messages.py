"""Prompts and answers in traces, in every form that instrumentations write, as OpenAI messages. Pure.

The GenAI conventions (Development) changed their mind three times: messages as attributes with
`parts` (since 1.37), one event per message (1.28 to 1.36), whole prompts as JSON in two events
(before). OpenLLMetry flattens them (`gen_ai.prompt.0.content`), OpenInference flattens them
differently (`llm.input_messages.0.message.content`). All of them are in the field at the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from monitor.errors import BadInput

Attributes = Mapping[str, Any]
Message = dict[str, Any]
FINISH = {"tool_call": "tool_calls"}
_EVENT_ROLES = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
_MAX_DEPTH = 12


@dataclass(frozen=True, slots=True)
class Event:
    """One span event."""

    name: str
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Content:
    """What was asked, and every choice of the answer with its finish reason."""

    messages: Sequence[Message]
    choices: Sequence[tuple[Message, str | None]]


def content_of(attributes: Attributes, events: Sequence[Event]) -> Content | None:
    """The first form that holds a prompt, or None; BadInput where it holds what cannot be mirrored."""
    found = (form(attributes, events) for form in FORMS)
    return next((content for content in found if content is not None and content.messages), None)


def _current(attributes: Attributes, events: Sequence[Event]) -> Content | None:
    """`gen_ai.input.messages` and `.output.messages`, on the span or on one of its events."""
    holders = [attributes, *(event.attributes for event in events)]
    asked = next((h["gen_ai.input.messages"] for h in holders if "gen_ai.input.messages" in h), None)
    if asked is None:
        return None
    told = next((h["gen_ai.output.messages"] for h in holders if "gen_ai.output.messages" in h), None)
    system = next(
        (h["gen_ai.system_instructions"] for h in holders if "gen_ai.system_instructions" in h), None
    )
    messages = [m for each in _objects(asked) for m in _with_parts(each)]
    if system:
        text = system if isinstance(system, str) and not _is_json(system) else _joined(_objects(system))
        messages.insert(0, {"role": "system", "content": text})
    choices = [(m, _finish(each)) for each in _objects(told) for m in _with_parts(each)[:1]]
    return Content(messages, choices)


def _with_parts(message: Message) -> list[Message]:
    """One message of the conventions; results of several tools are several messages at OpenAI."""
    if "parts" not in message:
        return [_plain(message)]
    role = str(message.get("role", "user"))
    parts = _objects(message["parts"])
    results = [_tool_result(part) for part in parts if part.get("type") == "tool_call_response"]
    if results:
        return results
    made: Message = {"role": role, "content": _content(parts)}
    if calls := [_call(part) for part in parts if part.get("type") == "tool_call"]:
        made["tool_calls"] = calls
        made["content"] = made["content"] or None
    if role == "assistant" and (thought := _joined([p for p in parts if p.get("type") == "reasoning"])):
        made["reasoning_content"] = thought
    return [made]


def _content(parts: Sequence[Message]) -> str | list[Message]:
    """Text where there is only text, else OpenAI's parts."""
    shown = [part for part in parts if part.get("type") not in {"tool_call", "reasoning"}]
    if all(part.get("type", "text") == "text" for part in shown):
        return _joined(shown)
    return [_part(part) for part in shown]


def _part(part: Message) -> Message:
    match part.get("type"):
        case "text":
            return {"type": "text", "text": str(part.get("content", ""))}
        case "uri" if part.get("modality") == "image":
            return {"type": "image_url", "image_url": {"url": str(part.get("uri", ""))}}
        case "blob" if part.get("modality") == "image":
            kind, data = part.get("mime_type", "image/png"), part.get("content", part.get("data", ""))
            return {"type": "image_url", "image_url": {"url": f"data:{kind};base64,{data}"}}
        case kind:
            raise BadInput("unsupported_content", f"a part of type {str(kind)[:40]!r} cannot be sent again")


def _tool_result(part: Message) -> Message:
    result = part.get("response", part.get("result", ""))
    return {"role": "tool", "tool_call_id": str(part.get("id") or ""), "content": _text(result)}


def _call(part: Message) -> Message:
    """A tool call, flat (`name`, `arguments`) or as the API has it (`function`)."""
    function = part.get("function")
    inner = function if isinstance(function, Mapping) else part
    if not isinstance(inner.get("name"), str):
        raise BadInput("unreadable", "a tool call without a name")
    return {
        "id": str(part.get("id") or ""),
        "type": "function",
        "function": {"name": inner["name"], "arguments": _text(inner.get("arguments", ""))},
    }


def _per_event(attributes: Attributes, events: Sequence[Event]) -> Content | None:
    """One event per message; its body in attributes, or as JSON in `gen_ai.event.content`."""
    del attributes
    messages, choices = [], []
    for event in events:
        body = {**event.attributes, **_object(event.attributes.get("gen_ai.event.content"))}
        if event.name in _EVENT_ROLES:
            messages.append(_plain({"role": _EVENT_ROLES[event.name], **body}))
        elif event.name == "gen_ai.choice":
            message = _object(body.get("message")) or body
            choices.append((_plain({"role": "assistant", **message}), _finish(body)))
    return Content(messages, choices) if messages else None


def _whole_prompts(attributes: Attributes, events: Sequence[Event]) -> Content | None:
    """`gen_ai.prompt` and `gen_ai.completion`: JSON of all messages, or bare text; on events or the span."""
    holders = [attributes, *(event.attributes for event in events)]
    asked = next((h["gen_ai.prompt"] for h in holders if "gen_ai.prompt" in h), None)
    if asked is None:
        return None
    told = next((h["gen_ai.completion"] for h in holders if "gen_ai.completion" in h), "")
    answers = _messages_or_text(told, "assistant") if told else []
    return Content(
        [_plain(m) for m in _messages_or_text(asked, "user")], [(_plain(m), _finish(m)) for m in answers]
    )


def _flattened(attributes: Attributes, events: Sequence[Event]) -> Content | None:
    """OpenLLMetry: `gen_ai.prompt.0.role`, `gen_ai.completion.0.finish_reason`, ..."""
    del events
    asked = unflatten("gen_ai.prompt.", attributes) or unflatten("llm.prompts.", attributes)
    told = unflatten("gen_ai.completion.", attributes) or unflatten("llm.completions.", attributes)
    if not asked:
        return None
    return Content(
        [_plain(m) for m in asked if "content" in m or "tool_calls" in m],
        [(_plain({"role": "assistant", **m}), _finish(m)) for m in told],
    )


def _openinference(attributes: Attributes, events: Sequence[Event]) -> Content | None:
    """OpenInference: `llm.input_messages.0.message.contents.1.message_content.text`, ..."""
    del events
    asked = unflatten("llm.input_messages.", attributes)
    if not asked:
        return None
    told = unflatten("llm.output_messages.", attributes)
    return Content([_unwrapped(m) for m in asked], [(_unwrapped(m), None) for m in told])


def _unwrapped(wrapped: Message) -> Message:
    message = _object(wrapped.get("message"))
    parts = [_object(each.get("message_content")) for each in _ordered(message.get("contents"))]
    calls = [_object(each.get("tool_call")) for each in _ordered(message.get("tool_calls"))]
    if any(part.get("type", "text") != "text" for part in parts):
        raise BadInput("unsupported_content", "a message with parts that are no text")
    text = message.get("content") or "\n".join(str(part.get("text", "")) for part in parts)
    return _plain({**message, "content": text, "tool_calls": calls})


FORMS: tuple[Callable[[Attributes, Sequence[Event]], Content | None], ...] = (
    _current,
    _per_event,
    _flattened,
    _openinference,
    _whole_prompts,
)
"""Newest first: a span that carries two forms says the same twice."""


def _plain(message: Message) -> Message:
    """A message of about OpenAI's shape."""
    made: Message = {"role": str(message.get("role") or "user"), "content": _own_content(message)}
    if calls := [_call(call) for call in _ordered(message.get("tool_calls"))]:
        made["tool_calls"] = calls
        made["content"] = made["content"] or None
    if made["role"] == "tool":
        made["tool_call_id"] = str(message.get("tool_call_id") or message.get("id") or "")
    return made


def _own_content(message: Message) -> str | list[Any]:
    value = message.get("content")
    if isinstance(value, str) and value.startswith('[{"type"'):
        value = _json(value)
    if isinstance(value, list) and all(isinstance(part, Mapping) for part in value):
        return _content([{**p, "content": p.get("content", p.get("text", ""))} for p in value])
    return _text(value)


def _finish(holder: Message) -> str | None:
    reason = holder.get("finish_reason")
    return None if reason is None else FINISH.get(str(reason), str(reason))


def unflatten(prefix: str, attributes: Attributes) -> list[Message]:
    """`<prefix>0.a.b = x` as `[{"a": {"b": x}}]`; lists below stay dictionaries by index."""
    root: dict[str, Any] = {}
    for key, value in attributes.items():
        if key.startswith(prefix):
            _put(root, key.removeprefix(prefix).split("."), value)
    return list(_ordered(root))


def _put(root: dict[str, Any], path: Sequence[str], value: object) -> None:
    if len(path) > _MAX_DEPTH:
        return
    for step in path[:-1]:
        below = root.setdefault(step, {})
        if not isinstance(below, dict):
            return
        root = below
    root[path[-1]] = value


def _ordered(value: object) -> Iterator[Message]:
    """Items of a list, of JSON of one, or of a dictionary by index."""
    if isinstance(value, str):
        value = _json(value)
    if isinstance(value, Mapping):
        numbered = [key for key in value if str(key).isdecimal()]
        value = [value[key] for key in sorted(numbered, key=int)]
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, Mapping))  # type: ignore[misc]


def _objects(value: object) -> list[Message]:
    """A list of objects, structured or as JSON; BadInput where it is neither."""
    parsed = _json(value) if isinstance(value, str) else value
    if parsed is None:
        return []
    if not isinstance(parsed, list) or not all(isinstance(item, Mapping) for item in parsed):
        raise BadInput("unreadable", "messages are no list of objects (cut off by an attribute limit?)")
    return parsed


def _object(value: object) -> Message:
    parsed = _json(value) if isinstance(value, str) else value
    return dict(parsed) if isinstance(parsed, Mapping) else {}


def _messages_or_text(value: object, role: str) -> list[Message]:
    parsed = _json(value) if isinstance(value, str) and _is_json(value) else value
    if isinstance(parsed, list) and all(isinstance(item, Mapping) for item in parsed):
        return [{"role": role, **item} for item in parsed]
    return [{"role": role, "content": _text(parsed)}]


def _is_json(text: str) -> bool:
    return text.lstrip()[:1] in {"[", "{"}


def _json(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return ()  # neither a list nor an object: every reader says what that means to it


def _joined(parts: Iterable[Message]) -> str:
    return "\n".join(_text(part.get("content", "")) for part in parts)


def _text(value: object) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return msgspec.json.encode(value).decode()
