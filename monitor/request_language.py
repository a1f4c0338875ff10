"""Which language a request is in, and which language its answer should be in.

The last user message decides. Code, links and quotations are no language of the user's; a short
English line that tells the model how to answer ("Answer with one letter only.") is no content
either, when content in another language stands beside it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from monitor import languages, scripts
from monitor.excerpts import excerpt
from monitor.lexicons.language_names import LANGUAGE_NAMES, LATIN_NAMES, NAME_MARKS, PHRASES

_EXAMINED: Final = 4_096
_LEAST_LETTERS: Final = 8
# Below this an unsure detector names any language, and each would become a segment of its own.
_ENOUGH_LETTERS: Final = 10
_INSTRUCTION_LETTERS: Final = 240

_WORD: Final = re.compile(r"[^\W\d_]+")
_NOT_PROSE: Final = re.compile(
    r"<think>.*?(?:</think>|\Z)"  # reasoning that the server left in the text
    r"|```.*?(?:```|\Z)"  # fenced code
    r"|`[^`\n]{1,200}`"
    r"|https?://\S{1,500}"
    r"|<[^<>\n]{1,200}>"
    r"|\$\$?[^$\n]{1,200}\$"  # LaTeX
    r"|\\[a-zA-Z]{2,20}",
    re.DOTALL,
)
_TELLS_HOW: Final = re.compile(
    r"\s*[(\[*#-]*\s*(?:please|now|then|and|first|reason|think|answer|reply|respond|return|output|give|provide|"
    r"rewrite|translate|summari[sz]e|paraphrase|explain|write|use|put|show|let's|solve|classify|extract|"
    r"complete|continue|simplify|question|instruction|do not|don't|only|your|you are|the (?:following|last))\b",
    re.IGNORECASE,
)


def prose(text: str) -> str:
    """The text without code, links, markup and formulas."""
    marked = any(mark in text for mark in ("`", "<", "$", "\\", "://"))
    return _NOT_PROSE.sub(" ", text) if marked else text


@lru_cache(maxsize=64)
def _content(text: str) -> str:
    lines = [line for line in prose(text).splitlines() if any(map(str.isalpha, line))]
    if len(lines) < 2:
        return "\n".join(lines)
    content = [line for line in lines if not _is_instruction(line)]
    if sum(scripts.letters("\n".join(content)).values()) < _LEAST_LETTERS:
        content = lines
    return "\n".join(content)


def _is_instruction(line: str) -> bool:
    return line.isascii() and len(line) <= _INSTRUCTION_LETTERS and _TELLS_HOW.match(line) is not None


def content(prompt: str) -> str:
    """What of a prompt decides its language: prose, without lines that only tell how to answer."""
    return _content(excerpt(prompt, _EXAMINED))


def language(prompt: str) -> str:
    """ISO 639 code of the prompt's language, `unknown` for code, numbers and doubtful short texts."""
    text = content(prompt)
    found = languages.detect(text)
    enough = (
        sum(scripts.letters(text).values()) >= _ENOUGH_LETTERS or scripts.script(text) in languages.SINGLE
    )
    return found.language if found.reliable or enough else languages.UNKNOWN


def script(prompt: str) -> str:
    """Dominant writing system of the prompt's content, `unknown` without letters."""
    return scripts.script(content(prompt))


@lru_cache(maxsize=64)
def _asked(text: str) -> str | None:
    lowered = text.lower()
    if LATIN_NAMES.isdisjoint(_WORD.findall(lowered)) and not any(mark in lowered for mark in NAME_MARKS):
        return None
    for phrase in PHRASES:
        for match in phrase.finditer(lowered):
            code = LANGUAGE_NAMES.get(match["name"])
            if code is not None:
                return code
    return None


def asked(prompt: str) -> str | None:
    """The language that the prompt asks the answer to be in ("Reply in Korean"), if it says so."""
    return _asked(excerpt(prompt, _EXAMINED))
