"""Answers in the shapes of vLLM 0.32, recorded from the running server. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from monitor.standin import tokens
from monitor.standin.generation import Choice, Generation, usage

FINGERPRINT = "vllm-0.32.0-standin"


@dataclass(frozen=True, slots=True)
class Stamp:
    """What differs from call to call. `metrics` are vLLM's per-request timings, milliseconds."""

    id: str
    created: int
    model: str
    cached: int = 0
    metrics: Mapping[str, Any] | None = None


def _logprobs(generation: Generation, choice: Choice, start: int, end: int) -> dict[str, Any] | None:
    body = generation.request.body
    pairs = list(zip(choice.tokens[start:end], choice.logprobs[start:end], strict=True))
    if generation.request.operation == "text_completion":
        return _text_logprobs(choice, start, pairs) if body.get("logprobs") is not None else None
    if not body.get("logprobs"):
        return None
    top = bool(body.get("top_logprobs"))
    return {"content": [_token(token, value, top=top) for token, value in pairs]}


def _token(token: str, value: float, *, top: bool) -> dict[str, Any]:
    entry = {"token": token, "logprob": value, "bytes": list(token.encode())}
    return {**entry, "top_logprobs": [entry] if top else []}


def _text_logprobs(choice: Choice, start: int, pairs: list[tuple[str, float]]) -> dict[str, Any]:
    offset = sum(map(len, choice.tokens[:start]))
    offsets = []
    for token, _ in pairs:
        offsets.append(offset)
        offset += len(token)
    return {
        "text_offset": offsets,
        "token_logprobs": [value for _, value in pairs],
        "tokens": [token for token, _ in pairs],
        "top_logprobs": [{token: value} for token, value in pairs],
    }


def _calls(choice: Choice) -> list[dict[str, Any]]:
    return [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": "".join(choice.tokens)},
        }
        for call in choice.answer.tool_calls
    ]


def chat(generation: Generation, stamp: Stamp) -> dict[str, Any]:
    """A whole chat completion."""
    wants_ids = bool(generation.request.body.get("return_token_ids"))
    return {
        "id": stamp.id,
        "object": "chat.completion",
        "created": stamp.created,
        "model": stamp.model,
        "choices": [_chat_choice(generation, i, wants_ids=wants_ids) for i in range(len(generation.choices))],
        "service_tier": None,
        "system_fingerprint": FINGERPRINT,
        "usage": usage(generation, stamp.cached),
        "prompt_logprobs": generation.prompt_logprobs,
        "prompt_token_ids": generation.prompt_ids if wants_ids else None,
        "prompt_text": None,
        "kv_transfer_params": None,
        "metrics": stamp.metrics,
    }


def _chat_choice(generation: Generation, index: int, *, wants_ids: bool) -> dict[str, Any]:
    choice = generation.choices[index]
    calls = _calls(choice)
    message = {
        "role": "assistant",
        "content": None if calls else choice.answer.text,
        "refusal": None,
        "annotations": None,
        "audio": None,
        "function_call": None,
        "reasoning": None,
    }
    return {
        "index": index,
        "message": {**message, "tool_calls": calls} if calls else message,
        "logprobs": _logprobs(generation, choice, 0, len(choice.tokens)),
        "finish_reason": choice.answer.finish_reason,
        "stop_reason": None,
        "token_ids": choice.ids if wants_ids else None,
    }


def text_completion(generation: Generation, stamp: Stamp) -> dict[str, Any]:
    """A whole text completion; here the prompt's ids and logprobs sit inside the choice."""
    wants_ids = bool(generation.request.body.get("return_token_ids"))
    choices = [
        {
            "index": index,
            "text": choice.answer.text,
            "logprobs": _logprobs(generation, choice, 0, len(choice.tokens)),
            "finish_reason": choice.answer.finish_reason,
            "stop_reason": None,
            "token_ids": choice.ids if wants_ids else None,
            "prompt_logprobs": generation.prompt_logprobs,
            "prompt_token_ids": generation.prompt_ids if wants_ids else None,
        }
        for index, choice in enumerate(generation.choices)
    ]
    return {
        "id": stamp.id,
        "object": "text_completion",
        "created": stamp.created,
        "model": stamp.model,
        "choices": choices,
        "service_tier": None,
        "system_fingerprint": FINGERPRINT,
        "usage": usage(generation, stamp.cached),
        "kv_transfer_params": None,
        "metrics": stamp.metrics,
    }


