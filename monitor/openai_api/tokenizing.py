"""Token ids of a request and of an answer, from vLLM's /tokenize, where the server sent none."""

from __future__ import annotations

from typing import Any

import msgspec

from monitor.errors import BadInput
from monitor.openai_api.response import JSON_ERRORS
from monitor.records import Request

# What changes the rendered prompt; everything else of the request only steers sampling.
_RENDERING = (
    "tools",
    "chat_template",
    "chat_template_kwargs",
    "add_generation_prompt",
    "continue_final_message",
    "add_special_tokens",
)


class _Tokens(msgspec.Struct):
    tokens: list[int]


_TOKENS = msgspec.json.Decoder(_Tokens)


def tokenize_prompt(request: Request, model: str | None) -> dict[str, Any]:
    """Body for /tokenize that renders the request's prompt as the model would see it.

    BadInput `not_renderable`: images and the Responses API have no rendering there.
    """
    if request.operation == "responses" or any(message.other_parts for message in request.messages):
        raise BadInput("not_renderable", f"no token ids for this {request.operation} request")
    if request.operation == "text_completion":
        prompt, special = request.body.get("prompt"), request.body.get("add_special_tokens", True)
        if not isinstance(prompt, str):
            raise BadInput("not_renderable", "the prompt is no text")
        return {"model": model, "prompt": prompt, "add_special_tokens": special}
    kept = {key: request.body[key] for key in _RENDERING if request.body.get(key) is not None}
    return {"model": model, "messages": request.body.get("messages", []), **kept}


def tokenize_text(text: str, model: str | None) -> dict[str, Any]:
    """Body for /tokenize of an answer: the prompt before it carries the special tokens already."""
    return {"model": model, "prompt": text, "add_special_tokens": False}


def decode_token_ids(body: bytes) -> tuple[int, ...]:
    """Ids of an answer of /tokenize; BadInput `no_tokens` where it is none."""
    try:
        return tuple(_TOKENS.decode(body).tokens)
    except JSON_ERRORS as error:
        raise BadInput("no_tokens", f"/tokenize: {error}") from error
