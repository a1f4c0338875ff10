"""Which requests may be sent a second time, and the declared changes made to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from monitor.records import Operation, Request

MAX_CHOICES = 8
"""Only choice 0 is compared; a request for many more multiplies the shadow's cost for nothing."""

_STATE_KEYS = ("previous_response_id", "conversation", "kv_transfer_params")
_PROVIDER_IDS = frozenset({"file_id", "container_id"})
_CLIENT_TOOLS = frozenset({"function", "custom"})
_STATE_ITEMS = frozenset({"item_reference", "reasoning", "compaction"})


def mirrorable(request: Request) -> str | None:
    """Why this request must not be sent to another server, or None where it may be.

    Reasons (counted): `stateful`, `background`, `server_side_tools`, `audio`, `embeddings`,
    `batch_prompt`, `too_many_choices`.
    """
    return next(_reasons(request), None)


def _reasons(request: Request) -> Iterator[str]:
    body = request.body
    if any(body.get(key) for key in _STATE_KEYS) or _refers_to_provider(request):
        yield "stateful"
    if body.get("background"):
        yield "background"
    if body.get("web_search_options") or any(_server_side(tool) for tool in _items(body, "tools")):
        yield "server_side_tools"
    if body.get("audio") or "audio" in _items(body, "modalities") or _has_part(request, "input_audio"):
        yield "audio"
    if body.get("prompt_embeds"):
        yield "embeddings"
    if request.operation == "text_completion" and len(request.messages) > 1:
        yield "batch_prompt"
    if any(isinstance(body.get(key), int) and body[key] > MAX_CHOICES for key in ("n", "best_of")):
        yield "too_many_choices"


def _items(body: Mapping[str, Any], key: str) -> list[Any]:
    value = body.get(key)
    return value if isinstance(value, list) else []


def _server_side(tool: object) -> bool:
    return isinstance(tool, dict) and str(tool.get("type", "function")) not in _CLIENT_TOOLS


def _has_part(request: Request, kind: str) -> bool:
    return any(kind in message.other_parts for message in request.messages)


def _refers_to_provider(request: Request) -> bool:
    """Whether the request names something that only the production provider stores."""
    if request.operation == "responses" and isinstance(request.body.get("prompt"), dict):
        return True
    if any(_has_part(request, kind) for kind in _STATE_ITEMS):
        return True
    turns = _items(request.body, "messages") + _items(request.body, "input")
    return any(_names_stored_object(turn) for turn in turns if isinstance(turn, dict))


def _names_stored_object(turn: Mapping[str, Any]) -> bool:
    audio = turn.get("audio")
    if isinstance(audio, dict) and "id" in audio:
        return True
    parts = turn.get("content")
    nested = [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    nested += [part["file"] for part in nested if isinstance(part.get("file"), dict)]
    return any(part.get(key) for part in nested for key in _PROVIDER_IDS)


def rewrite(
    request: Request,
    *,
    model: str | None = None,
    logprobs: bool = False,
    stream_usage: bool = False,
    token_ids: bool = False,
    priority: int | None = None,
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The body to send and the declared changes (`key=value`), which are recorded with the pair.

    Never touches what the user asked for: a request that already asks for logprobs keeps its own
    number of them. `token_ids` (vLLM `return_token_ids`) and `priority` are vLLM extensions.
    """
    changes: dict[str, Any] = {}
    if model is not None and model != request.model:
        changes["model"] = model
    changes |= _no_store(request)
    if logprobs:
        changes |= _LOGPROBS[request.operation](request.body)
    if stream_usage and request.stream and request.operation != "responses":
        changes |= _usage(request.body)
    if token_ids and not request.body.get("return_token_ids"):
        changes["return_token_ids"] = True
    if priority is not None:
        changes["priority"] = priority
    return {**request.body, **changes}, tuple(f"{key}={_shown(value)}" for key, value in changes.items())


def _shown(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _no_store(request: Request) -> dict[str, Any]:
    # The Responses API stores by default; a mirrored request must leave nothing behind.
    stores = request.body.get("store", request.operation == "responses")
    return {"store": False} if stores else {}


def _usage(body: Mapping[str, Any]) -> dict[str, Any]:
    options = body.get("stream_options")
    options = options if isinstance(options, dict) else {}
    return {} if options.get("include_usage") else {"stream_options": {**options, "include_usage": True}}


def _chat_logprobs(body: Mapping[str, Any]) -> dict[str, Any]:
    return {} if body.get("logprobs") else {"logprobs": True}


def _text_logprobs(body: Mapping[str, Any]) -> dict[str, Any]:
    # 1, not 0: vLLM would accept 0, other servers read it as "off".
    return {} if body.get("logprobs") is not None else {"logprobs": 1}


def _responses_logprobs(body: Mapping[str, Any]) -> dict[str, Any]:
    wanted = "message.output_text.logprobs"
    included = _items(body, "include")
    return {} if wanted in included else {"include": [*included, wanted]}


_LOGPROBS: dict[Operation, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "chat": _chat_logprobs,
    "text_completion": _text_logprobs,
    "responses": _responses_logprobs,
}