def chunks(generation: Generation, stamp: Stamp, interval: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Streamed chunks of both completion APIs with the number of tokens that each brings."""
    kind = "chat.completion.chunk" if generation.request.operation == "chat" else "text_completion"
    base = {"id": stamp.id, "object": kind, "created": stamp.created, "model": stamp.model}
    pieces = _chat_pieces if generation.request.operation == "chat" else _text_pieces
    for index, choice in enumerate(generation.choices):
        yield from (
            (count, {**base, **piece}) for count, piece in pieces(generation, choice, index, interval)
        )


def _steps(choice: Choice, interval: int) -> Iterator[tuple[int, int, bool]]:
    total = len(choice.tokens)
    for start in range(0, max(total, 1), interval):
        end = min(start + interval, total)
        yield start, end, end == total


def _chat_pieces(
    generation: Generation, choice: Choice, index: int, interval: int
) -> Iterator[tuple[int, dict[str, Any]]]:
    wants_ids = bool(generation.request.body.get("return_token_ids"))
    head = {"index": index, "delta": {"role": "assistant", "content": ""}, "logprobs": None}
    prompt = generation.prompt_ids if wants_ids else None
    yield 0, {"choices": [{**head, "finish_reason": None}], "prompt_token_ids": prompt}
    for start, end, last in _steps(choice, interval):
        piece = {
            "index": index,
            "delta": _delta(choice, start, end),
            "logprobs": _logprobs(generation, choice, start, end),
            "finish_reason": choice.answer.finish_reason if last else None,
            "token_ids": choice.ids[start:end] if wants_ids else None,
        }
        yield end - start, {"choices": [{**piece, "stop_reason": None} if last else piece]}


def _delta(choice: Choice, start: int, end: int) -> dict[str, Any]:
    text = "".join(choice.tokens[start:end])
    if not choice.answer.tool_calls:
        return {"content": text} if text else {}
    call = choice.answer.tool_calls[0]
    if start:
        return {"tool_calls": [{"index": 0, "function": {"arguments": text}}]}
    function = {"name": call.name, "arguments": text}
    return {"tool_calls": [{"id": call.id, "type": "function", "index": 0, "function": function}]}


def _text_pieces(
    generation: Generation, choice: Choice, index: int, interval: int
) -> Iterator[tuple[int, dict[str, Any]]]:
    wants_ids = bool(generation.request.body.get("return_token_ids"))
    for start, end, last in _steps(choice, interval):
        piece = {
            "index": index,
            "text": "".join(choice.tokens[start:end]),
            "logprobs": _logprobs(generation, choice, start, end),
            "finish_reason": choice.answer.finish_reason if last else None,
            "stop_reason": None,
            "prompt_token_ids": generation.prompt_ids if wants_ids and not start else None,
            "token_ids": choice.ids[start:end] if wants_ids else None,
        }
        yield end - start, {"choices": [piece]}


def last_chunk(generation: Generation, stamp: Stamp) -> dict[str, Any]:
    """The chunk that `stream_options.include_usage` asks for."""
    chat_like = generation.request.operation == "chat"
    return {
        "id": stamp.id,
        "object": "chat.completion.chunk" if chat_like else "text_completion",
        "created": stamp.created,
        "model": stamp.model,
        "choices": [],
        "usage": usage(generation, stamp.cached),
        "system_fingerprint": FINGERPRINT,
        "metrics": stamp.metrics,
    }


def error(status: int, kind: str, message: str, param: str | None = None) -> dict[str, Any]:
    """vLLM's error object."""
    return {"error": {"message": message, "type": kind, "param": param, "code": status}}


def tokenized(text: str, max_model_len: int, *, strings: bool) -> dict[str, Any]:
    """Answer of /tokenize."""
    words = tokens.pieces(text)
    return {
        "count": len(words),
        "max_model_len": max_model_len,
        "tokens": [tokens.token_id(word) for word in words],
        "token_strs": words if strings else None,
    }


def model_list(name: str, root: str, max_model_len: int, created: int) -> dict[str, Any]:
    """Answer of /v1/models."""
    card = {
        "id": name,
        "object": "model",
        "created": created,
        "owned_by": "vllm",
        "root": root,
        "parent": None,
        "max_model_len": max_model_len,
        "permission": [],
    }
    return {"object": "list", "data": [card]}
