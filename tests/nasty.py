"""Texts that do something where they are shown carelessly, and what must never be in an output."""

from __future__ import annotations

import re
import unicodedata

NASTY = {
    "markup": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "attribute": '" onmouseover="alert(1)" x="',
    "template": "{{ 7 * 7 }}{% raw %}",
    "terminal": "\x1b[2J\x1b]0;owned\x07",
    "c1": "\x9b2J\x9d0;owned\x9c",
    "hyperlink": "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "override": "\u202eevil\u2066",
    "hidden": "in\u200bvis\ufeffible",
    "surrogate": "half \ud800 a pair",
    "nul": "a\x00b",
    "sql": "'; DROP TABLE pairs; --",
    "promql": '"} or vector(1) # {x="',
    "labels": 'x"} 1\ntailgate_planted{y="z',
    "shell": "'; touch owned; echo '",
    "slack": "<!channel> <http://evil.example|click>",
    "markdown": "| [x](javascript:alert(1)) ![y](http://evil.example/p.png) @everyone",
    "rich": "[bold red]loud[/] [link=http://evil.example]x[/link]",
}
KEPT = frozenset("\n\t\u200c\u200d\u2060")
"""Line breaks, joiners that letters need, and the word joiner that we put into Markdown ourselves."""
_OUR_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def hidden(output: str) -> set[str]:
    """Control, bidirectional, zero-width and private characters of an output, colours left out."""
    plain = _OUR_COLOURS.sub("", output)
    return {c for c in plain if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}} - KEPT
