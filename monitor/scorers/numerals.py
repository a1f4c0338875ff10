"""Numbers as models write them: digits of any script, separators, currency, percent, fractions, scales.

`last_number` reads the final number of an answer, `whole_number` a field that holds one number
with at most a unit. Both are bounded: they look at the last `TAIL` characters only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from monitor.scorers.spelled import joined, spelled_out

TAIL = 600
_MAX_DIGITS = 40

_SCALES = {
    "thousand": 3, "million": 6, "millions": 6, "billion": 9, "billions": 9, "trillion": 12, "k": 3, "mio": 6,
    "millionen": 6, "mrd": 9, "milliarde": 9, "milliarden": 9, "mille": 3, "mil": 3, "millones": 6, "millón": 6,
    "milliard": 9, "milliards": 9, "milhão": 6, "milhões": 6, "lakh": 5, "crore": 7,
    "千": 3, "万": 4, "萬": 4, "億": 8, "亿": 8, "兆": 12,
}  # fmt: skip
_WORD_SCALES = "|".join(sorted((w for w in _SCALES if w.isascii() and w != "k"), key=len, reverse=True))
_NUMBER = re.compile(
    r"(?P<frac>\\d?frac\s?\{\s?(?P<num>\d{1,12})\s?\}\s?\{\s?(?P<den>\d{1,12})\s?\})"
    r"|(?<![A-Za-z\u00c0-\u024f\d_.])(?P<sign>[-−+]\s?)?[$€£¥₹]?\s?"
    r"(?P<body>\d{1,3}(?:[\u0020\u00a0\u202f]\d{3})+(?:[.,]\d{1,12})?(?!\d)|\d[\d.,٬٫'’]{0,60})"
    r"(?:\s?/\s?(?P<over>\d{1,12})(?![\d/]))?"
    r"(?:\s?(?:\\times|×|x|\*)\s?10\s?\^?\{?(?P<power>[-−]?\d{1,2})\}?|[eE](?P<exp>[-+]?\d{1,3})(?!\w))?"
    rf"(?:\s?(?P<scale>(?:{_WORD_SCALES})\b|[千万萬億亿兆])|(?P<kilo>[kK])\b)?"
    r"(?P<percent>\s?(?:\\?%|percent\b))?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Number:
    """One number with what is needed to compare it fairly; `raw` is its text as written."""

    value: Decimal
    decimals: int
    percent: bool
    raw: str
    alternative: Decimal | None = None
    """The other reading of `1.234` (one thousand two hundred thirty-four), where it is ambiguous."""


def _grouped(groups: list[str]) -> bool:
    """Whether digits between separators look like thousands (also Indian 1,00,000)."""
    head, *rest = groups
    western = all(len(g) == 3 for g in rest)
    indian = len(rest[-1]) == 3 and all(len(g) == 2 for g in rest[:-1])
    return 1 <= len(head) <= 3 and head != "0" and (western or indian)


def _split(body: str, separator: str) -> tuple[str, str, str | None] | None:
    """`body` with one kind of separator → (integer digits, decimals, other reading); None for 1,2,3 and 1.2.3."""
    groups = body.split(separator)
    if len(groups) > 2:
        return ("".join(groups), "", None) if _grouped(groups) else None
    whole, decimals = groups
    if _grouped(groups):
        return (whole + decimals, "", None) if separator == "," else (whole, decimals, whole + decimals)
    return whole, decimals, None


def _digits(body: str) -> tuple[str, str, str | None] | None:
    """(integer digits, decimal digits, digits of the other reading) of a number's characters."""
    body = re.sub(r"[\s'’٬]", "", body).replace("٫", ".").rstrip(".,")
    comma, dot = body.rfind(","), body.rfind(".")
    if comma < 0 and dot < 0:
        return body, "", None
    if comma < 0 or dot < 0:
        return _split(body, "," if dot < 0 else ".")
    mark, other = (",", ".") if comma > dot else (".", ",")
    whole, _, decimals = body.replace(other, "").rpartition(mark)
    return whole.replace(mark, ""), decimals, None


def _parse(match: re.Match[str]) -> Number | None:
    raw = match.group().strip()
    if match["frac"]:
        den = Decimal(match["den"])
        return Number(Decimal(match["num"]) / den, 6, percent=False, raw=raw) if den else None
    read = _digits(match["body"])
    if read is None:
        return None
    whole, decimals, other = read
    if len(whole) + len(decimals) > _MAX_DIGITS:
        return None
    value = Decimal(f"{whole or '0'}.{decimals or '0'}")
    if match["over"]:
        over = Decimal(match["over"])
        if not over:
            return None
        value, decimals = value / over, "000000"
    sign = -1 if match["sign"] and match["sign"].strip() in {"-", "−"} else 1
    factor = sign * _factor(match)
    alternative = Decimal(other) * factor if other else None
    return Number(value * factor, len(decimals), bool(match["percent"]), raw, alternative)


def _factor(match: re.Match[str]) -> Decimal:
    power = match["power"] or match["exp"]
    if power:
        return Decimal(10) ** int(power.replace("−", "-"))
    scale = match["scale"] or match["kilo"]
    return Decimal(10) ** _SCALES[scale.lower()] if scale else Decimal(1)


def _safe(match: re.Match[str]) -> Number | None:
    try:
        return _parse(match)
    except (InvalidOperation, ValueError):
        # digit-like characters without a decimal value, e.g. superscripts
        return None


@lru_cache(maxsize=64)
def last_number(text: str) -> Number | None:
    """The last number in the last `TAIL` characters, or None."""
    tail = text[-TAIL:] if text.isascii() else joined(text[-TAIL:])
    for match in reversed(list(_NUMBER.finditer(tail))):
        number = _safe(match)
        if number is not None:
            return number
    words = spelled_out(tail)
    return None if words is None else Number(Decimal(words), 0, percent=False, raw=words)


def first_number(text: str) -> Number | None:
    """The first number of a short text, or None."""
    return next((number for match in _NUMBER.finditer(text[:TAIL]) if (number := _safe(match))), None)


def whole_number(text: str) -> Number | None:
    """The number of a short field such as `$42`, `# 42`, `42 dollars`; None where words prevail."""
    if len(text) > 80:
        return None
    matches = list(_NUMBER.finditer(text))
    if len(matches) != 1:
        return None
    before, after = text[: matches[0].start()], text[matches[0].end() :]
    glued = _letter(before[-1:]) or _letter(after[:1])
    return None if glued or len(before.split()) + len(after.split()) > 4 else _safe(matches[0])


def _letter(character: str) -> bool:
    """A letter or digit that makes `0aab` a word; counters (15個) and units of East Asia do not."""
    return character.isalnum() and character < "\u2e80"


def same_number(a: Number, b: Number) -> bool:
    """Equal, equal after rounding to the coarser of both (one decimal at least), or `40 %` = `0.4`."""
    if a.value == b.value:
        return True
    if a.alternative is not None and a.alternative == b.value:
        return True
    if b.alternative is not None and b.alternative == a.value:
        return True
    if a.percent != b.percent:
        share, whole = (a, b) if a.percent else (b, a)
        if share.value == whole.value * 100:
            return True
    places = min(a.decimals, b.decimals)
    gap = abs(a.value - b.value)
    return places >= 1 and gap * 2 <= Decimal(10) ** -places and gap * 100 <= abs(a.value)
