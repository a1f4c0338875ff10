"""Does a text keep a constraint? Definitions of IFEval and M-IFEval in strict mode."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from monitor.languages import UNKNOWN, detect
from monitor.scorers.constraints import counting
from monitor.scorers.constraints.model import Constraint

_LIMIT = 40_000
_UPPER_BOUNDS = frozenset({"less than", "moins de", "como máximo", "未満"})

_AROUND = ' \n\t"」』.。'

Args = dict[str, Any]
Check = Callable[[Constraint, Args, str], bool]


@lru_cache(maxsize=256)
def check(constraint: Constraint, text: str) -> bool:
    """Whether `text` keeps `constraint`; an unknown kind is an error of the caller (KeyError)."""
    return _CHECKS[constraint.kind.replace(f":{_case(constraint.kind)}_", ":")](
        constraint, constraint.args, text[:_LIMIT]
    )


def _case(kind: str) -> str:
    """`spanish` of `change_case:spanish_capital`: the check is the same in every language."""
    family, _, name = kind.partition(":")
    return name.rpartition("_")[0] if family == "change_case" and name != "capital_word_frequency" else " "


def _within(actual: int, number: int, relation: str) -> bool:
    if relation not in _UPPER_BOUNDS:
        return actual >= number
    return actual <= number if relation == "como máximo" else actual < number


def _words(_c: Constraint, args: Args, text: str) -> bool:
    return _within(counting.words(text), args["num_words"], args["relation"])


def _sentences(c: Constraint, args: Args, text: str) -> bool:
    return _within(counting.sentences(text, c.language), args["num_sentences"], args["relation"])


def _characters(_c: Constraint, args: Args, text: str) -> bool:
    return _within(len(text.strip()), args["num_letters"], args["relation"])


def _paragraphs(_c: Constraint, args: Args, text: str) -> bool:
    if "separator" in args:
        return len([p for p in re.split(r"\n\s*\n", text) if p.strip()]) == int(args["num_paragraphs"])
    parts = re.split(r"\s?\*\*\*\s?", text)
    inner_empty = any(not part.strip() for part in parts[1:-1])
    return not inner_empty and sum(bool(part.strip()) for part in parts) == int(args["num_paragraphs"])


def _nth_paragraph(c: Constraint, args: Args, text: str) -> bool:
    parts = text.split("\n\n")
    number = sum(bool(part.strip()) for part in parts)
    if number != args["num_paragraphs"] or args["nth_paragraph"] > number:
        return False
    paragraph = parts[args["nth_paragraph"] - 1].strip().lstrip("\"'«“「『 ")
    boundary = "" if c.language == "ja" else r"(?!\w)"
    return bool(re.match(re.escape(str(args["first_word"])) + boundary, paragraph, re.IGNORECASE))


def _one_word(_c: Constraint, _args: Args, text: str) -> bool:
    return len(text.split()) == 1


def _bullets(c: Constraint, args: Args, text: str) -> bool:
    return counting.bullets(text, c.language) == int(args["num_bullets"])


def _numbered(_c: Constraint, args: Args, text: str) -> bool:
    return len(re.findall(r"^[ \t]*\d{1,9}\.\s", text, re.MULTILINE)) == int(args["num_items"])


def _highlights(c: Constraint, args: Args, text: str) -> bool:
    return counting.highlights(text, c.language) >= int(args["num_highlights"])


def _placeholders(_c: Constraint, args: Args, text: str) -> bool:
    return len(re.findall(r"\[[^\]\n]*\]", text)) >= int(args["num_placeholders"])


def _sections(c: Constraint, args: Args, text: str) -> bool:
    mark = re.escape(args["section_spliter"])
    pattern = rf"第[\d０-９]+{mark}" if c.language == "ja" else rf"{mark}\s?\d+"
    return len(re.findall(pattern, text)) >= int(args["num_sections"])


def _title(_c: Constraint, args: Args, text: str) -> bool:
    inner = {"##": r"##([^\n#]+)##", "『": r"『([^\n』]+)』"}.get(args["mark"], r"<<([^\n]+?)>>")
    return any(found.strip() for found in re.findall(inner, text))


def _json(_c: Constraint, _args: Args, text: str) -> bool:
    return counting.whole_json(text)


def _postscript(_c: Constraint, args: Args, text: str) -> bool:
    marker = str(args["postscript_marker"]).casefold()
    patterns = {"p.p.s": r"p\.\s?p\.\s?s", "p.s.": r"p\.\s?s\."}
    return bool(re.search(patterns.get(marker, re.escape(marker)), text.casefold()))


def _constrained(_c: Constraint, args: Args, text: str) -> bool:
    return any(option in text for option in args["options"])


def _yes_no(_c: Constraint, _args: Args, text: str) -> bool:
    return len(text.split()) <= 2 and bool(
        re.match(r"\W*(?:yes|no|oui|non|sí|si|ja|nein)\b", text, re.IGNORECASE)
    )


def _existence(_c: Constraint, args: Args, text: str) -> bool:
    folded = text.casefold()
    return all(word.casefold() in folded for word in args["keywords"])


def _forbidden(c: Constraint, args: Args, text: str) -> bool:
    if c.language == "ja":
        return not any(word in text for word in args["forbidden_words"])
    return not any(
        re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE) for word in args["forbidden_words"]
    )


def _frequency(_c: Constraint, args: Args, text: str) -> bool:
    actual = text.casefold().count(str(args["keyword"]).casefold())
    return _within(actual, args["frequency"], args["relation"])


def _letter(c: Constraint, args: Args, text: str) -> bool:
    letter = str(args["letter"])
    actual = text.casefold().count(letter.casefold())
    if c.language == "ja" and "ぁ" <= letter <= "ん":
        actual += text.count(chr(ord(letter) + 96))
    return _within(actual, args["let_frequency"], args["let_relation"])


def _language(_c: Constraint, args: Args, text: str) -> bool:
    found = detect(text)
    # a text without letters counts as kept, as in IFEval
    return found.language in {args["language"], UNKNOWN}


def _capital(_c: Constraint, _args: Args, text: str) -> bool:
    return text.isupper()


def _lowercase(_c: Constraint, _args: Args, text: str) -> bool:
    return text.islower()


def _capital_words(_c: Constraint, args: Args, text: str) -> bool:
    return _within(counting.capital_words(text), args["capital_frequency"], args["capital_relation"])


def _no_comma(c: Constraint, _args: Args, text: str) -> bool:
    return ("、" if c.language == "ja" else ",") not in text


def _no_period(_c: Constraint, _args: Args, text: str) -> bool:
    return "。" not in text


def _end(_c: Constraint, args: Args, text: str) -> bool:
    # a full stop after a phrase that was given without one does not break it
    phrase = str(args["end_phrase"]).strip(_AROUND).casefold()
    return text.strip(_AROUND).casefold().endswith(phrase)


def _start(_c: Constraint, args: Args, text: str) -> bool:
    return text.strip().strip('"「『').casefold().startswith(str(args["start_phrase"]).strip().casefold())


def _quotation(c: Constraint, _args: Args, text: str) -> bool:
    pairs = {"ja": ("「」",), "fr": ('""', "«»", "“”"), "es": ('""', "«»", "“”")}.get(c.language, ('""',))
    stripped = text.strip()
    return len(stripped) > 1 and f"{stripped[0]}{stripped[-1]}" in pairs


def _two_responses(_c: Constraint, _args: Args, text: str) -> bool:
    parts = text.split("******")
    filled = [part.strip() for part in parts if part.strip()]
    inner_empty = any(not part.strip() for part in parts[1:-1])
    return not inner_empty and len(filled) == 2 and filled[0] != filled[1]


def _repeat(_c: Constraint, args: Args, text: str) -> bool:
    return _plain(text).startswith(_plain(str(args["prompt_to_repeat"])))


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).lstrip("\"'“「 ")


def _furigana(_c: Constraint, _args: Args, text: str) -> bool:
    return len(re.findall(r"[\u4e00-\u9faf]+", text)) == len(
        re.findall(r"[\u4e00-\u9faf]+（[ぁ-んー]+）", text)
    )


def _only(low: str, high: str, extra: str) -> Check:
    def kept(_: Constraint, __: Args, text: str) -> bool:
        return all(low <= char <= high or char in extra or not char.isalpha() for char in text)

    return kept


def _none_of(pattern: str) -> Check:
    compiled = re.compile(pattern)

    def kept(_: Constraint, __: Args, text: str) -> bool:
        return compiled.search(text) is None

    return kept


def _unified_end(_c: Constraint, args: Args, text: str) -> bool:
    plain = re.sub(r"「[^」]*」|『[^』]*』", "", text)
    sentences = [s.strip() for s in re.split(r"[。！？]", plain) if s.strip()]
    return all(sentence.endswith(str(args["ending"])) for sentence in sentences)


def _accented(_c: Constraint, args: Args, text: str) -> bool:
    return _within(counting.words_with(text, "áéíóúÁÉÍÓÚ"), args["num_words"], args["relation"])


def _marked_words(letters: str) -> Check:
    def kept(_: Constraint, args: Args, text: str) -> bool:
        return counting.words_with(text, letters) >= int(args["let_frequency"])

    return kept


def _no_char(_c: Constraint, args: Args, text: str) -> bool:
    return str(args["forbidden_char"]).casefold() not in text.casefold()


_CHECKS: dict[str, Check] = {
    "length_constraints:number_words": _words,
    "length_constraints:number_sentences": _sentences,
    "length_constraints:number_letters": _characters,
    "length_constraints:number_paragraphs": _paragraphs,
    "length_constraints:nth_paragraph_first_word": _nth_paragraph,
    "length_constraints:one_word": _one_word,
    "detectable_format:number_bullet_lists": _bullets,
    "detectable_format:number_numbered_lists": _numbered,
    "detectable_format:number_highlighted_sections": _highlights,
    "detectable_format:multiple_sections": _sections,
    "detectable_format:title": _title,
    "detectable_format:json_format": _json,
    "detectable_format:constrained_response": _constrained,
    "detectable_format:yes_no": _yes_no,
    "detectable_content:number_placeholders": _placeholders,
    "detectable_content:postscript": _postscript,
    "detectable_content:no_digits": _none_of(r"\d"),
    "keywords:existence": _existence,
    "keywords:forbidden_words": _forbidden,
    "keywords:frequency": _frequency,
    "keywords:letter_frequency": _letter,
    "language:response_language": _language,
    "change_case:capital": _capital,
    "change_case:lowercase": _lowercase,
    "change_case:capital_word_frequency": _capital_words,
    "punctuation:no_comma": _no_comma,
    "punctuation:no_period": _no_period,
    "startend:end_checker": _end,
    "startend:start_checker": _start,
    "startend:quotation": _quotation,
    "startend:sentence_unified_end": _unified_end,
    "combination:two_responses": _two_responses,
    "combination:repeat_prompt": _repeat,
    "letters:furigana": _furigana,
    "letters:hiragana_only": _only("ぁ", "ん", "ー"),
    "letters:katakana_only": _only("ァ", "ン", "ー・"),
    "letters:no_hiragana": _none_of(r"[ぁ-ゖ]"),
    "letters:no_katakana": _none_of(r"[ァ-ヺｦ-ﾟ]"),
    "letters:kansuuji": _none_of(r"\d"),
    "special_character:tildes": _accented,
    "special_character:enie": _marked_words("ñÑ"),
    "special_character:dieresis": _marked_words("üÜ"),
    "special_character:ethel_or_cedilla": _no_char,
    "special_character:no_accents": _none_of(r"[àâäáãåéèêëíìîïóòôöõúùûüýÿñÀÂÄÁÃÅÉÈÊËÍÌÎÏÓÒÔÖÕÚÙÛÜÝŸÑ]"),
}
