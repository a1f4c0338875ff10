"""The key of an answer: what is left of it once reasoning and wrapping are taken away.

Two answers agree when their keys do ("Accuracy is Not All You Need", arXiv 2407.09141, calls a
changed key a flip). Keys are found by explicit markers first (`####`, `\\boxed`, "the answer is",
an `answer` field of JSON, also of broken JSON), then by the kind of question.
"""

from __future__ import annotations

import ast
import re
import unicodedata
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from monitor.scorers.jsontext import find_json
from monitor.scorers.numerals import TAIL, Number, last_number, same_number, whole_number
from monitor.scorers.questions import Question
from monitor.scorers.similarity import words

KeyKind = Literal["number", "choice", "yesno", "label", "literal", "text", "phrase"]


@dataclass(frozen=True, slots=True)
class Key:
    """`value` is normalised for comparison; `raw` is the text in the answer that it was read from."""

    kind: KeyKind
    value: str
    raw: str
    number: Number | None = None
    quoted: str | None = None
    """The exact string where the answer is a quoted literal, in which case and spaces count."""


ANSWER_FIELDS = frozenset(
    {"answer", "final_answer", "finalanswer", "final answer", "result", "prediction", "verdict", "choice"}
)
PROSE_FIELDS = frozenset(
    {"reasoning", "reason", "explanation", "thought", "thoughts", "rationale", "steps", "analysis", "comment", "comments",
     "justification", "confidence", "summary", "description", "notes", "thinking", "chain_of_thought", "solution_steps"}
)  # fmt: skip

# GSM8K's mark; a Markdown heading of level four is neither a bare number nor the last line
_HASHES = re.compile(
    r"####[ \t]*(\W{0,4}\d[\d.,٫٬ \u00a0/]*\W{0,4})$|####[ \t]*([^\n]{1,60})\Z", re.MULTILINE
)
# For lower-cased text: matching without case costs three times as much.
_ANSWER_IS = re.compile(
    r"(?:\b(?:(?:final|correct|right|best)?(?:answer|option|choice|result)\b\s*(?:is|are|:|would be|should be|=)|answer\*\*:?"
    r"|respuesta(?: final| correcta)?\s*(?:es|:)|réponse(?: finale| correcte)?\s*(?:est|:)|antwort\s*(?:ist|lautet|:)"
    r"|resposta(?: final)?\s*(?:é|:)|jibu\s*(?:ni|:)|risposta\s*(?:è|:)|cevap\s*:|jawaban(?:nya)?\s*(?:adalah|:))"
    r"|^a:|(?:答え|答案|正解|回答)\s*(?:は|是|:|：)|ответ\s*(?:—|:|-)|답(?:은|:)"
    r"|उत्तर\s*(?:है|:)|الجواب\s*(?:هو|:)|đáp án\s*(?:là|:))"
    r"\**[\s:]{0,3}(?P<rest>[^\n]{1,160})",
    re.MULTILINE,
)
# without one of these the pattern cannot match: it costs a millisecond on a long answer
_ANSWER_CUES = (
    "answer", "option", "choice", "result", "a:", "respuesta", "réponse", "antwort", "resposta", "答え", "答案", "正解", "回答",
    "ответ", "jibu", "답", "उत्तर", "الجواب", "risposta", "cevap", "đáp án", "jawaban",
)  # fmt: skip
_TAG = re.compile(r"<((?:final[ _]?)?answer)>\s*(?P<rest>[^<]{1,200}?)\s*</\1>", re.IGNORECASE)
_FIELD = re.compile(
    r"[\"'](?:final_?\s?answer|answer|result)[\"']\s*:\s*(?P<rest>.{1,400})", re.IGNORECASE | re.DOTALL
)
_EMPHASIS = re.compile(r"`([^`\n]{1,200})`|\*\*([^*\n]{1,200})\*\*")
_CONFIDENCE = re.compile(
    r"^\W*(?:my |stated )?(?:confidence|konfidenz|confianza|confiance|確信度|自信度|置信度|信心)\b.*$",
    re.I | re.M,
)
_SENTENCE_END = re.compile(r"\.\s|;\s|。")
_BOXED = "\\boxed"
_WORD = re.compile(r"\w+")
_PUNCTUATION = " \t\r\n.,;:!?。、！？｡*_`\"'“”‘’«»「」$"
_ARTICLES = re.compile(r"\b(?:the|a|an|el|la|los|las|le|les|un|une|una|der|die|das|ein|eine)\b\s*")


