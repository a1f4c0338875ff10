"""The Responses API of the stand-in: text and function calls, whole and streamed. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from monitor.standin.bodies import Stamp
from monitor.standin.generation import Choice, Generation


def response(generation: Generation, stamp: Stamp, status: str | None = None) -> dict[str, Any]:
    """A whole response; with `status` in_progress the empty one that opens a stream."""
    choice = generation.choices[0]
    cut = choice.answer.finish_reason == "length"
    status = status or ("incomplete" if cut else "completed")
    done = status != "in_progress"
    return {
        "id": stamp.id,
        "created_at": stamp.created,
        "incomplete_details": {"reason": "max_output_tokens"} if done and cut else None,
        "model": stamp.model,
        "object": "response",
        "output": [_item(generation, choice, stamp)] if done else [],
        "parallel_tool_calls": True,
        "status": status,
        "usage": _usage(generation, stamp) if done else None,
        "metrics": stamp.metrics if done else None,
    }


def _usage(generation: Generation, stamp: Stamp) -> dict[str, Any]:
    given, made = len(generation.prompt_ids), generation.output_tokens
    return {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": stamp.cached},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": given + made,
    }


def _item(generation: Generation, choice: Choice, stamp: Stamp) -> dict[str, Any]:
    if choice.answer.tool_calls:
        call = choice.answer.tool_calls[0]
        return {
            "type": "function_call",
            "id": f"fc_{stamp.id}",
            "call_id": call.id,
            "name": call.name,
            "arguments": "".join(choice.tokens),
            "status": "completed",
        }
    wanted = "message.output_text.logprobs" in (generation.request.body.get("include") or ())
    pairs = zip(choice.tokens, choice.logprobs, strict=True)
    logprobs = [{"token": token, "logprob": value, "top_logprobs": []} for token, value in pairs]
    part = {
        "type": "output_text",
        "text": choice.answer.text,
        "annotations": [],
        "logprobs": logprobs if wanted else None,
    }
    return {
        "type": "message",
        "id": f"msg_{stamp.id}",
        "role": "assistant",
        "status": "completed",
        "content": [part],
    }


def events(generation: Generation, stamp: Stamp, interval: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Events of a streamed response with the number of tokens that each brings."""
    opened = response(generation, stamp, "in_progress")
    for number, (count, event) in enumerate(_events(generation, stamp, interval, opened)):
        yield count, {**event, "sequence_number": number}


_NOTHING: dict[bool, dict[str, Any]] = {True: {"arguments": ""}, False: {"content": []}}


def _events(
    generation: Generation, stamp: Stamp, interval: int, opened: dict[str, Any]
) -> Iterator[tuple[int, dict[str, Any]]]:
    choice = generation.choices[0]
    item = _item(generation, choice, stamp)
    calls = bool(choice.answer.tool_calls)
    kind = "response.function_call_arguments.delta" if calls else "response.output_text.delta"
    empty: dict[str, Any] = {**item, "status": "in_progress", **_NOTHING[calls]}
    where = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    yield 0, {"type": "response.created", "response": opened}
    yield 0, {"type": "response.in_progress", "response": opened}
    yield 0, {"type": "response.output_item.added", "output_index": 0, "item": empty}
    for start in range(0, len(choice.tokens), interval):
        piece = choice.tokens[start : start + interval]
        yield len(piece), {"type": kind, **where, "delta": "".join(piece)}
    yield 0, {"type": "response.output_item.done", "output_index": 0, "item": item}
    whole = response(generation, stamp)
    yield 0, {"type": f"response.{whole['status']}", "response": whole}
