"""Foreign text made harmless to look at: what cannot be seen is spelled out. Pure.

HTML escaping is the templates' work; this is about characters that reorder or hide their neighbours
(Trojan Source, CVE-2021-42574), terminal escape codes and lone surrogates, which UTF-8 cannot carry.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Final

_KEPT: Final = frozenset("\n\t\u200c\u200d")
"""Line breaks, and the joiners that Persian, Indic scripts and emoji are spelled with."""
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
_MARKDOWN: Final = re.compile(r"([\\`*_\[\]{}|#~])")
_NAME: Final = 300


def inert(text: str) -> str:
    """`text` with every control, bidirectional, zero-width or private character as `[U+202E]`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in _KEPT or unicodedata.category(c) not in _HIDDEN else _spelled(c) for c in text)


def _spelled(character: str) -> str:
    return f"[U+{ord(character):04X}]"


def shortened(text: str, limit: int) -> str:
    """At most `limit` characters, and how many were left out."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]} … ({len(text) - limit:,} more characters)"


def one_line(text: object, limit: int = _NAME) -> str:
    """A name, a reason, a warning: inert, short, without line breaks."""
    return " ".join(inert(shortened(str(text), limit)).split())


def in_markdown(text: object, limit: int = _NAME) -> str:
    """The same for a Markdown table or list: no markup, no HTML, no link, nobody notified."""
    marked = _MARKDOWN.sub(r"\\\1", one_line(text, limit))
    return (
        marked.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("@", "@\u2060")
        .replace("://", ":\u2060//")
    )


def in_json(written: str) -> str:
    """JSON with its letters, and what a terminal would obey or hide as `\\u202e`, which reads back the same."""
    if written.isascii():
        return written
    return "".join(
        c if c in _KEPT or unicodedata.category(c) not in _HIDDEN else _escaped(c) for c in written
    )


def _escaped(character: str) -> str:
    """As JSON escapes it (RFC 8259, 7): beyond the first plane by two surrogates."""
    return json.dumps(character)[1:-1]
