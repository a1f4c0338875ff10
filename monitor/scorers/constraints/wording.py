"""Constraints on words and letters of the answer, clause by clause: what to use, avoid, begin and end with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from monitor.scorers.constraints.bounds import bounds, limits
from monitor.scorers.constraints.model import Bound, Constraint, Tongue, constraint, rx

QUOTED = re.compile(
    r"\"([^\"\n]{1,80})\"|“([^”\n]{1,80})”|«\s?([^»\n]{1,80}?)\s?»|(?<![\w])[‘']([^'’\n]{1,60})['’](?!\w)|„([^“\n]{1,80})“"
)
_LONG_QUOTE = re.compile(r"[\"“«„]([^\"”»“\n]{1,200})[\"”»“]|(?<!\w)['‘]([^\n]{3,200}?)['’](?!\w)")
_BARE_LIST = re.compile(
    r"\s*:?\s*((?:[^\W\d_][\w-]*)(?:\s*,\s*[\w-]+)*(?:,?\s*(?:and|or|et|ou|y|o|und|oder)\s+[\w-]+)?)(?!\w)[.!]?\s*(?:$|in\b|from\b|dans\b|en\b|throughout\b|anywhere\b|for\b|at\b)"
)
_SHUN = re.compile(
    r"\W*(?:please |veuillez |por favor |bitte )?(?:avoid|exclud|omit|évit|evit|vermeid)", re.IGNORECASE
)
_NOT_ALL = re.compile(
    r"(?:\bnot|n['’]t|\bnever|\bavoid\w*|\bwithout)\b[^.\n]{0,12}\ball[- ](?:capitals?|caps|upper)",
    re.IGNORECASE,
)
_KEY = re.compile(r"key|clé|clave|schlüssel", re.IGNORECASE)
_SINGLE = re.compile(r"\s+([^\W\d_][\w'-]{1,30})\b")
_LETTER = re.compile(r"\s*[\"'“‘«„]?\s?([^\W\d]|#|!|\?)\s?[\"'”’»“]?(?![\w'])", re.IGNORECASE)
_HASHTAGS = re.compile(r"\bhashtags?\b", re.IGNORECASE)
_STOPWORDS = frozenset(
    """the a an in of to and or that is are be should must not any no all your following count limit with for as by at it
    this de la le les des du en et ou dans un une el los las que y o con por der das ein eine und mit""".split()  # noqa: SIM905  a word list reads as words
)


def quoted(text: str) -> list[str]:
    """Short quoted items."""
    return [next(group for group in groups if group).strip() for groups in QUOTED.findall(text)]


_MENTION = r"[\"“«„‘']|#|accents?\b|chiffres?\b|tildes?\b|acent"


def wording(tongue: Tongue, text: str, small: str, prompt: str) -> Iterator[Constraint]:
    """All word-level constraints of a text in one language."""
    if tongue.cued("case", small):
        yield from _case(tongue, text)
    if tongue.cued("comma", small) and rx(tongue.no_comma).search(text):
        yield constraint("punctuation:no_comma", tongue.code)
    yield from _edges_of_answer(tongue, text, small)
    yield from _languages(tongue, text, small)
    yield from _closed_answers(tongue, text, small)
    if tongue.cued("clause", small) or rx(_MENTION).search(text):
        yield from _clauses(tongue, text)
    if tongue.cued("repeat", small):
        yield from _repeat(tongue, prompt)


def _clauses(tongue: Tongue, text: str) -> Iterator[Constraint]:
    worthwhile = rx(f"{tongue.keyword}|{tongue.letter}|{_MENTION}")
    for clause in rx(tongue.split).split(text):
        if worthwhile.search(clause):
            yield from _clause(tongue, clause)
            yield from _special(tongue, clause)


def _case(tongue: Tongue, text: str) -> Iterator[Constraint]:
    without_words = _NOT_ALL.sub(" ", rx(tongue.capital_words).sub(" ", text))
    if rx(tongue.all_capital).search(without_words):
        yield constraint(f"change_case:{tongue.case_name}_capital", tongue.code)
    elif rx(tongue.all_lower).search(without_words):
        yield constraint(f"change_case:{tongue.case_name}_lowercase", tongue.code)
    for bound in bounds(tongue, tongue.capital_words, text):
        if not bound.plain:
            yield from _capital(tongue, bound)


def _capital(tongue: Tongue, bound: Bound) -> Iterator[Constraint]:
    yield from limits(
        tongue, "change_case:capital_word_frequency", bound, "capital_frequency", "capital_relation"
    )


def _edges_of_answer(tongue: Tongue, text: str, small: str) -> Iterator[Constraint]:
    if tongue.cued("quotation", small) and rx(tongue.quotation).search(text):
        yield constraint("startend:quotation", tongue.code)
    phrase = _phrase_after(tongue.ending, text) if tongue.cued("ending", small) else None
    if phrase:
        yield constraint("startend:end_checker", tongue.code, end_phrase=phrase)
    phrase = _phrase_after(tongue.starting, text) if tongue.cued("starting", small) else None
    if phrase:
        yield constraint("startend:start_checker", tongue.code, start_phrase=phrase)


def _phrase_after(trigger: str, text: str) -> str | None:
    """The quoted phrase after a trigger, or what follows "phrase" or a colon up to the line's end."""
    pattern = (
        rf"{trigger}(?:(?P<quote>[\"“«„])|(?P<colon>:\s*)|(?P<bare>\b(?:exact )?phrase )(?=(?-i:[A-Z])))"
    )
    for match in rx(pattern).finditer(text):
        rest = text[match.end() - (1 if match["quote"] else 0) :]
        found = _LONG_QUOTE.match(rest)
        if found:
            phrase = next(group for group in found.groups() if group).strip()
            return phrase if sum(map(str.isalpha, phrase)) >= 2 else None
        line = re.split(r"\n|(?<=[.?!]) ", rest.strip(), maxsplit=1)[0]
        if not match["quote"] and 2 <= len(line) <= 120:
            return line.strip(" \"'“”«»")
    return None


