"""Every form in which instrumentations write prompts and answers becomes the same exchange."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from collectors.genai_messages import Event
from collectors.genai_spans import Span, told
from monitor.errors import BadInput

ASKED = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Capital of France?"}]
ANSWER = "Paris."
TEXT = {"type": "text"}


def span(attributes: dict[str, Any], *events: Event, failed: bool = False) -> Span:
    known = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"} | attributes
    return Span("ab" * 16, "cd" * 8, 10**18, 10**18 + 2 * 10**9, known, events, failed=failed)


def parts(text: str) -> list[dict[str, Any]]:
    return [{**TEXT, "content": text}]


CURRENT = {
    "gen_ai.system_instructions": json.dumps(parts("Be short.")),
    "gen_ai.input.messages": json.dumps([{"role": "user", "parts": parts("Capital of France?")}]),
    "gen_ai.output.messages": json.dumps(
        [{"role": "assistant", "parts": parts(ANSWER), "finish_reason": "stop"}]
    ),
}
STRUCTURED = {key: json.loads(value) for key, value in CURRENT.items()}
PER_EVENT = (
    Event("gen_ai.system.message", {"content": "Be short."}),
    Event("gen_ai.user.message", {"gen_ai.event.content": json.dumps({"content": "Capital of France?"})}),
    Event("gen_ai.choice", {"index": 0, "finish_reason": "stop", "message": json.dumps({"content": ANSWER})}),
)
WHOLE = (
    Event("gen_ai.content.prompt", {"gen_ai.prompt": json.dumps(ASKED)}),
    Event(
        "gen_ai.content.completion",
        {"gen_ai.completion": json.dumps([{"content": ANSWER, "finish_reason": "stop"}])},
    ),
)
FLATTENED = {
    "gen_ai.prompt.0.role": "system", "gen_ai.prompt.0.content": "Be short.",
    "gen_ai.prompt.1.role": "user", "gen_ai.prompt.1.content": "Capital of France?",
    "gen_ai.completion.0.role": "assistant", "gen_ai.completion.0.content": ANSWER,
    "gen_ai.completion.0.finish_reason": "stop",
}  # fmt: skip
OPENINFERENCE = {
    "openinference.span.kind": "LLM", "llm.invocation_parameters": '{"temperature": 0.5, "stream": false}',
    "llm.input_messages.0.message.role": "system", "llm.input_messages.0.message.content": "Be short.",
    "llm.input_messages.1.message.role": "user",
    "llm.input_messages.1.message.contents.0.message_content.type": "text",
    "llm.input_messages.1.message.contents.0.message_content.text": "Capital of France?",
    "llm.output_messages.0.message.role": "assistant", "llm.output_messages.0.message.content": ANSWER,
    "gen_ai.response.finish_reasons": ["stop"],
}  # fmt: skip


@pytest.mark.parametrize(
    "form",
    [
        span(CURRENT),
        span(STRUCTURED),
        span({}, Event("gen_ai.client.inference.operation.details", STRUCTURED)),
        span({}, *PER_EVENT),
        span({}, *WHOLE),
        span(FLATTENED),
        span(OPENINFERENCE),
    ],
    ids=["attributes", "structured", "details event", "events", "two events", "openllmetry", "openinference"],
)
def test_every_form_is_the_same_exchange(form: Span) -> None:
    made = told(form)
    assert msgspec.json.decode(made.request)["messages"] == ASKED
    (choice,) = msgspec.json.decode(made.response)["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == (ANSWER, "stop")
    assert (made.path, made.received_at, made.duration_seconds) == ("/v1/chat/completions", 1e9, 2.0)


def test_tools_survive_both_ways() -> None:
    call = {"type": "tool_call", "id": "c1", "name": "weather", "arguments": {"city": "Lyon"}}
    result = {"type": "tool_call_response", "id": "c1", "response": "rain"}
    made = told(
        span(
            {
                "gen_ai.tool.definitions": json.dumps(
                    [{"type": "function", "name": "weather", "parameters": {}}]
                ),
                "gen_ai.input.messages": [
                    {"role": "assistant", "parts": [call]},
                    {"role": "tool", "parts": [result]},
                ],
                "gen_ai.output.messages": [
                    {"role": "assistant", "parts": [call], "finish_reason": "tool_call"}
                ],
            }
        )
    )
    request = msgspec.json.decode(made.request)
    function = {"name": "weather", "arguments": '{"city":"Lyon"}'}
    assert request["tools"] == [{"type": "function", "function": {"name": "weather", "parameters": {}}}]
    assert request["messages"][0]["tool_calls"] == [{"id": "c1", "type": "function", "function": function}]
    assert request["messages"][1] == {"role": "tool", "tool_call_id": "c1", "content": "rain"}
    assert msgspec.json.decode(made.response)["choices"][0]["finish_reason"] == "tool_calls"


def test_an_image_by_reference_is_sent_again_and_sound_is_not() -> None:
    image = {"type": "uri", "modality": "image", "uri": "https://x/y.png"}
    request = told(span(CURRENT | {"gen_ai.input.messages": [{"role": "user", "parts": [image]}]})).request
    assert msgspec.json.decode(request)["messages"][1]["content"] == [
        {"type": "image_url", "image_url": {"url": "https://x/y.png"}}
    ]
    sound = {"type": "blob", "modality": "audio", "content": "AAAA"}
    with pytest.raises(BadInput) as refused:
        told(span({"gen_ai.input.messages": [{"role": "user", "parts": [sound]}]}))
    assert refused.value.reason == "unsupported_content"


def test_a_failed_call_is_the_baselines_failure_not_a_lost_span() -> None:
    asked = {"gen_ai.input.messages": CURRENT["gen_ai.input.messages"]}
    assert told(span(asked | {"error.type": "429"})).status == 429
    assert told(span(asked, failed=True)).status == 500


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"gen_ai.operation.name": "invoke_agent"}, "not_an_exchange"),
        ({}, "no_content"),
        ({"gen_ai.input.messages": CURRENT["gen_ai.input.messages"]}, "no_content"),
        ({"gen_ai.input.messages": CURRENT["gen_ai.input.messages"][:-9]}, "unreadable"),
        ({"gen_ai.input.messages": '{"role": "user"}'}, "unreadable"),
    ],
)
def test_what_is_no_exchange_says_why(attributes: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadInput) as refused:
        told(span(attributes))
    assert refused.value.reason == reason


def test_other_spans_are_not_ours() -> None:
    with pytest.raises(BadInput) as refused:
        told(Span("ab" * 16, "cd" * 8, 1, 2, {"http.method": "GET"}))
    assert refused.value.reason == "not_genai"
