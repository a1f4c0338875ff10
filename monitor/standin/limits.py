"""What the stand-in refuses, in vLLM's words and with vLLM's status codes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monitor.records import Request
from monitor.standin.settings import Settings

Refusal = tuple[int, str, str, str | None]
"""(status, type, message, param)."""

BUSY: Refusal = (
    503,
    "ServiceUnavailableError",
    "The engine is currently busy and cannot accept new requests. Please try again later.",
    None,
)


def unreadable(message: str) -> Refusal:
    """A body that is no request."""
    return 400, "Bad Request", f"1 validation error:\n  {message}", "body"


def refusal(request: Request, settings: Settings, input_tokens: int) -> Refusal | None:
    """Why this request is refused, or None."""
    body = request.body
    if request.model not in {None, settings.model}:
        message = f"The model `{request.model}` does not exist. Valid aliases: {settings.model}."
        return 404, "NotFoundError", message, "model"
    return _bad_value(body) or _too_long(body, settings.max_model_len, input_tokens)


def _bad_value(body: Mapping[str, Any]) -> Refusal | None:
    temperature = body.get("temperature")
    if isinstance(temperature, int | float) and temperature < 0:
        message = f"temperature must be non-negative, got {temperature}."
        return 400, "BadRequestError", message, "temperature"
    wanted = body.get("n")
    if isinstance(wanted, int) and wanted > 1 and temperature == 0:
        return 400, "BadRequestError", f"n must be 1 when using greedy sampling, got {wanted}.", None
    top = body.get("top_logprobs")
    if isinstance(top, int) and top > 20:
        message = f"Requested sample logprobs of {top}, which is greater than max allowed: 20"
        return 400, "BadRequestError", message, "top_logprobs"
    if body.get("stream") and body.get("prompt_logprobs"):
        message = "`prompt_logprobs` are not available when `stream=True`."
        return 400, "BadRequestError", message, "prompt_logprobs"
    return None


def _too_long(body: Mapping[str, Any], limit: int, input_tokens: int) -> Refusal | None:
    if input_tokens > limit:
        message = (
            f"This model's maximum context length is {limit} tokens. However, your prompt contains at "
            f"least {limit + 1} input tokens, which exceeds this limit even without any output tokens. "
            f"Please reduce the length of the input prompt. (parameter=input_tokens, value={limit + 1})"
        )
        return 400, "BadRequestError", message, "input_tokens"
    wanted = body.get("max_tokens")
    if isinstance(wanted, int) and wanted > limit:
        message = f"max_tokens={wanted} cannot be greater than max_model_len={limit}. Please request fewer output tokens."
        return 400, "BadRequestError", message, "max_tokens"
    return None