@lru_cache(maxsize=8)
def _language_pattern(tongue: Tongue) -> re.Pattern[str]:
    names = "|".join(sorted(tongue.language_names, key=len, reverse=True))
    return re.compile(tongue.only_language.replace("{names}", f"(?:{names})"), re.IGNORECASE)


def _languages(tongue: Tongue, text: str, small: str) -> Iterator[Constraint]:
    if not any(name in small for name in tongue.language_names):
        return
    for match in _language_pattern(tongue).finditer(text):
        name = next(value for value in match.groupdict().values() if value).casefold()
        code = tongue.language_names[name]
        if code != tongue.code:
            yield constraint("language:response_language", tongue.code, language=code)
            return


def _closed_answers(tongue: Tongue, text: str, small: str) -> Iterator[Constraint]:
    match = rx(tongue.options).search(text) if tongue.cued("options", small) else None
    offered = tuple(quoted(match["list"])) if match else ()
    if len(offered) >= 2:
        yield constraint("detectable_format:constrained_response", tongue.code, options=offered)
    if tongue.cued("yes_no", small) and rx(tongue.yes_no).search(text):
        yield constraint("detectable_format:yes_no", tongue.code)
    if tongue.cued("one_word", small) and rx(tongue.one_word).search(text):
        yield constraint("length_constraints:one_word", tongue.code)


