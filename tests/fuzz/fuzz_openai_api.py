"""The OpenAI codec: any bytes end in a value or in `BadInput`, and cutting them changes nothing.

An input is: one byte that picks the operation and the entry point, one byte that says how long the
arriving pieces are, then the body.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import Final

from monitor.errors import BadInput
from monitor.openai_api import (
    Mark,
    decode_forced,
    decode_request,
    decode_response,
    mirrorable,
    operation_of,
    operation_of_path,
    parse_request,
    parse_response,
    rewrite,
)
from monitor.records import Completion, Operation

COVERS = ("monitor.openai_api",)

_PATHS: Final = ("/v1/chat/completions?a=b", "/v1/completions", "/v1/responses/", "/v1/embeddings")
_OPERATIONS: Final[tuple[Operation, ...]] = ("chat", "text_completion", "responses")
_CODINGS: Final = ("", "gzip", "zstd", "br", "identity", "gzip, gzip")
_ENTRY_SSE: Final = 64
_ENTRY_JSON: Final = 128


def _seed(entry: int, operation: int, body: object, coding: int = 0) -> bytes:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return bytes([entry + operation + 4 * coding, 5]) + raw


def _events(*events: object) -> bytes:
    return b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in events) + b"data: [DONE]\n\n"


_CALL: Final = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
_TURNS: Final = [
    {"role": "system", "content": "Be brief."},
    {"role": "assistant", "content": None, "tool_calls": [_CALL], "audio": {"id": "a"}},
    {"role": "assistant", "function_call": {"name": "f", "arguments": {"a": 1}}},
    {
        "role": "user",
        "content": ["x", {"type": "text", "text": "Hi"}, {"type": "file", "file": {"file_id": "f"}}],
    },
]
_REQUEST: Final = {
    "model": "m",
    "messages": _TURNS,
    "stream": True,
    "stream_options": {"x": 1},
    "store": True,
    "n": 9,
    "tools": [{"type": "web_search"}],
    "modalities": ["audio"],
    "background": True,
}
_ITEMS: Final = [
    "plain",
    {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
    {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "c"},
    {"type": "function_call_output", "call_id": "c", "output": "7"},
    {"type": "item_reference", "id": "i"},
]
_CHOICE: Final = {
    "index": 0,
    "message": {
        "content": [{"text": "a"}],
        "refusal": "no",
        "reasoning": "r",
        "tool_calls": [_CALL],
        "function_call": {"name": "f", "arguments": {"a": 1}},
    },
    "text": "b",
    "finish_reason": "stop",
    "logprobs": {"content": [{"token": "a", "logprob": -1.0}]},
    "token_ids": [1],
    "prompt_token_ids": [2],
}
_ANSWER: Final = {
    "id": "x",
    "choices": [_CHOICE, {"index": 1, "logprobs": {"tokens": ["a"], "token_logprobs": [None]}}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 1}},
    "metrics": {"time_to_first_token_ms": 1.0, "generation_time_ms": 2.0},
}
_RESPONSE: Final = {
    "status": "incomplete",
    "incomplete_details": {"reason": "max_output_tokens"},
    "output": [
        {
            "type": "message",
            "content": [{"type": "output_text", "text": "a", "logprobs": [{"token": "a", "logprob": -1}]}],
        },
        {"type": "function_call", "name": "f", "arguments": "{}", "call_id": "c"},
    ],
    "usage": {"input_tokens": 1, "output_tokens": 2, "input_tokens_details": {"cached_tokens": 1}},
}
_ERROR: Final = {"error": {"message": "currently busy", "code": "503", "param": "input_tokens"}}
_DELTA: Final = {"choices": [{"index": 0, "delta": {"content": "ሰላም"}, "finish_reason": None}]}

SEEDS = (
    _seed(0, 0, _REQUEST),
    _seed(0, 1, {"prompt": ["a", "b"], "prompt_embeds": "x"}),
    _seed(0, 1, {"prompt": [1, 2], "logprobs": 1}),
    _seed(0, 1, {"prompt": [[1], [2]]}),
    _seed(0, 2, {"input": _ITEMS, "instructions": "x", "include": ["y"]}),
    _seed(0, 2, {"input": "x", "prompt": {"id": "p"}}),
    _seed(0, 3, {}),
    _seed(0, 0, gzip.compress(json.dumps(_REQUEST).encode()), coding=1),
    _seed(0, 0, b"(\xb5/\xfd\x04\x00\x01\x00\x00{}", coding=2),
    _seed(_ENTRY_SSE, 0, _events({"choices": [{"delta": {"role": "assistant", "content": ""}}]}, _DELTA, _DELTA, _ANSWER)),
    _seed(_ENTRY_SSE, 0, _events(_DELTA, _ERROR).replace(b"\n", b"\r\n")),
    _seed(_ENTRY_SSE, 0, b"\xef\xbb\xbf: ping\r\revent: x\rdata\rdata: \r\r" + _events(_DELTA).replace(b"\n", b"\r")),
    _seed(_ENTRY_SSE, 0, gzip.compress(_events(_DELTA, _DELTA)), coding=1),
    _seed(_ENTRY_SSE, 2, _events({"type": "response.created", "response": {"id": "r"}}, {"type": "response.output_text.delta", "delta": "a"}, {"type": "response.completed", "response": _RESPONSE})),
    _seed(_ENTRY_SSE, 2, _events({"type": "error", "message": "x", "code": 500})),
    _seed(_ENTRY_JSON, 0, _ANSWER),
    _seed(_ENTRY_JSON, 1, _ANSWER),
    _seed(_ENTRY_JSON, 2, _RESPONSE),
    _seed(_ENTRY_JSON, 2, {**_RESPONSE, "status": "completed"}),
    _seed(_ENTRY_JSON, 0, _ERROR),
    _seed(_ENTRY_JSON, 0, {"error": "plain"}),
    _seed(_ENTRY_JSON, 0, b"<html>busy</html>"),
    _seed(_ENTRY_JSON, 1, {"choices": [{"prompt_logprobs": [None, {"112": {"logprob": -0.5, "rank": 1}}]}]}),
)  # fmt: skip


def run(data: bytes) -> None:
    """One execution; AssertionError or any other exception is a finding."""
    if len(data) < 2:
        return
    pick, step, body = data[0], data[1] + 1, data[2:]
    headers = {"content-encoding": _CODINGS[pick // 4 % 16 % len(_CODINGS)]}
    if pick < _ENTRY_SSE:
        _request(_PATHS[pick % 4], headers, body)
        return
    operation = _OPERATIONS[pick % 4 % 3]
    status = 503 if step % 5 == 0 else 200
    headers["content-type"] = (
        "text/event-stream" if pick < _ENTRY_JSON else ("application/json", "")[step % 2]
    )
    _answer(operation, headers, body, step, status)


def _request(path: str, headers: dict[str, str], body: bytes) -> None:
    try:
        operation_of_path(path)
        request = decode_request(path, headers, body)
    except BadInput:
        return
    assert request.messages
    mirrorable(request)
    sent, changes = rewrite(request, model="c", logprobs=True, stream_usage=True, token_ids=True, priority=1)
    again = parse_request(request.operation, sent)
    assert again.messages == request.messages
    assert all("=" in change for change in changes)
    assert rewrite(again, model="c", logprobs=True, stream_usage=True, token_ids=True)[1] == ()
    try:
        operation_of(request.body)
    except BadInput:
        assert request.operation == "responses"


def _answer(operation: Operation, headers: dict[str, str], body: bytes, step: int, status: int) -> None:
    marks: list[Mark] = [(number / 10, step) for number in range(len(body) // step + 1)]
    cut = decode_response(operation, headers, body, marks, status=status)
    whole = decode_response(operation, headers, body, status=status)
    # How much of a damaged archive can still be read depends on where it was cut.
    assert headers["content-encoding"] not in {"", "identity"} or _timeless(cut) == _timeless(whole)
    assert len(whole.tokens) == len(whole.logprobs)
    assert status == 200 or whole.error_type
    _parsed(operation, body)
    _scored(body)


def _scored(body: bytes) -> None:
    try:
        decode_forced(body, [112])
    except BadInput:
        return


def _timeless(answer: Completion) -> Completion:
    return replace(answer, duration_seconds=None, time_to_first_token_seconds=None, gaps=None)


def _parsed(operation: Operation, body: bytes) -> None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return
    if isinstance(value, dict):
        parse_response(operation, value)
