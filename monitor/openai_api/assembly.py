"""Pieces of one answer, collected. A whole JSON answer is one piece, a stream is many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from monitor.openai_api.failure import SHOWN_CHARACTERS, as_error, error_type
from monitor.openai_api.wire import (
    Answer,
    Body,
    Choice,
    ErrorObject,
    Function,
    Logprobs,
    Metrics,
    OutputItem,
    Part,
    Response,
    ResponseEvent,
    TokenLogprob,
    Usage,
)
from monitor.openai_api.wire import ToolCall as WireCall
from monitor.records import Completion, Gaps, ToolCall

_CONTENT_EVENTS = frozenset(
    {
        "response.output_text.delta",
        "response.refusal.delta",
        "response.function_call_arguments.delta",
        "response.reasoning_text.delta",
        "response.reasoning_summary_text.delta",
    }
)
_LAST_EVENTS = frozenset({"response.completed", "response.incomplete", "response.failed"})


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Timing:
    """What a clock saw of one answer; seconds since the request was sent, None where unknown."""

    duration: float | None = None
    first_token: float | None = None
    gaps: Gaps | None = None


@dataclass(slots=True)
class Assembly:
    """Choice 0 of one answer. `complete` once the server said that the answer ends here."""

    text: list[str] = field(default_factory=list)
    refusal: list[str] = field(default_factory=list)
    calls: dict[int, _Call] = field(default_factory=dict)
    finish_reason: str | None = None
    usage: Usage = field(default_factory=Usage)
    metrics: Metrics = field(default_factory=Metrics)
    logprobs: list[float] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    token_ids: list[int] = field(default_factory=list)
    prompt_token_ids: list[int] = field(default_factory=list)
    model: str | None = None
    fingerprint: str | None = None
    response_id: str | None = None
    error: ErrorObject | None = None
    pieces: int = 0
    complete: bool = False

    def add(self, answer: Answer) -> bool:
        """Take one chunk or the whole answer; True where it brought generated tokens."""
        self.pieces += bool(answer.choices)
        self.response_id = self.response_id or answer.id
        self.model = self.model or answer.model
        self.fingerprint = self.fingerprint or answer.system_fingerprint
        self.usage = answer.usage or self.usage
        self.metrics = answer.metrics or self.metrics
        self.error = self.error or as_error(answer.error)
        self.prompt_token_ids = self.prompt_token_ids or answer.prompt_token_ids or []
        content = False
        for choice in answer.choices or ():
            if choice.index == 0:
                content |= self._choice(choice)
        return content

    def _choice(self, choice: Choice) -> bool:
        if choice.finish_reason is not None:
            self.finish_reason = choice.finish_reason
            self.complete = True
        self.prompt_token_ids = self.prompt_token_ids or choice.prompt_token_ids or []
        self.token_ids += choice.token_ids or ()
        if choice.logprobs:
            self._logprobs(choice.logprobs)
        if choice.text:
            self.text.append(choice.text)
        # A token that ends inside a character brings ids and logprobs, but no text yet.
        token = bool(choice.text or choice.token_ids or choice.logprobs)
        return self._body(choice.message or choice.delta or Body()) or token

    def _logprobs(self, logprobs: Logprobs) -> None:
        if logprobs.content is not None:
            self._token_logprobs(logprobs.content)
            return
        # `echo` leaves the first prompt token without a logprob.
        for token, value in zip(logprobs.tokens or (), logprobs.token_logprobs or (), strict=False):
            self._token_logprobs((TokenLogprob(token, value),))

    def _token_logprobs(self, entries: Sequence[TokenLogprob]) -> None:
        for entry in entries:
            if entry.logprob is not None:
                self.tokens.append(entry.token)
                self.logprobs.append(entry.logprob)

    def _body(self, body: Body) -> bool:
        text = _joined(body.content)
        if text:
            self.text.append(text)
        if body.refusal:
            self.refusal.append(body.refusal)
        if body.function_call:
            self._call(WireCall(function=body.function_call), 0)
        for position, call in enumerate(body.tool_calls or ()):
            self._call(call, position)
        thought = body.reasoning_content or body.reasoning
        return bool(text or thought or body.refusal or body.function_call or body.tool_calls)

    def _call(self, piece: WireCall, position: int) -> None:
        call = self.calls.setdefault(position if piece.index is None else piece.index, _Call())
        function = piece.function or Function()
        call.id = call.id or piece.id or ""
        call.name = call.name or function.name or ""
        arguments = function.arguments
        if isinstance(arguments, dict):
            arguments = msgspec.json.encode(arguments).decode()
        if arguments:
            call.arguments.append(arguments)

    def add_event(self, event: ResponseEvent) -> bool:
        """Take one event of a Responses stream; True where it brought generated tokens."""
        self.pieces += 1
        if event.type in _LAST_EVENTS and event.response:
            self._restart()
            self.add_response(event.response)
        elif event.type == "error":
            self.error = as_error(event.error) or ErrorObject(event.message, code=event.code)
        elif event.type == "response.output_text.delta" and isinstance(event.delta, str):
            self.text.append(event.delta)
        elif event.response:
            self.response_id = event.response.id
            self.model = event.response.model
        return event.type in _CONTENT_EVENTS

    def _restart(self) -> None:
        """The last event repeats the whole answer; the deltas served the clock and a torn stream."""
        self.text, self.refusal, self.calls = [], [], {}
        self.logprobs, self.tokens = [], []

    def add_response(self, response: Response) -> None:
        """Take a whole answer of the Responses API."""
        self.pieces += response.output is not None
        self.complete = True
        self.response_id, self.model = response.id, response.model
        self.usage = response.usage or self.usage
        self.error = as_error(response.error)
        self.finish_reason = _finish_reason(response)
        for item in response.output or ():
            self._output(item)

    def _output(self, item: OutputItem) -> None:
        if item.type == "function_call":
            call = _Call(item.call_id or item.id or "", item.name or "", [item.arguments or ""])
            self.calls[len(self.calls)] = call
        elif item.type == "message":
            for part in item.content or ():
                self.text.append(part.text or "")
                self.refusal.append(part.refusal or "")
                self._token_logprobs(part.logprobs or ())

    def completion(self, *, status: int, timing: Timing, failure: str | None = None) -> Completion:
        """The answer so far. The server's own error outranks `failure`, which the transport saw."""
        error, kind = self._failure(status, failure)
        usage, metrics = self.usage, self.metrics
        details = usage.prompt_tokens_details or usage.input_tokens_details
        return Completion(
            text="".join(self.text) or "".join(self.refusal),
            tool_calls=tuple(
                ToolCall(call.name, "".join(call.arguments), call.id)
                for _, call in sorted(self.calls.items())
            ),
            finish_reason=self.finish_reason,
            input_tokens=_first(usage.prompt_tokens, usage.input_tokens),
            output_tokens=_first(usage.completion_tokens, usage.output_tokens),
            cached_tokens=details.cached_tokens if details else None,
            duration_seconds=timing.duration,
            time_to_first_token_seconds=timing.first_token,
            gaps=timing.gaps,
            server_time_to_first_token_seconds=_seconds(metrics.time_to_first_token_ms),
            server_duration_seconds=in_engine(metrics),
            server_queue_seconds=_seconds(metrics.queue_time_ms),
            logprobs=tuple(self.logprobs),
            tokens=tuple(self.tokens),
            token_ids=tuple(self.token_ids),
            prompt_token_ids=tuple(self.prompt_token_ids),
            model=self.model,
            system_fingerprint=self.fingerprint,
            response_id=self.response_id,
            status=status or None,
            error_type=kind,
            error_message=((error and error.message) or "")[:SHOWN_CHARACTERS],
        )

    def _failure(self, status: int, failure: str | None) -> tuple[ErrorObject | None, str | None]:
        if status >= 400 or self.error:
            error = self.error or ErrorObject()
            return error, error_type(status, error)
        return None, failure


def _joined(content: str | list[Part] | None) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(part.text or "" for part in content)


def _first(one: int | None, other: int | None) -> int | None:
    return other if one is None else one


def in_engine(metrics: Metrics) -> float | None:
    """Seconds from the end of the server's queue to the last token, as it reports them."""
    first, generation = _seconds(metrics.time_to_first_token_ms), _seconds(metrics.generation_time_ms)
    return None if first is None or generation is None else first + generation


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000.0


def _finish_reason(response: Response) -> str | None:
    """In the words of chat completions, so that both APIs' answers compare."""
    if response.status == "incomplete":
        reason = response.incomplete_details.reason if response.incomplete_details else None
        return "length" if reason == "max_output_tokens" else reason
    calls = any(item.type == "function_call" for item in response.output or ())
    return ("tool_calls" if calls else "stop") if response.status == "completed" else response.status
