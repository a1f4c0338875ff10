"""Exchanges and pairs of one line, for tests of pure functions."""

from __future__ import annotations

from typing import Any

from monitor.records import Completion, Exchange, Message, Pair, Request


def request(prompt: str = "Hello?", *, system: str = "", turns: int = 1, **body: Any) -> Request:
    """A chat request whose last user message is `prompt`."""
    before = [Message("user", "Hi."), Message("assistant", "Hello.")] * (turns - 1)
    first = [Message("system", system)] if system else []
    messages = (*first, *before, Message("user", prompt))
    return Request("chat", body, messages, body.get("model"), body.get("stream", False))


def exchange(prompt: str = "Hello?", answer: str = "Hi.", **body: Any) -> Exchange:
    """An exchange with a text answer."""
    return Exchange("x", 0.0, request(prompt, **body), Completion(answer, finish_reason="stop"))


def pair(prompt: str, baseline: str | Completion, candidate: str | Completion, **body: Any) -> Pair:
    """A pair of two texts or completions."""
    one, other = (
        Completion(c, finish_reason="stop") if isinstance(c, str) else c for c in (baseline, candidate)
    )
    return Pair(Exchange("x", 0.0, request(prompt, **body), one), other)
