"""What a request asks for, as far as it can be checked: decided from the request, never an answer.

Instructions stand at either end of a prompt, so long prompts are read there only. Patterns that only say
yes or no are for lower-cased text: matching without case costs three times as much.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from monitor.arithmetic import asks_arithmetic
from monitor.records import Request

_EDGE = 3_000
Kind = Literal["choice", "yesno", "label", "number", "short", "open"]


@dataclass(frozen=True, slots=True)
class Question:
    """`kind` of the final answer; `options` are (letter or label, text) pairs; `json`, `code` the wrapping."""

    kind: Kind
    options: tuple[tuple[str, str], ...] = ()
    json: bool = False
    code: bool = False


_JSON_ASKED = re.compile(
    r"```json\s*[\[{]"
    r"|\b(?:in|as|into|to|using|valid|only|following|return|returns|output|produce|with|a|an|strict|en|als|au|formato|format|gültiges)"
    r"\s+(?:[\w-]+\s+){0,3}json\b(?!\s*(?:file|files|parser|library|api|schema\s+to|web\s+token|to\b|stack\b|path\b))"
    r"|\bjson[\s-]+(?:format|object|array|only|output|response|code block|string|document)\b"
    r"|json\s*(?:形式|フォーマット|で|格式|对象|を)"
    r"|\b(?:only|nur|solo|uniquement|seulement)\s+json\b",
)
_JSON_CODE = re.compile(
    r"\b(?:function|script|program|class|method|code)\b[^.\n]{0,60}\bjson\b",
)
_OPTION = re.compile(
    r"^[ \t]*[(\[（]?([A-Ja-j])(?:[)\].:）]{1,2}\.?[ \t]+|[、．）：]\s?)(\S.*)$", re.MULTILINE
)
_INLINE = re.compile(
    r"[(\[]([A-Ja-j])[)\]]\s*([^()\[\]\n]{1,80}?)\s*(?=[(\[][A-Ja-j][)\]]|[.?\n]|$)", re.MULTILINE
)
# a question, then lettered lines
_ASKED = re.compile(r"[?？][\s*_]{0,6}\n\s*[(\[（]?A[)\].:、．）]")
_NUMBERED = re.compile(r"^[ \t]*[(\[]?([1-9])[)\].:][ \t]+(\S.*)$", re.MULTILINE)
_PICK = re.compile(
    r"\b(?:which (?:one )?of|which (?:is|are|option|answer|statement)|choose|pick|select|correct|options?|multiple[- ]choice|one letter|answers?"
    r"|elige|opción|respuesta|choisi\w*|réponse|wähle\w*|auswahl|antwort)\b|[選选]|答[えを案]",
)
_YES_NO = re.compile(
    r"\b(?:yes\b.{0,12}\bno|no\b.{0,6}\byes|oui\b.{0,12}\bnon|sí\b.{0,12}\bno|sim\b.{0,12}\bnão|ja\b.{0,12}\bnein"
    r"|да\b.{0,12}\bнет|true or false)\b|はい.{0,10}いいえ|हाँ.{0,10}नहीं|是.{0,4}否",
)
_LABELS = re.compile(
    r"\b(?:classif\w+|categori[sz]e\w*|label\w*|one of the following|answer with|respond with|reply with"
    r"|clasifica\w*|classe[rz]?|klassifizier\w*)\b[^.\n:]{0,60}?(?:\bas\b|\bof\b|:|\bwith\b|\binto\b|\bcomo\b|\bals\b)\s*"
    r"(?P<list>[^.\n;]{3,160})",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"[\"'“‘«「\[(]([^\"'”’»」\])\n]{1,40})[\"'”’»」\])]")
_SEPARATED = re.compile(r"\s*(?:,|/|\||\bor\b|\band\b|\bo\b|\bou\b|\boder\b)\s*")
_MARKER_ASKED = re.compile(
    r"####|\\boxed|\b(?:final (?:number|numeric|numerical)|number only|only the number"
    r"|(?:as|with) (?:a|one|a single|just a) number\b(?! of)|numeric(?:al)? (?:answer|result|value))\b",
)
_HOW_MANY = re.compile(
    r"\b(?:how (?:many|much|old|far|long|tall|fast|big|heavy|often)"
    r"|what(?:'s|’s| is| was| are| will be)? (?:[\w'’]+ ){0,4}(?:total|sum|product|average|mean|number|count|percentage|percent|fraction"
    r"|probability|difference|cost|price|profit|salary|speed|age|grade|measure|area|perimeter|volume|value|distance|amount|rate|ratio)"
    r"|calculate|compute|solve|find the|wie (?:viele?|oft|lange|alt|hoch)|combien|cuánt[oa]s?|quant[oaie]s?|сколько|ngapi"
    r"|كم|چند|כמה|скільки|kaç|ne kadar|bao nhiêu|berapa|hoeveel|ile)\b|何(?:個|人|円|枚|本|歩|回|通り|年|日|時間|分|秒|[%％]|パーセント|メートル|歳|匹|台|冊|キロ)|いくつ|いくら"
    r"|多少|[几幾](?:[个個人元岁歲天次只隻本支张張])|กี่|เท่าไ|কত|ఎన్ని|ఎంత|कितन|몇|얼마|πόσ[αεο]|எத்தனை|எவ்வளவு|എത്ര|ಎಷ್ಟು|કેટલ|ਕਿੰਨ",
)
_OPEN_TASK = re.compile(
    r"\A\W*(?:(?:please|kindly|can you|could you|i want you to|i would like you to)\s+)?(?:re-?write|write|summari[sz]e|translate|create|generate"
    r"|extract|act as|allow me|design|draft|compose|imagine|tell me (?:a|about)|résum\w+|écri\w+|traduis\w*|escrib\w+|traduc\w+|resum\w+|schreib\w*|übersetz\w*)\b"
    r"|要約して|翻訳して|書いてください|作成してください|分析し|评价|总结",
)
_QUANTITY = re.compile(
    r"\d+(?:[.,]\d+)*|\b(?:two|three|four|five|six|seven|eight|nine|ten|dozen|half|twice|double|triple)\b",
)
_SHORT = re.compile(
    r"\b(?:answer|reply|respond|response|give|write|return|output)\b[^.\n]{0,30}?\b(?:only|just)(?: with)? (?:the|a|an|one|your)\b"
    r"|\bshort (?:fact|answer|phrase)\b|\bone[- ]word (?:answer|response)\b|\bin (?:one|a single|two|three) words?\b"
    r"|\b(?:date|name|number|letter|word|value|phrase|city|year|title) only\b",
)
_CODE = re.compile(
    r"\b(?:write|complete|implement|generate|create|fix|give|provide|solve|make|develop|convert|refactor|translate|single)\b[^\n]{0,80}?"
    r"\b(?:code|function|class|script|program|query|method|regex|algorithm|sql|bash|python)\b|\bdef \w+\(|\bclass \w+\(\w*\):",
)
_LONG = 2_500
_QUESTION_END = 800


def question_of(request: Request) -> Question:
    """The checkable question of a request; kind `open` where none is seen."""
    asked = request.body.get("response_format")
    structured = isinstance(asked, dict) and asked.get("type") in {"json_object", "json_schema"}
    question = _question(request.system, request.prompt)
    return (
        Question(question.kind, question.options, json=True) if structured and not question.json else question
    )


def edges(text: str, size: int = _EDGE) -> str:
    """Both ends of a long text."""
    return text if len(text) <= 2 * size else f"{text[:size]}\n{text[-size:]}"


@lru_cache(maxsize=64)
def _question(system: str, prompt: str) -> Question:
    text = edges(f"{system}\n{prompt}" if system else prompt)
    small = text.lower()
    json = asks_json(text)
    code = not json and bool(_CODE.search(small))
    kind, options = _kind(text, small)
    if code and kind != "choice":
        # numbers and labels in a programming task belong to its examples
        kind, options = "open", ()
    return Question(kind, options, json, code)


def asks_json(text: str) -> bool:
    """Whether words or a template ask for JSON; a request for code that handles JSON does not."""
    small = text.lower()
    return "json" in small and bool(_JSON_ASKED.search(small)) and not _JSON_CODE.search(small)


def _kind(text: str, small: str) -> tuple[Kind, tuple[tuple[str, str], ...]]:
    options = enumerated(text, small)
    if options:
        return "choice", options
    if _YES_NO.search(small):
        return "yesno", ()
    labels = offered_labels(text)
    if labels:
        return "label", labels
    if _MARKER_ASKED.search(small):
        return "number", ()
    if _SHORT.search(small):
        return "short", ()
    return ("number", ()) if _asks_number(text, small) else ("open", ())


def _asks_number(text: str, small: str) -> bool:
    """A word problem: "how many" and two quantities; of a long prompt only its end, where the question is."""
    if asks_arithmetic(text):
        return True
    question = small if len(small) <= _LONG else small[-_QUESTION_END:]
    if _OPEN_TASK.search(small[:400]) or not _HOW_MANY.search(question):
        return False
    return len(_QUANTITY.findall(question)) >= 2


def enumerated(text: str, small: str) -> tuple[tuple[str, str], ...]:
    """Lettered options A, B, … in order; numbered ones only where the text asks to pick."""
    asked, pick = _ASKED.search(text) is not None, _PICK.search(small) is not None
    if not asked and not pick:
        return ()
    options = _consecutive(_OPTION.findall(text), "A") or _consecutive(_INLINE.findall(text), "A")
    # two lettered lines may be anything
    if asked and len(options) < 3:
        options = options if pick else ()
    if not options:
        found = _consecutive(_NUMBERED.findall(text), "1")
        # a numbered list of facts or steps is not a menu
        options = (
            found if re.search(r"\b(?:option|number of the|which (?:one )?of)\b", text, re.IGNORECASE) else ()
        )
    return options


def _consecutive(found: list[tuple[str, str]], first: str) -> tuple[tuple[str, str], ...]:
    best: list[tuple[str, str]] = []
    run: list[tuple[str, str]] = []
    for letter, words in found:
        expected = chr(ord(first) + len(run))
        if letter.upper() == expected:
            run.append((letter.upper(), words.strip()[:200]))
        else:
            run = [(letter.upper(), words.strip()[:200])] if letter.upper() == first else []
        best = run if len(run) >= len(best) else best
    return tuple(best) if len(best) >= 2 else ()


def offered_labels(text: str) -> tuple[tuple[str, str], ...]:
    """Short labels that the text offers: `classify as positive, negative or neutral`."""
    for match in _LABELS.finditer(text):
        # the text to label may follow its labels after a colon
        for words in (match["list"], match["list"].partition(":")[0]):
            labels = _labels(words)
            if labels:
                return labels
    return ()


def _labels(words: str) -> tuple[tuple[str, str], ...]:
    quoted = _QUOTED.findall(words)
    items = quoted if len(quoted) >= 2 else _SEPARATED.split(words.strip(" :"))
    clean = [item.strip(" \"'.()[]") for item in items]
    short = all(1 <= len(i) <= 30 and len(i.split()) <= 3 for i in clean)
    return tuple((item.casefold(), item) for item in clean) if 2 <= len(clean) <= 12 and short else ()
