"""What a request asks for, as far as it can be checked: decided from the request, never an answer.

Instructions stand at either end of a prompt, so long prompts are read there only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

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
    re.IGNORECASE,
)
_JSON_CODE = re.compile(
    r"\b(?:function|script|program|class|method|code)\b[^.\n]{0,60}\bjson\b", re.IGNORECASE
)
_OPTION = re.compile(r"^[ \t]*[(\[]?([A-Ja-j])[)\].:]{1,2}\.?[ \t]+(\S.*)$", re.MULTILINE)
_NUMBERED = re.compile(r"^[ \t]*[(\[]?([1-9])[)\].:][ \t]+(\S.*)$", re.MULTILINE)
_PICK = re.compile(
    r"\b(?:which|choose|pick|select|best|correct|option|choice|answer|elige|opción|choisi\w*|wähle\w*|auswahl)\b"
    r"|[選选]",
    re.IGNORECASE,
)
_YES_NO = re.compile(
    r"\byes\b.{0,12}\bno\b|\bno\b.{0,6}\byes\b|\boui\b.{0,12}\bnon\b|\bsí\b.{0,12}\bno\b|\bsim\b.{0,12}\bnão\b"
    r"|\bja\b.{0,12}\bnein\b|\bда\b.{0,12}\bнет\b|はい.{0,10}いいえ|हाँ.{0,10}नहीं|是.{0,4}否|\btrue or false\b",
    re.IGNORECASE,
)
_LABELS = re.compile(
    r"\b(?:classif\w+|categori[sz]e\w*|label\w*|one of(?: the following)?|either|answer with|respond with|reply with"
    r"|clasifica\w*|classe[rz]?|klassifizier\w*)\b[^.\n:]{0,60}?(?:\bas\b|\bof\b|:|\bwith\b|\binto\b|\bcomo\b|\bals\b)\s*"
    r"(?P<list>[^.\n;]{3,160})",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"[\"'“‘«「\[(]([^\"'”’»」\])\n]{1,40})[\"'”’»」\])]")
_SEPARATED = re.compile(r"\s*(?:,|/|\||\bor\b|\band\b|\bo\b|\bou\b|\boder\b)\s*")
_MARKER_ASKED = re.compile(
    r"####|\\boxed|\bfinal (?:number|numeric|numerical)\b|\bnumber only\b|\bonly the number\b", re.IGNORECASE
)
_HOW_MANY = re.compile(
    r"\bhow (?:many|much|old|far|long|tall|fast|often)\b|\bwhat (?:is|was|are|will be) (?:the|his|her|their) "
    r"(?:\w+ ){0,2}(?:total|sum|product|average|mean|number|percentage|probability|difference|cost|price|profit|area|value)\b"
    r"|\b(?:calculate|compute|solve)\b|\bwie (?:viele?|oft|lange|alt|hoch)\b|\bcombien\b|\bcuánt[oa]s?\b|\bquant[oaie]s?\b"
    r"|\bсколько\b|\bngapi\b|何|いくつ|いくら|多少|几|กี่|เท่าไ|কত|ఎన్ని|ఎంత|कितन",
    re.IGNORECASE,
)
_QUANTITY = re.compile(
    r"\d+(?:[.,]\d+)*|\b(?:two|three|four|five|six|seven|eight|nine|ten|dozen|half|twice|double|triple)\b",
    re.IGNORECASE,
)
_SHORT = re.compile(
    r"\b(?:answer|reply|respond|response|give|write|return|output)\b[^.\n]{0,40}?"
    r"(?:\bonly\b|\bjust\b|\bshort (?:fact|answer|phrase)\b|\b(?:one|a single|single) (?:word|letter|number|name|sentence)\b)"
    r"|\bone[- ]word answer\b|\bin (?:one|a single) word\b|\bin (?:two|three) words\b"
    r"|\b(?:date|name|number|letter|word|value|phrase|city|year|answer) only\b",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"```|\b(?:write|complete|implement|generate|create|fix|give me|provide|solve)\b[^\n]{0,80}?"
    r"\b(?:code|function|class|script|program|query|method|regex|algorithm)\b|\bdef \w+\(",
    re.IGNORECASE,
)


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


@lru_cache(maxsize=512)
def _question(system: str, prompt: str) -> Question:
    text = edges(f"{system}\n{prompt}" if system else prompt)
    json = asks_json(text)
    code = not json and bool(_CODE.search(text))
    kind, options = _kind(text)
    return Question(kind, options, json, code)


def asks_json(text: str) -> bool:
    """Whether words or a template ask for JSON; a request for code that handles JSON does not."""
    if "json" not in text and "JSON" not in text and "Json" not in text:
        return False
    return bool(_JSON_ASKED.search(text)) and not _JSON_CODE.search(text)


def _kind(text: str) -> tuple[Kind, tuple[tuple[str, str], ...]]:
    options = enumerated(text)
    if options:
        return "choice", options
    if _YES_NO.search(text):
        return "yesno", ()
    labels = offered_labels(text)
    if labels:
        return "label", labels
    if _asks_number(text):
        return "number", ()
    return ("short", ()) if _SHORT.search(text) else ("open", ())


def _asks_number(text: str) -> bool:
    if _MARKER_ASKED.search(text):
        return True
    return bool(_HOW_MANY.search(text)) and len(_QUANTITY.findall(text)) >= 2


def enumerated(text: str) -> tuple[tuple[str, str], ...]:
    """Lettered options A, B, … in order; numbered ones only where the text asks to pick."""
    options = _consecutive(_OPTION.findall(text), "A")
    if not options and _PICK.search(text):
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
        words = match["list"]
        quoted = _QUOTED.findall(words)
        items = quoted if len(quoted) >= 2 else _SEPARATED.split(words.strip(" :"))
        clean = [item.strip(" \"'.()[]") for item in items]
        if 2 <= len(clean) <= 12 and all(1 <= len(i) <= 30 and len(i.split()) <= 3 for i in clean):
            return tuple((item.casefold(), item) for item in clean)
    return ()