def normalised(text: str) -> str:
    """NFKC, casefold, one space, no punctuation around."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return " ".join(text.casefold().split()).strip(_PUNCTUATION)


def boxed(text: str) -> str | None:
    r"""The inside of the last `\boxed{…}` (braces may nest), or of `\boxed 5`."""
    at = text.rfind(_BOXED)
    if at < 0:
        return None
    rest = text[at + len(_BOXED) : at + len(_BOXED) + 300].lstrip()
    if not rest.startswith("{"):
        return rest.split(maxsplit=1)[0].strip(_PUNCTUATION) if rest.strip() else None
    depth = 0
    for index, char in enumerate(rest):
        depth += (char == "{") - (char == "}")
        if depth == 0:
            return _untexed(rest[1:index])
    return _untexed(rest[1:].splitlines()[0]) if rest[1:].strip() else None


def _untexed(text: str) -> str:
    text = re.sub(r"\\(?:text|mathrm|mathbf|textbf)\s?\{([^{}]*)\}", r"\1", text)
    return (
        text.replace("\\!", "")
        .replace("\\,", "")
        .replace("{,}", ",")
        .replace("\\_", "_")
        .replace("\\$", "$")
        .strip()
    )


def marked(text: str) -> str | None:
    """The text after the last explicit marker of a final answer, or None."""
    hashes = _HASHES.findall(text[-4000:].rstrip()) if "####" in text else []
    if hashes:
        return str(hashes[-1][0] or hashes[-1][1])
    box = boxed(text)
    if box is not None:
        return box
    tags = list(_TAG.finditer(text[-4000:])) if "</" in text else []
    if tags:
        return str(tags[-1]["rest"])
    tail = text[-4000:]
    # the one letter whose lower case is longer: what is found must stand at the same place in the answer
    small = tail.replace("İ", "i").lower()
    found = list(_ANSWER_IS.finditer(small)) if any(map(small.__contains__, _ANSWER_CUES)) else []
    return tail[slice(*found[-1].span("rest"))] if found else None


def answer_field(value: Any) -> str | None:
    """The one answer-like field of a JSON object whose other fields are prose, as text."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict):
        return None
    names = [name for name in value if str(name).strip().casefold() in ANSWER_FIELDS]
    others = [name for name in value if name not in names]
    if len(names) != 1 or not all(is_prose(str(name), value[name]) for name in others):
        return None
    inner = value[names[0]]
    return inner if isinstance(inner, str) else repr(inner)


def is_prose(name: str, value: Any) -> bool:
    """A field nobody compares: named as reasoning, or a string of eight words or more."""
    plain = name.rpartition(".")[2].strip().casefold()
    return plain in PROSE_FIELDS or (isinstance(value, str) and len(value) > 24 and len(words(value)) >= 8)


def field_text(text: str) -> str | None:
    """The answer field of an answer, through a broken JSON envelope too."""
    found = find_json(text)
    inner = answer_field(found.value) if found.envelope != "none" else None
    if inner is not None:
        return inner
    fields = list(_FIELD.finditer(text[-4000:]))
    return _broken_field(fields[-1]["rest"]) if fields else None


def _broken_field(rest: str) -> str:
    """A field's value up to where its string or object ends, without a JSON parser's help."""
    rest = rest.strip()
    if rest[:1] == '"':
        end = re.search(r"(?<!\\)\"\s*(?:[,}\n]|\Z)", rest[1:])
        return rest[1 : end.start() + 1] if end else rest[1:].split("\n", 1)[0]
    return re.split(r"\s*(?:\n|[}](?!.*[}]))", rest, maxsplit=1)[0].rstrip(", ")


@lru_cache(maxsize=64)
def key_of(question: Question, text: str) -> Key | None:
    """The key of one answer under a question, or None where it gives none."""
    if question.json:
        inner = field_text(text)
        if inner is not None:
            return final_key(question, inner, whole=True)
    return final_key(question, text)


