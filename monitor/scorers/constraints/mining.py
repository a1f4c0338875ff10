"""Mine the constraints of a prompt: one engine over the phrases of each language, Japanese apart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache

from monitor.records import Request
from monitor.scorers.constraints.bounds import bounds, limits
from monitor.scorers.constraints.english import ENGLISH
from monitor.scorers.constraints.french import FRENCH
from monitor.scorers.constraints.german import GERMAN
from monitor.scorers.constraints.japanese import japanese
from monitor.scorers.constraints.model import Bound, Constraint, Tongue, constraint, rx
from monitor.scorers.constraints.spanish import SPANISH
from monitor.scorers.constraints.wording import wording
from monitor.scorers.questions import asks_json, edges

TONGUES = (ENGLISH, FRENCH, SPANISH, GERMAN)
_WORD = re.compile(r"\w+")
_KANA = re.compile(r"[\u3041-\u30ff]")
_STARS = re.compile(r"(?<![*\w])\*{3}(?!\*)|\b(?:3|three) asterisks")
_SIX_STARS = re.compile(
    r"\*{6}|\b(?:6|six|seis) (?:\w+ )?(?:asteris[kc]|étoile|asterisco|astérisque|Sternchen)", re.IGNORECASE
)
_IN = re.compile(r"\b(?:in|en|auf)\s+(?:just |only |seulement |solo |sólo |nur )?$", re.IGNORECASE)
_EACH = re.compile(r"\b(?:each|every|per|chaque|cada|jede[rsnm]?)\b[^.\n]*$", re.IGNORECASE)
# "the report is over 300 words long" describes, "it should be over 300 words long" demands
_LONG = re.compile(r" long\b")
_OUGHT = re.compile(r"\b(?:should|must|needs?|ha(?:s|ve) to|make|keep|write|be)\b", re.IGNORECASE)
_POSTSCRIPT = re.compile(
    r"(?:(?i:\bpost[- ]?scriptum\b|\bpost ?script\b|\bposdata\b|\bpostdata\b|\b(?:with|add|include|append|write|put) an? ))[^.\n]{0,50}?[\"'“«]?"
    r"(?P<mark>P\.\s?P\.\s?S\b|P\.\s?S\.|P\.-S\.|p\.-s\.|P-S\b|PS\b|P\.\s?D\.|Nota\b)",
)  # fmt: skip
_CODE = re.compile(
    r"^\s*(?:def \w+\(|class \w+[(:]|#include\b|public class|function \w+\(|import \w+)|\[PYTHON\]",
    re.MULTILINE,
)
_MAX_CONSTRAINTS = 24


def constraints_of(request: Request) -> tuple[Constraint, ...]:
    """The constraints that system prompt and last user message state, without repetition, at most 24."""
    return mined(request.system, request.prompt)


@lru_cache(maxsize=64)
def mined(system: str, prompt: str) -> tuple[Constraint, ...]:
    text = edges(f"{system}\n{prompt}" if system else prompt)
    if _CODE.search(text):
        # specifications and examples of code speak of words and cases, not of the answer's
        return (constraint("detectable_format:json_format", "en"),) if asks_json(text) else ()
    if _KANA.search(text):
        found: Iterable[Constraint] = japanese(text, prompt)
    else:
        found = (c for tongue in _spoken(text) for c in _latin(tongue, text, prompt))
    # marks like <<title>> are the same in every language: the most spoken one's reading stays
    first: dict[object, Constraint] = {}
    for one in found:
        first.setdefault((one.kind, one.arguments), one)
    return tuple(first.values())[:_MAX_CONSTRAINTS]


def _spoken(text: str) -> list[Tongue]:
    """The languages of which two different function words occur (one, where none has two), most first."""
    used = set(_WORD.findall(text[:1500].casefold()))
    words = Counter(tongue for word in used for tongue in _tongues_of(word))
    least = min(2, max(words.values(), default=0))
    return sorted((t for t in TONGUES if words[t] >= max(1, least)), key=lambda t: -words[t]) or [ENGLISH]


@lru_cache(maxsize=4096)
def _tongues_of(word: str) -> tuple[Tongue, ...]:
    """Whose function word it is. A gate matches whole words only, and most words of a prompt were met before."""
    return tuple(tongue for tongue in TONGUES if rx(tongue.gate).fullmatch(word))


def _latin(tongue: Tongue, text: str, prompt: str) -> Iterator[Constraint]:
    small = text.casefold()
    yield from _lengths(tongue, text, small)
    yield from _structure(tongue, text, small)
    yield from wording(tongue, text, small, prompt)


def _lengths(tongue: Tongue, text: str, small: str) -> Iterator[Constraint]:
    for family, unit, kind, count in (
        ("words", tongue.words, "length_constraints:number_words", "num_words"),
        ("sentences", tongue.sentences, "length_constraints:number_sentences", "num_sentences"),
        ("characters", tongue.characters, "length_constraints:number_letters", "num_letters"),
    ):
        for bound in bounds(tongue, unit, text) if tongue.cued(family, small) else ():
            before = text[max(0, bound.start - 40) : bound.start]
            if family == "sentences" and bound.plain and _IN.search(before):
                bound = replace(bound, plain=False)  # noqa: PLW2901  "in two sentences" is exact
            described = _LONG.match(text, bound.end) and not _OUGHT.search(before)
            if not bound.plain and not described and not _EACH.search(before):
                yield from limits(tongue, kind, bound, count, "relation")
    if tongue.cued("paragraphs", small):
        yield from _paragraphs(tongue, text)


def _paragraphs(tongue: Tongue, text: str) -> Iterator[Constraint]:
    first_words = list(_paragraph_starts(tongue, text))
    if first_words:
        yield from first_words
        return
    stars = _STARS.search(text)
    if stars:
        found = [b for b in bounds(tongue, tongue.sections, text) if abs(b.start - stars.start()) < 300]
        number = found[0].low if found else None
        if number:
            yield constraint("length_constraints:number_paragraphs", tongue.code, num_paragraphs=number)
        return
    for bound in bounds(tongue, tongue.paragraphs, text):
        if bound.exact and bound.low:
            yield constraint(
                "length_constraints:number_paragraphs",
                tongue.code,
                num_paragraphs=bound.low,
                separator="blank line",
            )


def _paragraph_starts(tongue: Tongue, text: str) -> Iterator[Constraint]:
    pattern = tongue.paragraph_start.replace("{ordinals}", "|".join(tongue.ordinals))
    for match in rx(pattern).finditer(text):
        groups = {name.rstrip("2"): value for name, value in match.groupdict().items() if value}
        total = next((b.low for b in bounds(tongue, tongue.paragraphs, text) if b.low), None)
        nth = tongue.ordinals[groups["ordinal"].casefold()] if "ordinal" in groups else int(groups["index"])
        if total and nth <= total:
            yield constraint(
                "length_constraints:nth_paragraph_first_word",
                tongue.code,
                num_paragraphs=total,
                nth_paragraph=nth,
                first_word=groups["word"],
            )


def _structure(tongue: Tongue, text: str, small: str) -> Iterator[Constraint]:
    yield from _counted_marks(tongue, text, small)
    if tongue.cued("sections", small):
        yield from _sections(tongue, text)
    if _SIX_STARS.search(text) and rx(tongue.two_responses).search(text):
        yield constraint("combination:two_responses", tongue.code)
    if tongue.cued("title", small) and rx(tongue.title).search(text):
        mark = "##" if "##" in text and "<<" not in text else "<<"
        yield constraint("detectable_format:title", tongue.code, mark=mark)
    if asks_json(text):
        yield constraint("detectable_format:json_format", tongue.code)
    found = _POSTSCRIPT.search(text) if tongue.cued("postscript", small) else None
    if found:
        yield constraint(
            "detectable_content:postscript", tongue.code, postscript_marker=_marker(found["mark"])
        )


def _marker(mark: str) -> str:
    plain = mark.replace(" ", "")
    return "P.P.S" if plain.startswith("P.P.S") else plain


def _counted_marks(tongue: Tongue, text: str, small: str) -> Iterator[Constraint]:
    for bound in bounds(tongue, tongue.bullets, text) if tongue.cued("bullets", small) else ():
        if (bound.exact or bound.plain) and bound.low:
            yield constraint("detectable_format:number_bullet_lists", tongue.code, num_bullets=bound.low)
    for bound in bounds(tongue, tongue.placeholders, text) if tongue.cued("placeholders", small) else ():
        if bound.low:
            more = {"relation": tongue.at_least} if tongue.placeholder_relation else {}
            yield constraint(
                "detectable_content:number_placeholders", tongue.code, num_placeholders=bound.low, **more
            )
    if tongue.cued("highlight", small) and ("*" in text or "markdown" in small):
        yield from _highlights(tongue, text)


def _highlights(tongue: Tongue, text: str) -> Iterator[Constraint]:
    """A number of parts near a word for highlighting, where Markdown is meant."""
    for match in rx(tongue.highlight).finditer(text):
        near = [b for b in bounds(tongue, tongue.parts, text) if _near(b, match) and b.low]
        if near:
            more = {"relation": tongue.at_least} if tongue.placeholder_relation else {}
            kind = "detectable_format:number_highlighted_sections"
            yield constraint(kind, tongue.code, num_highlights=near[0].low or 1, **more)
            return


def _near(bound: Bound, match: re.Match[str]) -> bool:
    return bound.start - 60 <= match.start() <= bound.end + 50


def _sections(tongue: Tongue, text: str) -> Iterator[Constraint]:
    text = text.replace("\n", " ")
    match = rx(tongue.section_mark).search(text)
    if match is None:
        return
    mark = next(value for value in match.groupdict().values() if value)
    number = next((b.low for b in bounds(tongue, tongue.sections, text) if b.low), None)
    if number is None:
        listed = re.findall(rf"\b{re.escape(mark)} (\d+)", text)
        number = max(map(int, listed), default=0)
    if number:
        more = {"relation": tongue.at_least} if tongue.placeholder_relation else {}
        yield constraint(
            "detectable_format:multiple_sections",
            tongue.code,
            section_spliter=mark,
            num_sections=number,
            **more,
        )
