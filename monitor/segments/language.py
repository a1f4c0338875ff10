"""`language` and `script`: what the user wrote, not what the instructions around it are in."""

from __future__ import annotations

from monitor import request_language
from monitor.records import Exchange


def language(exchange: Exchange) -> str:
    """ISO 639 code of the last user message."""
    return request_language.language(exchange.request.prompt)


def script(exchange: Exchange) -> str:
    """Writing system of the last user message, lower case (`latin`, `ethiopic`)."""
    return request_language.script(exchange.request.prompt)
