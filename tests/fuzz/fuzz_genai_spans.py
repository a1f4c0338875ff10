"""Spans with anything in their attributes: an exchange that decodes, or a counted reason, never more.

An input is JSON: `{"attributes": {...}, "events": [[name, {...}], ...], "failed": bool}`.
"""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec

from collectors.genai_messages import Event
from collectors.genai_spans import Span, told
from monitor.errors import BadInput
from monitor.openai_api import decode_request, decode_response
from tests.collectors import test_genai_spans as forms

COVERS: Final = ("collectors.genai_messages", "collectors.genai_spans")
_TOOL: Final = {"type": "function", "name": "f", "parameters": {}}
_PARTS: Final = [
    {"type": "text", "content": "a"},
    {"type": "uri", "modality": "image", "uri": "u"},
    {"type": "blob", "modality": "image", "content": "AA"},
    {"type": "tool_call", "id": "1", "name": "f", "arguments": {"a": 1}},
    {"type": "reasoning", "content": "hm"},
]


def _seed(attributes: dict[str, Any], *events: Event, failed: bool = False) -> bytes:
    known = {"gen_ai.operation.name": "chat", **attributes}
    pairs = [[event.name, event.attributes] for event in events]
    return json.dumps({"attributes": known, "events": pairs, "failed": failed}).encode()


_PARAMETERS: Final = {
    "gen_ai.request.max_tokens": 5.0, "gen_ai.request.stream": True, "gen_ai.output.type": "json",
    "gen_ai.tool.definitions": json.dumps([_TOOL, {"function": {}}]), "gen_ai.conversation.id": "c",
    "gen_ai.response.time_to_first_chunk": 0.1, "gen_ai.usage.input_tokens": 4,
}  # fmt: skip
SEEDS: Final = (
    _seed(forms.CURRENT | _PARAMETERS),
    _seed(forms.STRUCTURED, failed=True),
    _seed({}, *forms.PER_EVENT),
    _seed({}, *forms.WHOLE),
    _seed(
        forms.FLATTENED | {"gen_ai.completion.0.tool_calls.0.name": "f", "llm.request.functions.0.name": "f"}
    ),
    _seed(forms.OPENINFERENCE),
    _seed({"gen_ai.input.messages": [{"role": "assistant", "parts": _PARTS}], "error.type": "429"}),
    _seed(
        {
            "gen_ai.input.messages": [{"parts": [{"type": "tool_call_response", "response": 1}]}],
            "error.type": "x",
        }
    ),
    _seed({"gen_ai.prompt": "hi", "gen_ai.completion": "ho", "gen_ai.operation.name": "text_completion"}),
    _seed({"gen_ai.prompt": '[{"content": [{"type": "text", "text": "a"}]}]', "gen_ai.completion": "ho"}),
    _seed({}, Event("gen_ai.tool.message", {"content": '[{"type": "text", "text": "a"}]', "id": "1"})),
    _seed({"gen_ai.operation.name": "embeddings"}),
    b'{"attributes": {"a": 1}}',
)


def run(data: bytes) -> None:
    """Raises where a span that was taken cannot be read back."""
    try:
        tree = msgspec.json.decode(data)
        events = tuple(Event(name, values) for name, values in tree.get("events", ()))
        span = Span("ab" * 16, "cd" * 8, 1, 2, tree["attributes"], events, failed=bool(tree.get("failed")))
    except (
        msgspec.DecodeError,
        UnicodeError,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        RecursionError,
    ):
        return
    if not isinstance(span.attributes, dict) or not all(isinstance(e.attributes, dict) for e in events):
        return
    try:
        made = told(span, ("x",))
        request = decode_request(made.path, made.headers, made.request)
    except BadInput:
        return
    decode_response(request.operation, {}, made.response, status=made.status)
