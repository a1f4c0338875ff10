"""Requests as clients send them."""

import gzip
import json
from typing import Any

import pytest
import zstandard

from monitor.errors import BadInput
from monitor.openai_api import decode_request, operation_of, parse_request
from monitor.records import Message, ToolCall

CHAT = "/v1/chat/completions"


def body(**fields: Any) -> bytes:
    return json.dumps({"model": "m", **fields}).encode()


def user(content: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content}]}


def reason(path: str, raw: bytes, **headers: str) -> str:
    with pytest.raises(BadInput) as caught:
        decode_request(path, headers, raw)
    return caught.value.reason


def test_chat_keeps_system_user_and_assistant_turns() -> None:
    request = decode_request(
        f"{CHAT}?api-version=1",
        {},
        body(
            messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
            stream=True,
        ),
    )
    assert (Message("system", "Be brief."), Message("user", "Hi")) == request.messages
    assert (request.operation, request.model, request.stream) == ("chat", "m", True)


def test_text_parts_join_and_other_parts_are_named() -> None:
    parts = [
        {"type": "text", "text": "a"},
        {"type": "image_url", "image_url": {"url": "x"}},
        {"type": "text", "text": "b"},
    ]
    (message,) = decode_request(CHAT, {}, body(**user(parts))).messages
    assert Message("user", "a\nb", ("image_url",)) == message


def test_tool_calls_of_earlier_turns_are_read() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    turns = [{"role": "assistant", "content": None, "tool_calls": [call]}, {"role": "tool", "content": "2"}]
    request = decode_request(CHAT, {}, body(messages=turns))
    assert (ToolCall("f", '{"a": 1}', "c1"),) == request.messages[0].tool_calls


def test_legacy_function_call_is_a_tool_call() -> None:
    turn = {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}}
    assert (ToolCall("f", "{}"),) == decode_request(CHAT, {}, body(messages=[turn])).messages[0].tool_calls


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("one", [Message("user", "one")]),
        (["one", "two"], [Message("user", "one"), Message("user", "two")]),
        ([1, 2, 3], [Message("user", "", ("token_ids",))]),
        ([[1, 2], [3]], [Message("user", "", ("token_ids",))] * 2),
    ],
)
def test_completion_prompts_are_text_or_ids_or_batches(prompt: Any, expected: list[Message]) -> None:
    assert expected == list(decode_request("/v1/completions", {}, body(prompt=prompt)).messages)


def test_responses_input_with_instructions_calls_and_outputs() -> None:
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "c"},
        {"type": "function_call_output", "call_id": "c", "output": "7"},
    ]
    request = decode_request("/v1/responses", {}, body(instructions="Be brief.", input=items))
    assert [m.role for m in request.messages] == ["system", "user", "assistant", "tool"]
    assert (request.system, request.prompt) == ("Be brief.", "Hi")


def test_unknown_fields_stay_in_the_body() -> None:
    assert decode_request(CHAT, {}, body(**user("x"), new_field=7)).body["new_field"] == 7


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZIP"])
def test_gzip_bodies_are_read(coding: str) -> None:
    raw = gzip.compress(body(**user("Hi")))
    assert decode_request(CHAT, {"Content-Encoding": coding}, raw).prompt == "Hi"


def test_zstd_bodies_are_read() -> None:
    raw = zstandard.compress(body(**user("Hi")))
    assert decode_request(CHAT, {"content-encoding": "zstd"}, raw).prompt == "Hi"


def test_inflating_bodies_are_bounded() -> None:
    bomb = gzip.compress(bytes(80 << 20))
    with pytest.raises(BadInput, match="exceeds"):
        decode_request(CHAT, {"content-encoding": "gzip"}, bomb)


@pytest.mark.parametrize(
    ("path", "raw", "expected"),
    [
        ("/v1/embeddings", b"{}", "endpoint_unsupported"),
        (CHAT, b"{", "request_not_json"),
        (CHAT, b'{"messages": "\xff"}', "request_not_json"),
        (CHAT, b"[" * 100_000, "request_not_json"),
        (CHAT, b"[1]", "request_unsupported"),
        (CHAT, b"{}", "request_unsupported"),
        (CHAT, b'{"messages": [{"role": 1}]}', "request_unsupported"),
        (CHAT, b'{"messages": [], "stream": "yes"}', "request_unsupported"),
        ("/v1/completions", b'{"prompt": {"id": 1}}', "request_unsupported"),
        ("/v1/responses", b'{"model": "m"}', "request_unsupported"),
    ],
)
def test_unusable_requests_name_their_reason(path: str, raw: bytes, expected: str) -> None:
    assert expected == reason(path, raw)


def test_unknown_and_broken_codings_name_their_reason() -> None:
    assert reason(CHAT, b"", **{"content-encoding": "br"}) == "encoding_unsupported"
    assert reason(CHAT, b"not gzip", **{"content-encoding": "gzip"}) == "encoding_broken"
    assert reason(CHAT, b"not zstd", **{"content-encoding": "zstd"}) == "encoding_broken"


def test_a_bare_body_tells_its_operation() -> None:
    found = [operation_of({key: ""}) for key in ("messages", "prompt", "input")]
    assert found == ["chat", "text_completion", "responses"]
    with pytest.raises(BadInput):
        operation_of({"query": ""})


def test_greedy_is_temperature_zero() -> None:
    assert parse_request("chat", {**user("x"), "temperature": 0}).greedy
    assert not parse_request("chat", user("x")).greedy