def final_key(question: Question, text: str, *, whole: bool = False) -> Key | None:
    """The key by kind of question; `whole` says that the text is nothing but the final answer."""
    if question.kind in {"choice", "label"}:
        return (choice if question.kind == "choice" else offered)(text, question.options)
    if question.kind == "yesno":
        return yes_or_no(text)
    number = _number_key(text) if question.kind == "number" else None
    if number or whole or question.kind == "number":
        return number or (literal(text) if whole else None)
    return _short(text) if question.kind == "short" else _marked_key(question, text)


def _marked_key(question: Question, text: str) -> Key | None:
    """An open question has a key only by a mark that nothing else uses; prose says "the best option is" a lot."""
    if question.json:
        found = marked(text)
        return literal(found) if found else _emphasised(text)
    explicit = marked(text) if "####" in text or _BOXED in text else None
    return literal(explicit) if explicit else None


def _number_key(text: str) -> Key | None:
    if "onfiden" in text or "信" in text:
        text = _CONFIDENCE.sub("", text)
    found = marked(text)
    # "the answer is 5 + 3 = 8. I used 2 steps": the last number of the marked sentence
    number = (last_number(_SENTENCE_END.split(found, 1)[0]) if found else None) or last_number(text)
    return Key("number", str(number.value), number.raw, number) if number else None


def _emphasised(text: str) -> Key | None:
    """Last resort for an answer whose JSON envelope is lost: its last code span or bold words."""
    spans = _EMPHASIS.findall(text[-TAIL:])
    return literal(spans[-1][0] or spans[-1][1]) if spans else None


def literal(text: str) -> Key | None:
    """A number, a Python or JSON literal, else normalised text."""
    text = _untexed(boxed(text) or text).strip().strip("`*").strip()
    if len(text) > 2000:
        return None
    evaluated = _evaluated(text)
    if isinstance(evaluated, str):
        return Key(
            "text",
            normalised(evaluated) or evaluated.strip(),
            text,
            whole_number(evaluated),
            quoted=evaluated,
        )
    if isinstance(evaluated, tuple | list | dict | set | bytes):
        return Key("literal", repr(evaluated), text)
    number = whole_number(text)
    if number is not None:
        return Key("number", str(number.value), text, number)
    return Key("text", normalised(text) or text.strip(), text)


def _evaluated(text: str) -> Any:
    if not text or text[0] not in "[({'\"b" or len(text) > 1000:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return None


def _short(text: str) -> Key | None:
    """A short fact: the marked answer, or the first line where the answer is that short."""
    found = marked(text)
    first = found or next((line for line in text.strip().splitlines() if line.strip()), "")
    plain = normalised(first)
    if not plain or len(plain.split()) > 12:
        return None
    number = whole_number(first)
    return Key("number" if number else "phrase", _ARTICLES.sub("", plain) or plain, first.strip(), number)


_LETTER_START = re.compile(r"^\W{0,4}([A-J1-9])(?:[)\].:]|\*\*|\s*$|\s+[-–—]\s)")
_LETTER_ALONE = re.compile(r"^\W*(?:option|choice|answer)?\W*([A-Ja-j1-9])\W*$", re.IGNORECASE)
_LETTER_MARKED = re.compile(r"(?:\(|\*\*|\[|「|『|\"|“)\s?([A-J1-9])\s?(?:\)|\.|\*\*|\]|:)")
_LETTER_REST = re.compile(r"^\W{0,6}(?:option\s|choice\s)?\W{0,3}([A-J1-9])(?![A-Za-z0-9_'])", re.IGNORECASE)
# "I would choose B", "B is correct"; the article "A" and the pronoun "I" are no letters before a word
_CHOSEN = r"(?:([B-HJ1-9])(?![A-Za-z0-9_'])|([AI])(?![A-Za-z0-9_']|\s[a-z]))"
_LETTER_CHOSEN = re.compile(
    rf"(?:\b(?i:choose|pick|select|go with|it's|it is|wähle|choisis|elijo|escolho|scelgo|выбираю)\s(?:(?i:option|answer)\s)?|[选選])[(\"'*“「]{{0,3}}{_CHOSEN}"
    r"|^\W*([A-J]) (?:is|would be|seems|est|es|ist|é) (?:the |la |die )?(?:correct|right|best|answer|richtig|bonne|correcta|correta)"
)


