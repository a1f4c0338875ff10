"""Whole answers, in the shapes that vLLM 0.32 and OpenAI send."""

import json
from typing import Any

import pytest

from monitor.openai_api import decode_response, parse_response
from monitor.records import Completion, Operation, ToolCall

JSON = {"content-type": "application/json"}
# Recorded from vLLM 0.32.0 with return_token_ids, logprobs, per-request metrics and cached-token details.
VLLM_CHAT: dict[str, Any] = {
    "id": "chatcmpl-abc-1",
    "object": "chat.completion",
    "created": 1795379770,
    "model": "prod",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "=%",
                "refusal": None,
                "function_call": None,
                "reasoning": None,
            },
            "logprobs": {
                "content": [
                    {"token": "=", "logprob": -1.25, "bytes": [61], "top_logprobs": []},
                    {"token": "%", "logprob": -0.75, "bytes": [37], "top_logprobs": []},
                ]
            },
            "finish_reason": "length",
            "stop_reason": None,
            "token_ids": [67, 43],
            "routed_experts": None,
        }
    ],
    "system_fingerprint": "vllm-0.32.0-1ba1dc73",
    "usage": {
        "prompt_tokens": 5,
        "total_tokens": 7,
        "completion_tokens": 2,
        "prompt_tokens_details": {"cached_tokens": 3, "created_cache_tokens": 0, "multimodal_tokens": None},
    },
    "prompt_logprobs": None,
    "prompt_token_ids": [3, 110, 111, 5, 4],
    "metrics": {
        "time_to_first_token_ms": 12.0,
        "generation_time_ms": 4.0,
        "queue_time_ms": 1.0,
        "mean_itl_ms": 2.0,
    },
}
VLLM_TEXT: dict[str, Any] = {
    "id": "cmpl-abc-1",
    "choices": [
        {
            "index": 0,
            "text": "=%",
            "logprobs": {
                "text_offset": [0, 1],
                "token_logprobs": [None, -0.75],
                "tokens": ["=", "%"],
                "top_logprobs": [None, {"%": -0.75}],
            },
            "finish_reason": "length",
            "token_ids": [67, 43],
            "prompt_token_ids": [110, 111],
        }
    ],
    "usage": {"prompt_tokens": 2, "completion_tokens": 2},
}


def decode(operation: Operation, body: Any, status: int = 200) -> Completion:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return decode_response(operation, JSON, raw, [(0.5, len(raw))], status=status)


def test_a_vllm_chat_answer_is_read_whole() -> None:
    expected = Completion(
        text="=%",
        finish_reason="length",
        input_tokens=5,
        output_tokens=2,
        cached_tokens=3,
        duration_seconds=0.5,
        server_time_to_first_token_seconds=0.012,
        server_duration_seconds=0.016,
        server_queue_seconds=0.001,
        logprobs=(-1.25, -0.75),
        tokens=("=", "%"),
        token_ids=(67, 43),
        prompt_token_ids=(3, 110, 111, 5, 4),
        model="prod",
        system_fingerprint="vllm-0.32.0-1ba1dc73",
        response_id="chatcmpl-abc-1",
        status=200,
    )
    assert expected == decode("chat", VLLM_CHAT)


def test_a_text_completion_has_its_prompt_ids_inside_the_choice() -> None:
    answer = decode("text_completion", VLLM_TEXT)
    assert (answer.text, answer.token_ids, answer.prompt_token_ids) == ("=%", (67, 43), (110, 111))


def test_a_token_without_a_logprob_is_left_out() -> None:
    answer = decode("text_completion", VLLM_TEXT)
    assert (answer.tokens, answer.logprobs) == (("%",), (-0.75,))


def test_only_choice_zero_counts() -> None:
    choices = [{"index": 1, "message": {"content": "b"}}, {"index": 0, "message": {"content": "a"}}]
    assert decode("chat", {"choices": choices}).text == "a"