def _clause(tongue: Tongue, clause: str) -> Iterator[Constraint]:
    """Frequencies, required and forbidden words of one clause."""
    counts = list(_times(tongue, clause))
    letter = rx(tongue.letter).search(clause)
    named = _LETTER.match(clause, letter.end()) if letter else None
    if named:
        yield from _letter(tongue, clause, named[1], counts)
    elif _HASHTAGS.search(clause):
        for bound in bounds(tongue, _HASHTAGS.pattern, clause):
            if not bound.plain:
                yield from _letter_limits(tongue, bound, "#")
    elif counts and rx(tongue.capital_words).search(clause):
        yield from _capital(tongue, _flipped(tongue, clause, counts[0]))
    elif counts:
        yield from _frequency(tongue, clause, counts[0])
    else:
        yield from _listed(tongue, clause)


def _times(tongue: Tongue, clause: str) -> Iterator[Bound]:
    """Stated numbers of occurrences, `at most once` too; a bare number counts as "at least"."""
    for bound in bounds(tongue, tongue.times, clause):
        yield Bound(bound.low, None, bound.start, bound.end) if bound.plain else bound
    for word, number in tongue.once.items():
        for match in _once(tongue, word).finditer(clause) if word in clause.casefold() else ():
            low, high = (number, None) if match.lastgroup is None else _ONCE[match.lastgroup](number)
            yield Bound(low, high, match.start(), match.end())


@lru_cache(maxsize=32)
def _once(tongue: Tongue, word: str) -> re.Pattern[str]:
    relations = "|".join(f"(?P<{name}>{getattr(tongue, name)})" for name in _ONCE)
    return rx(rf"(?:(?:{relations})\s+)?\b{word}\b")


_ONCE: dict[str, Callable[[int], tuple[int | None, int | None]]] = {
    "above": lambda n: (n + 1, None),
    "maximum": lambda n: (None, n),
    "below": lambda n: (None, n - 1),
}


def _negated(tongue: Tongue, clause: str) -> bool:
    return bool(rx(tongue.negation).search(clause))


def _flipped(tongue: Tongue, clause: str, bound: Bound) -> Bound:
    """ "Avoid using it more than twice" is at most two."""
    negated = rx(tongue.negation).search(clause[: bound.start])
    if negated and bound.low is not None and bound.high is None:
        return Bound(None, max(0, bound.low - 1), bound.start, bound.end)
    return bound


def _letter(tongue: Tongue, clause: str, letter: str, counts: list[Bound]) -> Iterator[Constraint]:
    special = _SPECIAL.get((tongue.code, letter))
    if special:
        yield from special_letter(tongue, special, letter, clause, negated=_negated(tongue, clause))
        return
    if counts:
        yield from _letter_limits(tongue, _flipped(tongue, clause, counts[0]), letter)
    elif _negated(tongue, clause):
        yield from _letter_limits(tongue, Bound(None, 0, 0, 0), letter)


_SPECIAL = {
    ("fr", "ç"): "ethel_or_cedilla",
    ("fr", "œ"): "ethel_or_cedilla",
    ("es", "ñ"): "enie",
    ("es", "ü"): "dieresis",
}


def special_letter(
    tongue: Tongue, name: str, letter: str, clause: str, *, negated: bool
) -> Iterator[Constraint]:
    """The letters that M-IFEval treats apart: forbidden in French, a number of words with them in Spanish."""
    if tongue.code == "fr" and negated:
        yield constraint(f"special_character:{name}", tongue.code, forbidden_char=letter)
    number = re.search(r"\d{1,3}", clause)
    if tongue.code == "es" and number:
        yield constraint(f"special_character:{name}", tongue.code, let_frequency=int(number.group()))


def _special(tongue: Tongue, clause: str) -> Iterator[Constraint]:
    """Accents and digits by clause (French and Spanish)."""
    if tongue.code == "fr" and _negated(tongue, clause):
        if re.search(r"\baccents?\b", clause):
            yield constraint("special_character:no_accents", "fr")
        if re.search(r"\bchiffres?\b", clause):
            yield constraint("detectable_content:no_digits", "fr")
    if tongue.code == "es":
        for bound in bounds(tongue, r"palabras? (?:con tildes?|acentuadas?|con acentos?)|tildes", clause):
            yield from limits(tongue, "special_character:tildes", bound, "num_words", "relation")


