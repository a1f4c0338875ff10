"""Which language a text is in: scripts of one language decide themselves, then CLD2, then py3langid.

Measured on 122 low-resource UDHR texts in 33 languages: CLD2 122, py3langid 112. CLD2 has no wheel for every
platform, gives up on short or mixed texts and costs a fifth; py3langid is loaded only when it is
asked. Codes are ISO 639-1, ISO 639-3 where there is none; closely related standards are joined
(`zh` for all Chinese, `no` for Bokmål and Nynorsk, `hr` for Croatian, Bosnian and Serbian in Latin letters).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from types import MappingProxyType, ModuleType
from typing import Any, Final

from monitor import scripts
from monitor.excerpts import excerpt

UNKNOWN: Final = "unknown"
_CLD2_EXAMINED: Final = 1_000
_LANGID_EXAMINED: Final = 300
_LEAST_LETTERS: Final = 4
_PURE: Final = 5 / 6

# Scripts that one language of today's traffic uses (Unicode Standard, chapters 7-16).
SINGLE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "greek": "el",
        "hangul": "ko",
        "japanese": "ja",
        "hiragana": "ja",
        "katakana": "ja",
        "han": "zh",
        "thai": "th",
        "lao": "lo",
        "khmer": "km",
        "georgian": "ka",
        "armenian": "hy",
        "telugu": "te",
        "tamil": "ta",
        "kannada": "kn",
        "malayalam": "ml",
        "gujarati": "gu",
        "gurmukhi": "pa",
        "sinhala": "si",
        "oriya": "or",
        "myanmar": "my",
        "thaana": "dv",
        "cherokee": "chr",
        "canadian_aboriginal": "iu",
        "ol_chiki": "sat",
        "meetei_mayek": "mni",
        "mongolian": "mn",
        "tifinagh": "ber",
        "nko": "nqo",
        "vai": "vai",
        "yi": "ii",
    }
)
# Where no detector helps, the language that most texts in the script are in.
_USUAL: Final[Mapping[str, str]] = MappingProxyType(
    {"tibetan": "bo", "hebrew": "he", "bengali": "bn", "ethiopic": "am", "devanagari": "hi"}
)
_CODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "iw": "he",
        "jw": "jv",
        "in": "id",
        "zh-hant": "zh",
        "zh-hans": "zh",
        "nb": "no",
        "nn": "no",
        "sr-me": "sr",
        "bs": "hr",
        "sh": "hr",
        "mo": "ro",
        "fil": "tl",
        "run": "rn",
        "pes": "fa",
        "prs": "fa",
        "swh": "sw",
        "khk": "mn",
        "quz": "qu",
        "fuv": "ff",
        "blu": "hmn",
    }
)


@dataclass(frozen=True, slots=True)
class Detection:
    """A language and whether to rely on it; `unknown` is never reliable.

    `mixed`: a sixth of the text or more is in another script or language.
    """

    language: str
    reliable: bool
    mixed: bool = False


NOTHING: Final = Detection(UNKNOWN, reliable=False)


def canonical(code: str, script: str = "latin") -> str:
    """ISO 639 code of a detector's code, related standards joined."""
    code = code.lower()
    code = _CODES.get(code, code)
    if code in {"hr", "sr"}:
        return "sr" if script == "cyrillic" else "hr"
    return code


def detect(text: str) -> Detection:
    """Language of the dominant script's letters in the examined 1,000 characters."""
    return _detect(excerpt(text, _CLD2_EXAMINED))


def detect_fast(text: str) -> Detection:
    """As `detect`, without the second opinion: for many short pieces, `unknown` where in doubt."""
    system = scripts.script(text)
    if system in SINGLE:
        return detect(text)
    return _by_cld2(text, system) if _cld2() is not None else detect(text)


def language(text: str) -> str:
    """Language of the text, reliable or not; `unknown` where no detector has an opinion."""
    return detect(text).language


@lru_cache(maxsize=128)
def _detect(text: str) -> Detection:
    system = scripts.script(text)
    if system == scripts.UNKNOWN:
        return NOTHING
    if system in SINGLE:
        counts = scripts.written_in(text)
        own = counts.get(system, 0)
        return Detection(SINGLE[system], own >= _LEAST_LETTERS, mixed=own < _PURE * sum(counts.values()))
    clean = scripts.only(text, system)
    found = _by_cld2(clean, system)
    return found if found.reliable else _second_opinion(clean, system, found)


@cache
def _cld2() -> ModuleType | None:
    try:
        import pycld2
    except ImportError:  # no wheel for this platform: py3langid decides alone
        return None
    module: ModuleType = pycld2
    return module


@cache
def _langid() -> Any:
    """py3langid's model, normalised to probabilities; 1.7 s and 130 MB, hence only on demand."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def _details(cld2: ModuleType, text: str, *, best_effort: bool) -> tuple[bool, tuple[str, int]]:
    """Whether CLD2 is sure, and the first language with its percentage."""
    try:
        reliable, _, details = cld2.detect(text, bestEffort=best_effort)
    except (cld2.error, UnicodeEncodeError):  # it takes no control characters, noncharacters or surrogates
        clean = "".join(c if c.isprintable() else " " for c in text)
        reliable, _, details = cld2.detect(clean, bestEffort=best_effort)
    return bool(reliable), (str(details[0][1]), int(details[0][2]))


def _by_cld2(text: str, system: str) -> Detection:
    cld2 = _cld2()
    if cld2 is None:
        return NOTHING
    reliable, (label, percent) = _details(cld2, text, best_effort=False)
    if not reliable:  # best effort calls any short text reliable, so only its guess is taken
        _, (label, percent) = _details(cld2, text, best_effort=True)
    code = canonical(label, system)
    if code.startswith(("un", "xx")):
        return NOTHING
    return Detection(code, reliable, mixed=percent < 100 * _PURE)


def _second_opinion(text: str, system: str, first: Detection) -> Detection:
    """py3langid where CLD2 is unsure or absent: agreement counts, else the first guess stands."""
    if system in _USUAL and system != "devanagari":
        return first if first.language != UNKNOWN else Detection(_USUAL[system], reliable=True)
    code, probability = _langid().classify(text[:_LANGID_EXAMINED])
    second = canonical(str(code), system)
    long_enough = sum(scripts.letters(text).values()) >= 20
    if first.language in {second, UNKNOWN}:
        return Detection(second, reliable=long_enough and probability > 0.9)
    return Detection(second if long_enough and probability > 0.99 else first.language, reliable=False)
