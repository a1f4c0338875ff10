"""Numbers in words and in the numerals of East Asia: `forty-two`, 四千二百, `4万2千`.

Only asked where an answer holds no digits, or digits mixed with numerals: words such as "one" are
seldom numbers.
"""

from __future__ import annotations

import re

_SMALL = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_TENFOLD = "twenty thirty forty fifty sixty seventy eighty ninety"
_UNITS = {word: number for number, word in enumerate(_SMALL.split())}
_UNITS |= {word: 10 * number for number, word in enumerate(_TENFOLD.split(), start=2)}
_HUNDREDS = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
_WORD = "|".join(sorted((*_UNITS, *_HUNDREDS), key=len, reverse=True))
_ENGLISH = re.compile(rf"\b(?:{_WORD})\b(?:(?:[\s-]+|\s+and\s+)(?:{_WORD})\b)*", re.IGNORECASE)

_DIGITS = {c: i for i, c in enumerate("〇一二三四五六七八九")} | {"零": 0, "两": 2, "兩": 2}
_TENS = {"十": 10, "百": 100, "千": 1_000}
_MYRIADS = {"万": 10**4, "萬": 10**4, "億": 10**8, "亿": 10**8, "兆": 10**12}
_NUMERAL = "".join((*_DIGITS, *_TENS, *_MYRIADS))
_CHINESE = re.compile(rf"[{_NUMERAL}]{{2,24}}|(?<=[は是：:])[{_NUMERAL}]")
_MIXED = re.compile(r"\d{1,12}[千万萬億亿兆](?:\d{1,4}[十百千万萬]?){1,4}")


def spelled_out(text: str) -> str | None:
    """The digits of the last number in words or numerals of a text without digits, else None."""
    found = list(_CHINESE.finditer(text))
    if found:
        return str(_east_asian(found[-1].group()))
    found = list(_ENGLISH.finditer(text))
    return str(_english(found[-1].group())) if found else None


def joined(text: str) -> str:
    """The text with numbers such as `4万2千` as plain digits."""
    return _MIXED.sub(lambda match: str(_east_asian(match.group())), text)


def _english(words: str) -> int:
    total = group = 0
    for word in re.findall(r"[a-z]+", words.lower()):
        if word in _UNITS:
            group += _UNITS[word]
        elif word == "hundred":
            group = max(1, group) * 100
        elif word in _HUNDREDS:
            total, group = total + max(1, group) * _HUNDREDS[word], 0
    return total + group


def _east_asian(numeral: str) -> int:
    """四千二百 = 4200, 二〇二四 = 2024, 4万2千 = 42000."""
    total = section = digit = 0
    for token in re.findall(r"\d+|.", numeral):
        if token.isdecimal():
            digit = int(token)
        elif token in _DIGITS:
            digit = 10 * digit + _DIGITS[token]
        elif token in _TENS:
            section, digit = section + (digit or 1) * _TENS[token], 0
        else:
            total, section, digit = total + (section + digit or 1) * _MYRIADS[token], 0, 0
    return total + section + digit
