"""How the candidate talks, shown and never tested: hedging, verbosity, markdown.

Different manners are not worse answers, so these three explain a divergence; none wakes anybody.
"""

from __future__ import annotations

from functools import cache, lru_cache, reduce
from typing import Final

from ahocorasick_rs import BytesAhoCorasick

from monitor.answer_language import answer_language
from monitor.excerpts import excerpt, without_reasoning
from monitor.lexicons import elicitation as lexicon
from monitor.records import Pair, Score

_EXAMINED: Final = 4_000
_LEAST_CHARACTERS: Final = 80
_MANNERS: Final = 4
_CLOSING: Final = 240
_HEDGED: Final = 2_000
_PUNCTUATION: Final = bytes.maketrans(b'.,;:!?()[]{}"*_`#|/\n\t\r', b" " * 22)
_QUOTATION: Final = "«»“”„¿¡…\u00a0"
# Characters per word where words are not counted one by one.
_WORD_LENGTH: Final = {"ja": 2.0, "zh": 1.6, "ko": 3.0}
# One hedge in sixteen words more than the baseline is the end of this scale.
_FULL_HEDGING: Final = 6.0

# All phrases of a kind in one pass: what a text costs does not grow with the lexicon.
_APOLOGY, _DISCLAIMER, _CLOSING_OFFER = (
    BytesAhoCorasick([phrase.encode() for phrase in phrases])
    for phrases in (lexicon.APOLOGY, lexicon.DISCLAIMER, lexicon.CLOSING)
)


def _texts(pair: Pair) -> tuple[str, str] | None:
    arms = (pair.baseline, pair.candidate)
    if any(arm.error_type is not None or not arm.text.strip() for arm in arms):
        return None
    baseline, candidate = (without_reasoning(arm.text) for arm in arms)
    return excerpt(baseline, _EXAMINED), excerpt(candidate, _EXAMINED)


@lru_cache(maxsize=64)
def hedges_per_100_words(text: str, language: str) -> float | None:
    """Density of hedging words, None for languages without a list."""
    if language not in lexicon.HEDGES:
        return None
    text = text.lower()
    if not text.isascii():
        text = reduce(lambda spaced, mark: spaced.replace(mark, " "), _QUOTATION, text)
    plain = text.encode("utf-8", "surrogatepass").translate(_PUNCTUATION)
    found = len(_hedges(language).find_matches_as_indexes(b" %b " % plain, overlapping=True))
    words = (
        len(plain.split()) if lexicon.HEDGES[language].words else len(text) / _WORD_LENGTH.get(language, 6.0)
    )
    return 100.0 * found / max(words, 20.0)


@cache
def _hedges(language: str) -> BytesAhoCorasick:
    """Phrases as they stand; single words between spaces, which neighbours share."""
    hedges = lexicon.HEDGES[language]
    return BytesAhoCorasick([p.encode() for p in (*hedges.phrases, *(f" {word} " for word in hedges.words))])


def hedging(pair: Pair) -> Score | None:
    """Additional hedges per 100 words, six or more = 1; None for short texts and unknown languages."""
    texts = _texts(pair)
    if texts is None or min(map(len, texts)) < _LEAST_CHARACTERS:
        return None
    language = answer_language(pair.baseline.text)
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
    # bytes, because the matcher takes no lone surrogates in texts
    whole, end = (part.encode("utf-8", "surrogatepass") for part in (text, text[-_CLOSING:]))
    found = {
        "preamble": lexicon.PREAMBLE.search(text[:200]) is not None,
        "apology": _any(_APOLOGY, whole),
        "disclaimer": _any(_DISCLAIMER, whole),
        "closing": _any(_CLOSING_OFFER, end),
    }
    return frozenset(kind for kind, here in found.items() if here)


def _any(phrases: BytesAhoCorasick, text: bytes) -> bool:
    return bool(phrases.find_matches_as_indexes(text))


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
