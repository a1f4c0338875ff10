"""Counts that constraints are about: words, sentences, bullets, highlights, words in capitals.

Sentence counts follow what Punkt does with ordinary text (IFEval's tokenizer): a full stop ends a
sentence when no abbreviation, initial or list number stands before it and no small letter after it.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache

_WORD = re.compile(r"\w+")
_END = re.compile(r"(?P<word>[^\s]*?)(?P<mark>[.!?…]+)[\"'”’»)\]*_]*(?=\s+(?P<next>\S)|\s*\Z)")
_ABBREVIATIONS = frozenset(
    [
        "mr",
        "mrs",
        "ms",
        "dr",
        "prof",
        "st",
        "sr",
        "jr",
        "vs",
        "etc",
        "e.g",
        "i.e",
        "inc",
        "ltd",
        "co",
        "no",
        "fig",
        "approx",
        "dept",
        "est",
        "gen",
        "hon",
        "u.s",
        "a.m",
        "p.m",
        "p.s",
        "p.p.s",
        "m",
        "mme",
        "mlle",
        "ex",
        "env",
        "sra",
        "srta",
        "ud",
        "uds",
        "ee.uu",
        "p.ej",
        "pág",
        "núm",
        "art",
        "cf",
        "bzw",
        "z.b",
        "d.h",
        "usw",
        "u.a",
        "ca",
        "nr",
        "str",
    ]
)
_CAPITAL = re.compile(r"[^\W_](?:[\w'’-]*[^\W_])?")
_JA_SENTENCE = re.compile(r"[。！？!?]+|\n+")


def words(text: str) -> int:
    """Runs of word characters."""
    return len(_WORD.findall(text))


@lru_cache(maxsize=64)
def sentences(text: str, language: str) -> int:
    """Sentences; in Japanese every line and every 。！？ ends one."""
    if language == "ja":
        return sum(bool(part.strip()) for part in _JA_SENTENCE.split(text))
    ends = last = 0
    for match in _END.finditer(text):
        if _ends(match):
            ends, last = ends + 1, match.end()
    return ends + bool(_WORD.search(text, last))


def _ends(match: re.Match[str]) -> bool:
    word, mark, following = match["word"].lstrip("(\"'“«*_").casefold(), match["mark"], match["next"]
    if mark != ".":
        return following is None or not following.islower()
    if following is not None and following.islower():
        return False
    list_number = word.isdecimal() and len(word) <= 2
    initial = len(word) == 1 and word.isalpha()
    return following is None or not (word in _ABBREVIATIONS or list_number or initial)


def bullets(text: str, language: str) -> int:
    """Markdown bullets by `*` and `-`; in Japanese by `・`."""
    if language == "ja":
        return len(re.findall(r"^[^\S\n]*・[^・\n]", text, re.MULTILINE))
    stars = len(re.findall(r"^\s*\*[^*\n]", text, re.MULTILINE))
    return stars if language == "es" else stars + len(re.findall(r"^\s*-", text, re.MULTILINE))


def highlights(text: str, language: str) -> int:
    """`*one*` and `**two**`, each counted as IFEval does; 《one》 in Japanese."""
    if language == "ja":
        return sum(bool(inner.strip()) for inner in re.findall(r"《([^\n《》]*)》", text))
    single = re.findall(r"\*([^\n*]*)\*", text)
    double = re.findall(r"\*\*([^\n*]*)\*\*", text)
    return sum(bool(inner.strip()) for inner in single) + sum(bool(inner.strip()) for inner in double)


def capital_words(text: str) -> int:
    """Words without a small letter and with a capital one (`I` counts)."""
    return sum(word.isupper() for word in _CAPITAL.findall(text))


def words_with(text: str, letters: str) -> int:
    """Words that contain one of the letters."""
    return sum(any(letter in word for letter in letters) for word in _WORD.findall(text))


def whole_json(text: str) -> bool:
    """The whole text is JSON, a code fence around it allowed."""
    body = text.strip()
    for opening in ("```json", "```Json", "```JSON", "```"):
        body = body.removeprefix(opening)
    try:
        json.loads(body.removesuffix("```").strip())
    except (ValueError, RecursionError):
        return False
    return True