def choice(text: str, options: tuple[tuple[str, str], ...]) -> Key | None:
    """The letter of the option an answer settles on: marker, leading letter, last mention, its words."""
    letters = {letter for letter, _ in options}
    found = marked(text)
    patterns = ((_LETTER_REST, found), (_LETTER_ALONE, text), (_LETTER_START, text.lstrip()))
    for pattern, where in patterns:
        match = pattern.search(where[:400]) if where else None
        if match and match[1].upper() in letters:
            return Key("choice", match[1].upper(), match[1])
    chosen = _LETTER_CHOSEN.search(text[:400]) or _LETTER_CHOSEN.search(text[-TAIL:])
    letter = next((group for group in chosen.groups() if group), "") if chosen else ""
    if letter in letters:
        return Key("choice", letter, letter)
    by_words = _by_words(found or text[:400], options)
    if by_words:
        return Key("choice", by_words, by_words)
    mentions = [m for m in _LETTER_MARKED.findall(text[-TAIL:]) if m in letters]
    if mentions:
        return Key("choice", mentions[-1], mentions[-1])
    return None


def _by_words(text: str, options: tuple[tuple[str, str], ...]) -> str | None:
    """The one option whose words the text contains."""
    plain = normalised(text)
    hits = [letter for letter, words in options if _telling(words) and normalised(words) in plain]
    return hits[0] if len(hits) == 1 else None


def _telling(words: str) -> bool:
    """Long enough to be found by chance in no answer; one sign of a script without spaces is a word."""
    return len(words) > 2 or (len(words) > 1 and not words.isascii())


_YES = "yes|oui|sí|si|sim|ja|да|はい|是|हाँ|true"
_NO = "no|non|nein|não|нет|いいえ|否|不是|नहीं|false"
_BRACKETED = re.compile(rf"[\[(\"'“{{*]{{1,2}}\s?({_YES}|{_NO})\s?[.!]?[\])\"'”}}*]{{1,2}}", re.IGNORECASE)
_YES_NO_WORD = re.compile(rf"(?<!\w)({_YES}|{_NO})(?!\w)", re.IGNORECASE)
_NO_WORDS = frozenset(_NO.split("|"))


def yes_or_no(text: str) -> Key | None:
    """Yes or no: the last bracketed word, what follows a marker, the first word, the last line."""
    bracketed = _BRACKETED.findall(text[-TAIL:]) or _BRACKETED.findall(text[:TAIL])
    if bracketed:
        return _polarity(bracketed[-1])
    found = marked(text)
    word = _YES_NO_WORD.search(found[:40]) if found else None
    word = word or _YES_NO_WORD.match(text.lstrip(" \t\n*_#\"'("))
    if word is None:
        lines = [line for line in text[-TAIL:].splitlines() if line.strip()]
        words = _YES_NO_WORD.findall(lines[-1]) if lines and len(lines[-1].split()) <= 6 else []
        return _polarity(words[-1]) if words else None
    return _polarity(word[1])


def _polarity(word: str) -> Key:
    return Key("yesno", "no" if word.casefold() in _NO_WORDS else "yes", word)


def offered(text: str, labels: tuple[tuple[str, str], ...]) -> Key | None:
    """The one offered label of an answer: after a marker, as the whole first or last line, or alone."""
    lines = [line for line in text.splitlines() if line.strip()]
    places = [marked(text) or "", *(lines[:1] + lines[-1:]), text[:2000]]
    for place in places:
        plain = _spaced(place)
        hits = {label: words for label, words in labels if _spaced(label) in plain}
        if len(hits) == 1:
            label, words = next(iter(hits.items()))
            return Key("label", label, words)
    return None


def _spaced(text: str) -> str:
    return f" {' '.join(_WORD.findall(text.casefold()))} "


def same_key(a: Key, b: Key) -> bool:
    """Numbers by value, the rest by normalised text; a short fact that only adds words is the same."""
    if a.quoted is not None and b.quoted is not None:
        return a.quoted == b.quoted
    if a.number is not None and b.number is not None:
        return same_number(a.number, b.number)
    if a.value == b.value:
        return True
    if a.kind == b.kind == "phrase" and min(len(a.value), len(b.value)) >= 3:
        return f" {a.value} " in f" {b.value} " or f" {b.value} " in f" {a.value} "
    return False
