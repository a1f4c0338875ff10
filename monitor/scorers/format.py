"""`format`: the candidate loses the wrapping that was asked for, or adds one the consumer does not expect.

The answer inside may be right (then `answer` is silent): a parser downstream breaks all the same.
Measured on published outputs: a 405B model and its FP8 copy agree on 96 % of GSM8K, but the FP8
side loses its JSON envelope more often (28 against 16 of 1,319).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from monitor.records import Pair, Request, Score
from monitor.scorers.code import is_bare_code
from monitor.scorers.fences import blocks
from monitor.scorers.jsontext import Found, find_json
from monitor.scorers.questions import Question, edges, question_of
from monitor.scorers.tool_call import violation

_FENCE_ASKED = re.compile(
    r"\b(?:fenced|markdown) code block|\bin a code block|\bcode fence|(?:in|inside|between|with(?:in)?|using)[^.\n]{0,30}```",
    re.IGNORECASE,
)
_CODE_ONLY = re.compile(
    r"\bcode only\b|\b(?:only|just|nothing but) (?:the |your |python |raw )?code\b|\bcode (?:alone|without any)\b|\bno (?:markdown|code fence)",
    re.IGNORECASE,
)
_TEMPLATE = re.compile(r"```json\s*(\{.*?\})\s*```", re.DOTALL)
_TEMPLATE_KEY = re.compile(r"^\s*\"([\w -]{1,40})\"\s*:", re.MULTILINE)
_TABLE_ASKED = re.compile(
    r"\b(?:in|as|using|with|create|make|into) (?:a|the|one) (?:[\w-]+ ){0,2}table\b|\btabular form",
    re.IGNORECASE,
)
_TABLE = re.compile(r"^[ \t]*\|?[ \t]*:?-{2,}:?[ \t]*(?:\|[ \t]*:?-{2,}:?[ \t]*)+\|?[ \t]*$", re.MULTILINE)
_REASONS = {
    "lost_json": "lost JSON envelope",
    "added_fence": "added code fence",
    "added_prose": "prose around JSON",
    "missing_keys": "lost a JSON field",
    "schema": "violates the JSON schema",
    "lost_fence": "lost code fence",
    "lost_table": "lost table",
}


def format_(pair: Pair) -> Score | None:
    """Directional; 1 where the candidate breaks a wrapping that the baseline kept."""
    if pair.baseline.error_type or pair.candidate.error_type or not pair.candidate.text.strip():
        return None
    baseline, candidate = pair.baseline.text, pair.candidate.text
    if pair.baseline.tool_calls or pair.candidate.tool_calls:
        return None
    question = question_of(pair.request)
    if question.json:
        return _json(pair.request, baseline, candidate)
    return _fence(pair.request, question, baseline, candidate) or _table(pair.request, baseline, candidate)


def _broke(reason: str, detail: str = "") -> Score:
    words = f"{_REASONS[reason]}{f' {detail}' if detail else ''}"
    return Score("format", 1.0, reason, words, 0.0, 1.0)


def _kept(*, baseline: bool, candidate: bool) -> Score:
    """No loss; the measurements say whether that arm is at fault by itself."""
    return Score("format", 0.0, "", "", float(baseline), float(candidate))


def _json(request: Request, baseline: str, candidate: str) -> Score:
    first, second = find_json(baseline), find_json(candidate)
    if first.envelope == "none":
        return _kept(baseline=True, candidate=second.envelope == "none")
    if second.envelope == "none":
        return _broke("lost_json")
    if first.envelope == "bare" and second.envelope != "bare" and "```" not in edges(request.prompt):
        # a consumer that reads bare JSON fails on any wrapping, unless the request itself showed a fence
        return _broke("added_fence" if "```" in candidate else "added_prose")
    return _content(request, first, second)


def _content(request: Request, first: Found, second: Found) -> Score:
    """Keys of the template in the prompt, then the schema of `response_format`."""
    wanted = template_keys(request.prompt) or template_keys(request.system)
    lost = [key for key in wanted if _has(first.value, key) and not _has(second.value, key)]
    if lost:
        return _broke("missing_keys", lost[0])
    schema = response_schema(request)
    if schema is None:
        return _kept(baseline=False, candidate=False)
    broken, now = violation(first.value, schema), violation(second.value, schema)
    if now and not broken:
        return _broke("schema", f"({now[1]})")
    return _kept(baseline=bool(broken), candidate=bool(now))


def _has(value: Any, key: str) -> bool:
    return isinstance(value, Mapping) and key in value


@lru_cache(maxsize=64)
def template_keys(text: str) -> tuple[str, ...]:
    """Top-level keys of a JSON template that the prompt shows in a fence."""
    if "```json" not in text:
        return ()
    templates = _TEMPLATE.findall(edges(text))
    return tuple(_TEMPLATE_KEY.findall(templates[-1]))[:20] if templates else ()


def response_schema(request: Request) -> str | None:
    """The schema of `response_format: json_schema` (chat) or `text.format` (responses) as JSON text."""
    asked: Any = request.body.get("response_format")
    if not isinstance(asked, Mapping):
        text = request.body.get("text")
        asked = text.get("format") if isinstance(text, Mapping) else None
    if not isinstance(asked, Mapping) or asked.get("type") != "json_schema":
        return None
    inner = asked.get("json_schema", asked)
    schema = inner.get("schema") if isinstance(inner, Mapping) else None
    return json.dumps(schema, sort_keys=True) if isinstance(schema, Mapping) else None


def _fence(request: Request, question: Question, baseline: str, candidate: str) -> Score | None:
    """Bare code that comes fenced, or a fence that was asked for and is gone."""
    had, has = bool(blocks(baseline)), bool(blocks(candidate))
    bare = not had and is_bare_code(baseline)
    asked = edges(request.prompt) if question.code else ""
    if bare or (asked and _CODE_ONLY.search(asked)):
        return _broke("added_fence") if bare and has else _kept(baseline=had, candidate=has)
    if asked and _FENCE_ASKED.search(asked):
        return _broke("lost_fence") if had and not has else _kept(baseline=not had, candidate=not has)
    return None


def _table(request: Request, baseline: str, candidate: str) -> Score | None:
    if not _TABLE_ASKED.search(edges(request.prompt)) or not _TABLE.search(baseline[:20_000]):
        return None
    has = bool(_TABLE.search(candidate[:20_000]))
    return _kept(baseline=False, candidate=False) if has else _broke("lost_table")
