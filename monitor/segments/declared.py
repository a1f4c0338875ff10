"""Values of dimensions that the configuration declares: a header, a JSON pointer or a pattern."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from monitor.config import DeclaredSegment
from monitor.excerpts import excerpt
from monitor.records import Exchange

UNKNOWN: Final = "unknown"
_LONGEST: Final = 64
_EXAMINED: Final = 4_096
# `=` and `,` build segment names; control characters and surrogates break labels and terminals; marks that reorder
# or hide their neighbours would make one segment look like another (joiners are letters' own: Persian, Hindi).
_UNSAFE: Final = re.compile(
    "[=,\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e0fff]"
)
_QUOTES: Final = str.maketrans("'`", "\u2019\u2019")
"""Alerts hand people `tailgate explain 'segment'` to paste: a value may not end the quotes."""


def clean(value: object) -> str:
    """A value as it may stand in a segment name: short, visible, without `=`, `,` or a shell's quotes."""
    text = _UNSAFE.sub("_", str(value).strip()[:_LONGEST]).translate(_QUOTES)
    return text or UNKNOWN


def value(rule: DeclaredSegment, exchange: Exchange) -> str:
    """The rule's value for this exchange, `unknown` where the request carries none."""
    if rule.header is not None:
        return clean(_header(exchange.headers, rule.header))
    if rule.pointer is not None:
        return clean(_scalar(resolve(exchange.request.body, rule.pointer)))
    return _matched(rule.regex or "", exchange.request.prompt)


def _header(headers: Mapping[str, str], name: str) -> str:
    wanted = name.lower()
    return next((v for k, v in headers.items() if k.lower() == wanted), "")


def _scalar(found: object) -> str:
    if isinstance(found, bool):
        return "yes" if found else "no"
    return str(found) if isinstance(found, str | int | float) else ""


def resolve(body: Any, pointer: str) -> object:
    """What a JSON pointer (RFC 6901) points at, None where it points at nothing."""
    for raw in pointer.split("/")[1:]:
        token = raw.replace("~1", "/").replace("~0", "~")
        if isinstance(body, Mapping):
            body = body.get(token)
        elif isinstance(body, Sequence) and not isinstance(body, str) and token.isdecimal():
            body = body[int(token)] if int(token) < len(body) else None
        else:
            return None
    found: object = body
    return found


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _matched(pattern: str, prompt: str) -> str:
    match = _compiled(pattern).search(excerpt(prompt, _EXAMINED))
    if match is None:
        return "no" if not _compiled(pattern).groups else UNKNOWN
    return clean(match[1] or "") if match.re.groups else "yes"
