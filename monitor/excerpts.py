"""How much of a text is looked at: every feature is bounded in time on texts of any length."""

from __future__ import annotations

from typing import Final

EXAMINED: Final = 16_384
"""Characters that a feature examines. Longer texts are judged by their first and last halves of
this: openings decide refusals and language, endings decide loops."""


def excerpt(text: str, limit: int = EXAMINED) -> str:
    """The text itself, or its first and last `limit // 2` characters with a line break between."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n{text[-half:]}"


def without_reasoning(text: str) -> str:
    """The answer after a leading `<think>` block; nothing of a block that never ends."""
    if not text.lstrip().startswith("<think>"):
        return text
    return text.partition("</think>")[2]
