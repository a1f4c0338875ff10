"""The answer that a check asks for, and one that it must not accept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from monitor.records import Completion, ToolCall


def right(check: Mapping[str, Any]) -> Completion:
    """An answer made from the check alone."""
    match check["type"]:
        case "tool_calls_ast":
            return Completion(tool_calls=tuple(_call(call) for call in check["expect"]))
        case "json_equal":
            return Completion(json.dumps(check["expect"]))
        case "lines_equal":
            return Completion("\n".join(check["expect"]))
        case "ifeval":
            return Completion(_obedient(check))
        case _:
            return Completion(str(check["expect"]))


def wrong(check: Mapping[str, Any]) -> Completion:
    """An answer of the right kind with the wrong content."""
    match check["type"]:
        case "tool_calls_ast":
            return Completion(tool_calls=(ToolCall("something_else", "{}"),))
        case "json_equal":
            return Completion(json.dumps({"wrong": check["expect"]}))
        case "lines_equal":
            return Completion("\n".join([*check["expect"][1:], "extra"]))
        case "ifeval":
            return Completion("Sure, however, because THEREFORE really,")
        case _:
            return Completion("31415926")


def _call(call: Mapping[str, Mapping[str, list[Any]]]) -> ToolCall:
    ((name, accepted),) = call.items()
    return ToolCall(
        name, json.dumps({key: _plain(values[0]) for key, values in accepted.items() if values[0] != ""})
    )


def _plain(value: Any) -> Any:
    """The first accepted value of nested mappings, too."""
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    firsts = {key: inner[0] if isinstance(inner, list) else inner for key, inner in value.items()}
    return {key: _plain(inner) for key, inner in firsts.items() if inner != ""}


def _obedient(check: Mapping[str, Any]) -> str:
    words = [word for arguments in check["kwargs"] for word in arguments.get("keywords", [])]
    return " ".join(["we saw", *words, *["and then some more of it"] * 5]).lower()
