"""What we read of an answer's JSON, typed. Unknown fields cost nothing, wrong types are errors.

Field placement differs: vLLM puts `prompt_token_ids` at the top of a chat answer but inside the
choice of a text completion; per-request `metrics` exist with --enable-per-request-metrics.
`top_logprobs` are skipped on purpose: decoding them would triple the cost and nothing reads them.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Part(msgspec.Struct):
    """One content part of a message."""

    type: str = "text"
    text: str | None = None


class Function(msgspec.Struct):
    """A function's name and arguments; some servers send the arguments as an object."""

    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class ToolCall(msgspec.Struct):
    """A whole tool call, or a piece of one."""

    index: int | None = None
    id: str | None = None
    function: Function | None = None


class Body(msgspec.Struct):
    """`message` of a whole answer, `delta` of a streamed one."""

    content: str | list[Part] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[ToolCall] | None = None
    function_call: Function | None = None


class TokenLogprob(msgspec.Struct):
    """One sampled token."""

    token: str = ""
    logprob: float | None = None


class Logprobs(msgspec.Struct):
    """Chat shape (`content`) and text completion shape (`tokens`, `token_logprobs`) in one."""

    content: list[TokenLogprob] | None = None
    tokens: list[str] | None = None
    token_logprobs: list[float | None] | None = None


class Choice(msgspec.Struct):
    """One of `n` answers."""

    index: int = 0
    message: Body | None = None
    delta: Body | None = None
    text: str | None = None
    finish_reason: str | None = None
    logprobs: Logprobs | None = None
    token_ids: list[int] | None = None
    prompt_token_ids: list[int] | None = None


class TokenDetails(msgspec.Struct):
    """Of the prompt's tokens, how many came from the prefix cache."""

    cached_tokens: int | None = None


class Usage(msgspec.Struct):
    """Token counts under both APIs' names."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: TokenDetails | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: TokenDetails | None = None


class Metrics(msgspec.Struct):
    """vLLM's own timing of this request, milliseconds."""

    time_to_first_token_ms: float | None = None
    generation_time_ms: float | None = None
    queue_time_ms: float | None = None


class ErrorObject(msgspec.Struct):
    """`code` is an HTTP status at vLLM and a word at OpenAI."""

    message: str | None = None
    type: str | None = None
    param: str | None = None
    code: int | str | None = None


class Answer(msgspec.Struct):
    """A chat or text completion, whole or one streamed chunk."""

    id: str | None = None
    model: str | None = None
    system_fingerprint: str | None = None
    choices: list[Choice] | None = None
    usage: Usage | None = None
    metrics: Metrics | None = None
    prompt_token_ids: list[int] | None = None
    error: ErrorObject | str | None = None


class OutputPart(msgspec.Struct):
    """One part of a Responses output message."""

    type: str = ""
    text: str | None = None
    refusal: str | None = None
    logprobs: list[TokenLogprob] | None = None


class OutputItem(msgspec.Struct):
    """One item of a Responses `output`."""

    type: str = ""
    id: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    content: list[OutputPart] | None = None


class Incomplete(msgspec.Struct):
    """Why a response ended early."""

    reason: str | None = None


class Response(msgspec.Struct):
    """A whole answer of the Responses API."""

    id: str | None = None
    model: str | None = None
    status: str | None = None
    output: list[OutputItem] | None = None
    usage: Usage | None = None
    incomplete_details: Incomplete | None = None
    error: ErrorObject | str | None = None


class ResponseEvent(msgspec.Struct):
    """One event of a streamed response."""

    type: str = ""
    delta: str | dict[str, Any] | None = None
    item: OutputItem | None = None
    response: Response | None = None
    message: str | None = None
    code: int | str | None = None
    error: ErrorObject | str | None = None
