"""Does a text parse as code? Python by `ast`, other languages by their tree-sitter grammars.

A language without a grammar gives None ("not known"), never a guess by counting brackets.
"""

from __future__ import annotations

import ast
import importlib
import json
import re
import textwrap
import warnings
from functools import lru_cache

import tree_sitter

_LIMIT = 40_000

_NAMES = {
    "py": "python", "python3": "python", "js": "javascript", "jsx": "javascript", "node": "javascript",
    "ts": "typescript", "golang": "go", "c++": "cpp", "cc": "cpp", "hpp": "cpp", "h": "c", "rs": "rust",
    "sh": "bash", "shell": "bash", "zsh": "bash",
}  # fmt: skip
# language → (module of its wheel, function that gives the grammar)
_GRAMMARS = {
    "javascript": ("tree_sitter_javascript", "language"),
    "typescript": ("tree_sitter_typescript", "language_typescript"),
    "tsx": ("tree_sitter_typescript", "language_tsx"),
    "go": ("tree_sitter_go", "language"),
    "java": ("tree_sitter_java", "language"),
    "c": ("tree_sitter_c", "language"),
    "cpp": ("tree_sitter_cpp", "language"),
    "rust": ("tree_sitter_rust", "language"),
    "bash": ("tree_sitter_bash", "language"),
}  # fmt: skip
_MAGIC = re.compile(r"^\s*[%!][^\n]*$", re.MULTILINE)


def canonical(label: str) -> str:
    """A fence label or file ending as the name of a language."""
    label = label.lower().lstrip(".")
    return _NAMES.get(label, label)


@lru_cache(maxsize=64)
def parses(code: str, language: str) -> bool | None:
    """Whether `code` is syntactically whole; None for unknown languages and oversized or empty texts."""
    language = canonical(language)
    if not code.strip() or len(code) > _LIMIT:
        return None
    if language == "python":
        return _python(code)
    if language == "json":
        return _json(code)
    if language in _GRAMMARS:
        return not _parser(language).parse(code.encode("utf-8", "replace")).root_node.has_error
    return None


@lru_cache(maxsize=64)
def python_tree(code: str) -> ast.Module | None:
    """The syntax tree of Python code (fragments are dedented, notebook magics dropped), or None."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(textwrap.dedent(_MAGIC.sub("", code)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _python(code: str) -> bool | None:
    if code.lstrip().startswith(">>>"):
        # an interpreter session is a transcript, not a program
        return None
    return python_tree(code) is not None


def _json(code: str) -> bool:
    try:
        json.loads(code)
    except (ValueError, RecursionError):
        return False
    return True


@lru_cache(maxsize=16)
def _parser(language: str) -> tree_sitter.Parser:
    module, function = _GRAMMARS[language]
    grammar = getattr(importlib.import_module(module), function)()
    return tree_sitter.Parser(tree_sitter.Language(grammar))