def test_tool_calls_and_arguments_as_objects() -> None:
    calls = [
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}},
        {"id": "c2", "type": "function", "function": {"name": "g", "arguments": {"b": 2}}},
    ]
    body = {"choices": [{"message": {"content": None, "tool_calls": calls}, "finish_reason": "tool_calls"}]}
    assert (ToolCall("f", '{"a": 1}', "c1"), ToolCall("g", '{"b":2}', "c2")) == decode(
        "chat", body
    ).tool_calls


def test_reasoning_is_not_the_answer_and_a_refusal_is() -> None:
    thinking = {"choices": [{"message": {"content": "4", "reasoning_content": "2+2", "reasoning": "2+2"}}]}
    refusing = {"choices": [{"message": {"content": None, "refusal": "No."}}]}
    assert (decode("chat", thinking).text, decode("chat", refusing).text) == ("4", "No.")


def test_content_parts_join() -> None:
    body = {
        "choices": [{"message": {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}}]
    }
    assert decode("chat", body).text == "ab"


def test_a_response_object_reads_like_a_chat_answer() -> None:
    body = {
        "id": "resp_1",
        "status": "completed",
        "output": [
            {"type": "reasoning", "content": []},
            {
                "type": "message",
                "content": [
                    {"type": "output_text", "text": "Hi", "logprobs": [{"token": "Hi", "logprob": -1}]}
                ],
            },
            {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "c"},
        ],
        "usage": {"input_tokens": 5, "output_tokens": 3, "input_tokens_details": {"cached_tokens": 2}},
    }
    answer = decode("responses", body)
    assert ("Hi", (ToolCall("f", "{}", "c"),), "tool_calls") == (
        answer.text,
        answer.tool_calls,
        answer.finish_reason,
    )
    assert (
        answer.logprobs,
        answer.input_tokens,
        answer.output_tokens,
        answer.cached_tokens,
    ) == ((-1.0,), 5, 3, 2)


def test_an_incomplete_response_hit_its_length() -> None:
    body = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "output": []}
    assert decode("responses", body).finish_reason == "length"


BUSY = "The engine is currently busy and cannot accept new requests. Please try again later."
LONG = "This model's maximum context length is 2048 tokens. However, your prompt contains at least 2049 input tokens"


@pytest.mark.parametrize(
    ("status", "error", "expected"),
    [
        (503, {"message": BUSY, "type": "ServiceUnavailableError", "code": 503}, "shed"),
        (503, {"message": "upstream connect error"}, "http_503"),
        (400, {"message": LONG, "param": "input_tokens", "code": 400}, "context_length"),
        (400, {"message": "max_tokens=5000 cannot be greater than max_model_len=2048."}, "context_length"),
        (400, {"message": "too long", "code": "context_length_exceeded"}, "context_length"),
        (404, {"message": "The model `nope` does not exist.", "code": 404}, "http_404"),
        (500, "plain text", "http_500"),
        (200, {"message": "engine died", "code": 500}, "http_500"),
        (200, {"message": "engine died", "code": "server_error"}, "stream_error"),
    ],
)
def test_errors_have_low_cardinality_names(status: int, error: Any, expected: str) -> None:
    assert expected == decode("chat", {"error": error}, status).error_type


@pytest.mark.parametrize(
    ("raw", "status", "expected"),
    [
        (b"", 200, "bad_body"),
        (b'{"choices": [', 200, "bad_body"),
        (b"{}", 200, "bad_body"),
        (b'{"choices": [{"message": {"content": 7}}]}', 200, "bad_body"),
        (b"<html>Bad Gateway</html>", 502, "http_502"),
        (b"<html>No healthy upstream</html>", 503, "http_503"),
        (b"\xff\xfe", 500, "http_500"),
    ],
)
def test_unreadable_answers_are_outcomes(raw: bytes, status: int, expected: str) -> None:
    assert expected == decode("chat", raw, status).error_type


def test_a_recorded_answer_reads_like_its_bytes() -> None:
    answer = parse_response("chat", VLLM_CHAT)
    assert (answer.text, answer.token_ids, answer.duration_seconds) == ("=%", (67, 43), None)
    assert parse_response("chat", {"choices": "none"}).error_type == "bad_body"
