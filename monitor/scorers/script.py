"""The candidate answers in another script or language than the baseline, where the baseline is as expected.

Expected is the language that the request asks for, else the request's own. Drift is judged on the
whole answer and line by line: LPR of the Language Confusion Benchmark (arXiv 2406.20052) counts an answer
as confused when any of its lines of five words or more is in another language.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from monitor import languages, request_language, scripts
from monitor.answer_language import answer_prose
from monitor.records import Pair, Request, Score

_EXAMINED: Final = 4_000
_LEAST_LETTERS: Final = 20
_LEAST_FOREIGN: Final = 10
# Names and units alone are no drift to Latin letters.
_LEAST_LATIN: Final = 60
_FOREIGN_SHARE: Final = 0.1
_SHARE_OF_BASELINE: Final = 0.25
_LINE_LETTERS: Final = 40
_LINES: Final = 12
_WRONG_LINES: Final = 1 / 3
_EXPECTED_SCRIPT: Final = {code: name for name, code in languages.SINGLE.items()} | {
    **dict.fromkeys(("ru", "uk", "bg", "mn", "kk", "sr"), "cyrillic"),
    **dict.fromkeys(("ar", "fa", "ur"), "arabic"),
    **dict.fromkeys(("hi", "mr", "ne"), "devanagari"),
    **dict.fromkeys(("am", "ti"), "ethiopic"),
    "ja": "japanese",
    "zh": "han",
    "he": "hebrew",
    "bn": "bengali",
    "bo": "tibetan",
}
# Detectors confuse these with one another on real text, and so do readers.
_CLOSE: Final = tuple(
    frozenset(group.split())
    for group in (
        "no da",
        "id ms",
        "cs sk",
        "gl pt",
        "gl es",
        "zu xh ss nr",
        "rw rn",
        "nl af",
        "bg mk",
        "sco en",
        "ca oc",
    )
)
# Requests that are about letters ("only in hiragana", "transliterate") make script a constraint, not a fault.
_ABOUT_SCRIPT: Final = (
    "ひらがな", "平仮名", "カタカナ", "片仮名", "漢字", "ローマ字", "拼音",
    "romaji", "pinyin", "transliterat", "romanis", "romaniz", "hiragana", "katakana", "kanji",
)  # fmt: skip


def expected_script(request: Request) -> str:
    """Writing system that the answer should be in: of the language asked for, else the request's own."""
    asked = _asked(request)
    return request_language.script(request.prompt) if asked is None else _EXPECTED_SCRIPT.get(asked, "latin")


def expected_language(request: Request) -> str:
    """ISO 639 code that the answer should be in: asked for in words, else the request's own."""
    return _asked(request) or request_language.language(request.prompt)


def _asked(request: Request) -> str | None:
    return request_language.asked(request.prompt) or request_language.asked(request.system)


def _texts(pair: Pair) -> tuple[str, str] | None:
    """Prose of both answers, None where an arm failed or is too short to have a language."""
    baseline, candidate = pair.baseline, pair.candidate
    if baseline.error_type is not None or candidate.error_type is not None:
        return None
    texts = answer_prose(baseline.text), answer_prose(candidate.text)
    return texts if all(sum(scripts.letters(t).values()) >= _LEAST_LETTERS for t in texts) else None


def script(pair: Pair) -> Score | None:
    """1 where the candidate writes in a script that neither the baseline nor the request is in.

    None for answers under 20 letters, where the request is about scripts, and where the baseline
    itself is not in the expected one.
    """
    texts = _texts(pair)
    asked = pair.request.prompt[-_EXAMINED:].lower()
    if texts is None or any(map(asked.__contains__, _ABOUT_SCRIPT)):
        return None
    expected = scripts.script(texts[0])
    if expected != expected_script(pair.request):
        return None
    foreign = None if texts[0] == texts[1] else _foreign(expected, texts[0], texts[1], pair.request.prompt)
    if foreign is None:
        return Score("script", 0.0, baseline=0.0, candidate=0.0)
    return Score(
        "script", 1.0, foreign, f"{foreign} where {expected} was expected", baseline=0.0, candidate=1.0
    )


def _foreign(expected: str, baseline: str, candidate: str, prompt: str) -> str | None:
    """The script that the candidate drifted to: the dominant one, or a tenth in one that nobody used."""
    found, before = scripts.written_in(candidate), scripts.written_in(baseline)
    dominant = scripts.script(candidate)
    enough = dominant != "latin" or found["latin"] >= _LEAST_LATIN
    if (
        dominant != expected
        and enough
        and before.get(dominant, 0) <= _SHARE_OF_BASELINE * sum(before.values())
    ):
        return dominant
    # Latin stands in answers of every language (names, units, code), so only its bulk is foreign.
    known = {"latin", *before, *scripts.written_in(prompt), *_parts(expected)}
    others = {name: n for name, n in found.items() if name not in known and n >= _LEAST_FOREIGN}
    worst = max(others, key=others.__getitem__, default=None)
    return worst if worst and others[worst] >= _FOREIGN_SHARE * sum(found.values()) else None


def _parts(system: str) -> tuple[str, ...]:
    return {"japanese": ("han", "hiragana", "katakana"), "hangul": ("han",), "han": ("hangul",)}.get(
        system, ()
    )


def language(pair: Pair) -> Score | None:
    """1 where the candidate's language, or that of a third of its lines, is not the expected one.

    None unless the baseline is reliably in the expected language and the candidate's language is
    reliably known: both arms get the same detector, and short answers give no verdict.
    """
    texts = _texts(pair)
    if texts is None:
        return None
    expected, first = expected_language(pair.request), languages.detect(texts[0])
    if not first.reliable or not _same(first.language, expected):
        return None
    second = first if texts[0] == texts[1] else languages.detect(texts[1])
    if not second.reliable:
        return None
    got = _drift(first.language, second, *texts)
    if got is None:
        return Score("language", 0.0, baseline=0.0, candidate=0.0)
    words = f"{got} where {first.language} was expected"
    return Score("language", 1.0, f"{first.language}_to_{got}", words, baseline=0.0, candidate=1.0)


def _same(one: str, other: str) -> bool:
    return one == other or any(one in group and other in group for group in _CLOSE)


def _drift(expected: str, second: languages.Detection, baseline: str, candidate: str) -> str | None:
    """The language of the candidate, or of a third of its lines, where it is not the expected one."""
    if not _same(second.language, expected):
        return second.language
    if not second.mixed:
        return None
    wrong = _wrong_lines(candidate, expected)
    letters = sum(n for _, n in wrong)
    total = sum(scripts.letters(candidate).values())
    if not wrong or letters < _WRONG_LINES * total or _wrong_lines(baseline, expected):
        return None
    return wrong[0][0]


@lru_cache(maxsize=64)
def _wrong_lines(text: str, expected: str) -> tuple[tuple[str, int], ...]:
    """Language and letters of the first lines of 40 characters or more that are reliably in another language."""
    lines = [line for line in text.splitlines() if len(line) >= _LINE_LETTERS][:_LINES]
    wrong = [(languages.detect_fast(line), line) for line in lines]
    return tuple(
        (found.language, sum(scripts.letters(line).values()))
        for found, line in wrong
        # A Japanese heading may be all ideographs.
        if found.reliable
        and not _same(found.language, expected)
        and {found.language, expected} != {"ja", "zh"}
    )
