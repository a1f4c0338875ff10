"""How the candidate talks, shown and never tested: hedging, verbosity, markdown.

Different manners are not worse answers, so these three explain a divergence; none wakes anybody.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Final

from monitor import languages
from monitor.excerpts import excerpt, without_reasoning
from monitor.lexicons import elicitation as lexicon
from monitor.records import Pair, Score

_EXAMINED: Final = 4_000
_LEAST_CHARACTERS: Final = 80
_MANNERS: Final = 4
_CLOSING: Final = 240
_HEDGED: Final = 2_000
_PUNCTUATION: Final = str.maketrans(dict.fromkeys('.,;:!?()[]{}"*_`#|/\n«»“”„¿¡…', " "))
# Characters per word where words are not counted one by one.
_WORD_LENGTH: Final = {"ja": 2.0, "zh": 1.6, "ko": 3.0}
# One hedge in sixteen words more than the baseline is the end of this scale.
_FULL_HEDGING: Final = 6.0


def _texts(pair: Pair) -> tuple[str, str] | None:
    arms = (pair.baseline, pair.candidate)
    if any(arm.error_type is not None or not arm.text.strip() for arm in arms):
        return None
    baseline, candidate = (without_reasoning(arm.text) for arm in arms)
    return excerpt(baseline, _EXAMINED), excerpt(candidate, _EXAMINED)


@lru_cache(maxsize=64)
def hedges_per_100_words(text: str, language: str) -> float | None:
    """Density of hedging words, None for languages without a list."""
    hedges = lexicon.HEDGES.get(language)
    if hedges is None:
        return None
    text = text.lower()
    words = text.translate(_PUNCTUATION).split() if hedges.words else []
    found = sum(map(hedges.words.__contains__, words)) + sum(map(text.count, hedges.phrases))
    length = len(words) if words else len(text) / _WORD_LENGTH.get(language, 6.0)
    return 100.0 * found / max(length, 20.0)


def hedging(pair: Pair) -> Score | None:
    """Additional hedges per 100 words, six or more = 1; None for short texts and unknown languages."""
    texts = _texts(pair)
    if texts is None or min(map(len, texts)) < _LEAST_CHARACTERS:
        return None
    language = languages.detect(texts[0]).language
    before, after = (hedges_per_100_words(excerpt(text, _HEDGED), language) for text in texts)
    if before is None or after is None:
        return None
    value = min(1.0, max(0.0, after - before) / _FULL_HEDGING)
    words = f"{after:.1f} hedges per 100 words, baseline {before:.1f}" if value else ""
    return Score("hedging", value, language, words, round(before, 3), round(after, 3))


@lru_cache(maxsize=64)
def manners(text: str) -> frozenset[str]:
    """Which of preamble, apology, disclaimer and closing offer the text has."""
    text = text.strip().replace("’", "'").lower()
    found = {
        "preamble": lexicon.PREAMBLE.search(text[:200]) is not None,
        "apology": _any(lexicon.APOLOGY, text),
        "disclaimer": _any(lexicon.DISCLAIMER, text),
        "closing": _any(lexicon.CLOSING, text[-_CLOSING:]),
    }
    return frozenset(kind for kind, here in found.items() if here)


def _any(phrases: tuple[str, ...], text: str) -> bool:
    return any(map(text.__contains__, _ascii(phrases) if text.isascii() else phrases))


@cache
def _ascii(phrases: tuple[str, ...]) -> tuple[str, ...]:
    """The phrases that an ASCII text can hold."""
    return tuple(filter(str.isascii, phrases))


@lru_cache(maxsize=64)
def markup(text: str) -> frozenset[str]:
    """Which Markdown constructs the text uses."""
    return frozenset(
        kind for kind, (mark, pattern) in lexicon.MARKDOWN.items() if mark in text and pattern.search(text)
    )


def _added(signal: str, before: frozenset[str], after: frozenset[str], kinds: int) -> Score:
    new = sorted(after - before)
    words = f"adds {', '.join(new)}" if new else ""
    return Score(signal, len(new) / kinds, "_".join(new), words, len(before) / kinds, len(after) / kinds)


def verbosity(pair: Pair) -> Score | None:
    """Share of the four manners (preamble, apology, disclaimer, closing offer) that only the candidate has."""
    texts = _texts(pair)
    if texts is None:
        return None
    return _added("verbosity", manners(texts[0]), manners(texts[1]), _MANNERS)


def markdown(pair: Pair) -> Score | None:
    """Share of the five constructs (header, bullets, bold, table, fence) that only the candidate uses."""
    texts = _texts(pair)
    if texts is None:
        return None
    return _added("markdown", markup(texts[0]), markup(texts[1]), len(lexicon.MARKDOWN))
