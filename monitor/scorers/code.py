"""`code`: the candidate's code does not parse where the baseline's does.

Wrapping is taken off first: an added fence is `format`. Languages come from the fence's label, else
from the request and the code itself; what no grammar knows is left out.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from monitor.records import Pair, Score
from monitor.scorers.fences import blocks
from monitor.scorers.languages import canonical, parses, python_tree
from monitor.scorers.questions import edges

_BARE_PYTHON = re.compile(
    r"\A\s*(?:from [\w.]+ import |import \w|def \w+\(|async def |class \w+[(:]|@\w+|if __name__|\"\"\")"
)
_BARE_CODE = re.compile(
    r"\A\s*(?:#include\b|package \w+|func \w+\(|function \w+\(|const \w+\s?=|let \w+\s?=|public (?:static|class)|fn \w+|use \w+::|#!/)"
)
_MENTIONED = re.compile(
    r"(?<![\w+#])(python|javascript|typescript|golang|go(?= (?:code|function|program))|java|c\+\+|rust|bash|shell script)(?![\w+#])",
    re.IGNORECASE,
)


def code(pair: Pair) -> Score | None:
    """Directional; 1 where a block of the candidate does not parse and all of the baseline's do."""
    if pair.baseline.error_type or pair.candidate.error_type:
        return None
    language = asked_language(pair.request.prompt)
    first, second = (
        broken_block(arm.text, language, cut=arm.finish_reason == "length")
        for arm in (pair.baseline, pair.candidate)
    )
    if first is None or second is None:
        return None
    value = 1.0 if second and not first else 0.0
    label = "does_not_parse" if value else ""
    words = f"{second} does not parse" if value else ""
    return Score("code", value, label, words, float(bool(first)), float(bool(second)))


@lru_cache(maxsize=64)
def asked_language(prompt: str) -> str:
    """The one programming language that a prompt names, else empty."""
    found = {canonical(name.lower().replace(" script", "")) for name in _MENTIONED.findall(edges(prompt))}
    return next(iter(found)) if len(found) == 1 else ""


@lru_cache(maxsize=64)
def broken_block(text: str, language: str = "", *, cut: bool = False) -> str | None:
    """Language of the first block that does not parse; empty where all do; None without known code.

    `cut`: the answer ran into its token limit. A block that is open there is not judged: that is `truncated`.
    """
    known = False
    for label, body in code_blocks(text, language, cut=cut):
        verdict = parses(body, label)
        if verdict is False:
            return canonical(label)
        known = known or verdict is True
    return "" if known else None


def code_blocks(text: str, language: str = "", *, cut: bool = False) -> list[tuple[str, str]]:
    """(language, code) of an answer: its fences, or the whole text where it is bare code."""
    fenced = blocks(text)
    if fenced:
        return [
            (b.language or _guess(b.body, language), b.body)
            for b in fenced
            if canonical(b.language) != "json" and (b.closed or not cut)
        ]
    return [(_guess(text, language), text)] if is_bare_code(text) and not cut else []


def is_bare_code(text: str) -> bool:
    """Whether an answer without fences is code from its first line on."""
    head = text[:200]
    return bool(_BARE_PYTHON.match(head) or _BARE_CODE.match(head))


def _guess(body: str, language: str) -> str:
    """Unlabelled code: Python by its first line, else what the request names."""
    if _BARE_PYTHON.match(body[:200]) and language in {"", "python"}:
        return "python"
    return language if is_bare_code(body) else ""


@lru_cache(maxsize=64)
def definitions(text: str) -> Mapping[str, str]:
    """`Class.function` → parameter names of the Python code in an answer; empty where none parses."""
    found: dict[str, str] = {}
    for label, body in code_blocks(text, "python"):
        tree = python_tree(body) if canonical(label) == "python" else None
        found.update(_defined(tree.body) if tree else ())
    return found


def _defined(statements: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, str]]:
    for node in statements:
        if isinstance(node, ast.ClassDef) and not prefix:
            yield from _defined(node.body, f"{node.name}.")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = node.args
            names = [a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
            yield f"{prefix}{node.name}", ", ".join(names)
