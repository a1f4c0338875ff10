"""Which Unicode scripts a text is written in, without a character table of our own.

The first word of a letter's Unicode name is its script (Unicode Standard, 4.8 Name). Japanese and
Korean mix scripts by design, so texts are labelled with the augmented sets of UTS #39 (5.1): `japanese` is
Han with kana, `hangul` wins over the Han around it. All names are lower case.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.excerpts import EXAMINED, excerpt

UNKNOWN: Final = "unknown"

# Names whose first word is not the script.
_ALIASES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "cjk": "han",
        "kangxi": "han",
        "ideographic": "han",
        "fullwidth": "latin",
        "halfwidth": "katakana",
        "katakana-hiragana": "katakana",
        "canadian": "canadian_aboriginal",
        "ol": "ol_chiki",
        "new": "new_tai_lue",
        "meetei": "meetei_mayek",
        "syloti": "syloti_nagri",
        "feminine": "latin",
        "masculine": "latin",
        "kelvin": "latin",
        "angstrom": "latin",
        "ohm": "greek",
    }
)
# Letters that belong to no script (Common, Inherited) or stand for symbols.
_COMMON: Final = frozenset(
    {"modifier", "mathematical", "micro", "double-struck", "script", "black-letter", "alef", "bet"}
)
_ASCII_NON_LETTERS: Final = bytes(i for i in range(128) if not chr(i).isalpha())
# Letters whose names are made by rule (Unicode Standard, table 4-8): nine of ten, and never asked one by one.
_BY_RULE: Final = (
    ("han", range(0x3400, 0x4DC0)),
    ("han", range(0x4E00, 0xA000)),
    ("hangul", range(0xAC00, 0xD7A4)),
    ("han", range(0x20000, 0x323B0)),
)
_NO_LETTERS_FROM: Final = 0x40000
_CODE_POINTS: Final = 0x110000
_KANA: Final = ("hiragana", "katakana")
# One ideograph or syllable block carries about two letters of an alphabet, so mixed texts weigh them so.
_DENSE: Final = frozenset({"han", "japanese", "hangul"})


@lru_cache(maxsize=8192)
def script_of(character: str) -> str | None:
    """Script of one character, None for whatever is no letter or belongs to no script."""
    if not character.isalpha():
        return None
    words = unicodedata.name(character, "").lower().split(" ", 2)
    if words[0] in _COMMON or not words[0]:
        return None
    if words[0] in {"halfwidth", "tai", "old"} and len(words) > 1:
        return "hangul" if words[1] == "hangul" else _second_word(words)
    return _ALIASES.get(words[0], words[0])


def _second_word(words: list[str]) -> str:
    return words[1] if words[0] == "halfwidth" else f"{words[0]}_{words[1]}"


def letters(text: str) -> Mapping[str, int]:
    """Letters per script of the examined excerpt, most frequent first."""
    return _letters(excerpt(text))


@lru_cache(maxsize=64)
def _letters(text: str) -> Mapping[str, int]:
    if text.isascii():
        count = len(text.encode("ascii").translate(None, _ASCII_NON_LETTERS))
        return {"latin": count} if count else {}
    names, numbers = _numbered()
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    counts = np.bincount(numbers[codes], minlength=len(names))
    counts[0] = 0
    return {names[i]: int(counts[i]) for i in sorted(counts.nonzero()[0], key=lambda i: -counts[i])}


@cache
def _numbered() -> tuple[tuple[str, ...], NDArray[np.uint8]]:
    """The scripts, and per code point the number of its script; 0 is no letter. Counting by it is done in C."""
    numbers = np.zeros(_CODE_POINTS, np.uint8)
    names = {"": 0, "latin": 1}
    by_rule = {code for _, block in _BY_RULE for code in block}
    for code in filter(lambda c: chr(c).isalpha(), range(_NO_LETTERS_FROM)):
        script = None if code in by_rule else script_of.__wrapped__(chr(code))
        numbers[code] = 0 if script is None else names.setdefault(script, len(names))
    for script, block in _BY_RULE:
        numbers[[code for code in block if chr(code).isalpha()]] = names.setdefault(script, len(names))
    return tuple(names), numbers


def written_in(text: str) -> Mapping[str, int]:
    """Letters per writing system: as `letters`, with kana and the Han beside them as `japanese`."""
    return merged(letters(text))


def merged(counts: Mapping[str, int]) -> Mapping[str, int]:
    """Joins the scripts that one writing system mixes (UTS #39, 5.1)."""
    kana = sum(counts.get(s, 0) for s in _KANA)
    han = counts.get("han", 0)
    # A few kana in a Chinese text are quotations: native Japanese runs at 40 % kana and more.
    if not kana or kana * 10 < han:
        return counts
    joined = {s: n for s, n in counts.items() if s not in {*_KANA, "han"}}
    joined["japanese"] = kana + han
    return dict(sorted(joined.items(), key=lambda item: -item[1]))


def script(text: str) -> str:
    """The dominant writing system of a text, `unknown` without letters."""
    return _script(excerpt(text))


@lru_cache(maxsize=64)
def _script(text: str) -> str:
    counts = merged(_letters(text))
    return max(counts, key=lambda s: counts[s] * (2 if s in _DENSE else 1)) if counts else UNKNOWN


def only(text: str, system: str) -> str:
    """The text with the letters of other writing systems blanked out."""
    keep = {"han", *_KANA} if system == "japanese" else {system}
    if len(text) <= EXAMINED and keep.issuperset(letters(text)):
        return text
    others = {c for c in set(text) if (s := script_of(c)) is not None and s not in keep}
    return text.translate(dict.fromkeys(map(ord, others), " ")) if others else text
