"""Bare arithmetic in a short message asks for its result, in any language: `12 + 30 * 2`, `17*23 =`. Pure."""

from __future__ import annotations

import re
from typing import Final

# `-` and `/` need spaces around them: without, they stand in dates, ranges, fractions and phone numbers.
_EXPRESSION: Final = re.compile(r"\d[)\s]{0,4}(?:[+*×÷^]|\s[-−–/]\s)[(\s]{0,4}\d+(?![\d:])")
_BRIEF: Final = 240


def asks_arithmetic(text: str) -> bool:
    """Whether a short text holds an expression of at least two numbers and an operator."""
    return len(text) <= _BRIEF and _EXPRESSION.search(text) is not None