def _letter_limits(tongue: Tongue, bound: Bound, letter: str) -> Iterator[Constraint]:
    yield from limits(
        tongue, "keywords:letter_frequency", bound, "let_frequency", "let_relation", letter=letter
    )


def _frequency(tongue: Tongue, clause: str, bound: Bound) -> Iterator[Constraint]:
    word = _word_named(tongue, clause)
    if word:
        yield from limits(
            tongue,
            "keywords:frequency",
            _flipped(tongue, clause, bound),
            "frequency",
            "relation",
            keyword=word,
        )


def _word_named(tongue: Tongue, clause: str) -> str | None:
    """The word that a clause counts: quoted or bare after "the word", else the first quoted one."""
    noun = rx(tongue.keyword).search(clause)
    if noun:
        after = _near_quotes(clause[noun.end() :], 25)
        if after:
            return after[0]
        match = _SINGLE.match(clause, noun.end())
        if match and match[1].casefold() not in _STOPWORDS:
            return match[1]
    items = quoted(clause)
    return items[0] if items and len(items[0].split()) <= 4 else None


def _near_quotes(text: str, distance: int) -> tuple[str, ...]:
    """Quoted items, if the first of them stands within `distance` characters."""
    first = QUOTED.search(text)
    return tuple(quoted(text)) if first and first.start() <= distance else ()


def _listed(tongue: Tongue, clause: str) -> Iterator[Constraint]:
    """Words to use or to avoid: after the noun, or (to avoid) right after the verb."""
    noun = rx(tongue.keyword).search(clause)
    usage = rx(tongue.usage).search(clause)
    negated = _negated(tongue, clause)
    if rx(tongue.edge).search(clause) or not (usage or _SHUN.match(clause)):
        return
    items = _near_quotes(clause[noun.end() :], 25) if noun else ()
    listed = noun and (clause[noun.end() : noun.end() + 1] == ":" or _KEY.search(noun.group()))
    if not items and noun and (negated or listed):
        items = _bare_items(clause[noun.end() :])
    if not items and negated and usage:
        items = _near_quotes(clause[usage.end() :], 12)
    if not items or any(len(item.split()) > 4 or not any(map(str.isalpha, item)) for item in items):
        return
    if negated:
        yield constraint("keywords:forbidden_words", tongue.code, forbidden_words=items)
    elif noun:
        yield constraint("keywords:existence", tongue.code, keywords=items)


def _bare_items(rest: str) -> tuple[str, ...]:
    match = _BARE_LIST.match(rest)
    if not match:
        return ()
    items = [i for i in re.split(r"\s*,\s*|\s+(?:and|or|et|ou|y|o|und|oder)\s+", match[1]) if i]
    words = [re.sub(r"^(?:and|or|et|ou|y|o|und|oder)\s+", "", item) for item in items]
    return tuple(words) if words and not any(w.casefold() in _STOPWORDS for w in words) else ()


_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*\s*|\n")
_BELOW = re.compile(r"\b(?:below|following|ci-dessous|suivante?|siguiente)\b|\bin this task\b", re.IGNORECASE)


def _repeat(tongue: Tongue, prompt: str) -> Iterator[Constraint]:
    """The request to repeat: what stands before the sentence that asks for it, or after, where it says "below"."""
    match = rx(tongue.repeat).search(prompt)
    if match is None:
        return
    sentence = next((s for s in _SENTENCE.finditer(prompt) if s.start() <= match.start() < s.end()), None)
    before = prompt[: sentence.start()].strip() if sentence else ""
    blocks = [block.strip() for block in prompt.split("\n\n") if block.strip()]
    target = before if before and not _BELOW.search(prompt[match.start() : match.end() + 30]) else blocks[-1]
    if len(target) >= 8 and match.group() not in target:
        yield constraint("combination:repeat_prompt", tongue.code, prompt_to_repeat=target[:2000])
