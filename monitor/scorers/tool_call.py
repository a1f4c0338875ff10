"""`tool_call`: the candidate's call is missing, unknown or violates its schema; the baseline's is fine.

Schemas are JSON Schema 2020-12 as OpenAI's `tools[].function.parameters`. They come from traffic, so
`pattern`s (unbounded time) are left out and `$ref`s are never fetched.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, best_match
from referencing import Registry
from referencing.exceptions import Unresolvable

from monitor.records import Completion, Pair, Request, Score

_UNBOUNDED = frozenset({"pattern", "patternProperties"})
_MAPS = frozenset({"properties", "$defs", "definitions", "dependentSchemas"})
_MAX_DEPTH = 40


def tool_call(pair: Pair) -> Score | None:
    """Directional; applies where tools are offered and the baseline called one."""
    if pair.candidate.error_type or not pair.baseline.tool_calls:
        return None
    tools = offered_tools(pair.request)
    if not tools:
        return None
    first = fault(pair.baseline, tools)
    second = fault(pair.candidate, tools)
    value = 1.0 if second and not first else 0.0
    label, words = second if value and second else ("", "")
    return Score("tool_call", value, label, words, float(first is not None), float(second is not None))


def offered_tools(request: Request) -> dict[str, Any]:
    """Name → parameter schema (None where there is none); chat and responses forms, legacy `functions` too."""
    tools: dict[str, Any] = {}
    listed = request.body.get("tools") or request.body.get("functions")
    for tool in listed if isinstance(listed, list) else []:
        if not isinstance(tool, Mapping):
            continue
        function = tool.get("function", tool)
        if isinstance(function, Mapping) and isinstance(function.get("name"), str):
            tools[function["name"]] = function.get("parameters")
    return tools


def fault(completion: Completion, tools: Mapping[str, Any]) -> tuple[str, str] | None:
    """(label, explanation) of the first thing wrong with an answer's calls, or None."""
    if not completion.tool_calls:
        named = next((name for name in tools if name in completion.text[:4000]), None)
        return ("call_as_text", f"{named[:40]} only as text") if named else ("missing", "no tool call")
    for call in completion.tool_calls:
        if call.name not in tools:
            return "unknown_tool", f"{call.name[:40]}() is not offered"
        wrong = _wrong_arguments(call.arguments, tools[call.name])
        if wrong:
            return wrong[0], f"{call.name[:40]}: {wrong[1]}"
    return None


def _wrong_arguments(arguments: str, schema: Any) -> tuple[str, str] | None:
    try:
        value = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        return "arguments_not_json", "arguments are not JSON"
    return violation(value, json.dumps(schema, sort_keys=True)) if isinstance(schema, Mapping) else None


def violation(value: Any, schema: str) -> tuple[str, str] | None:
    """(label, explanation) of the best match among schema errors; None where valid or unjudgeable."""
    validator = _validator(schema)
    if validator is None:
        return None
    try:
        error = best_match(validator.iter_errors(value))
    except (Unresolvable, RecursionError):
        return None
    if error is None:
        return None
    where = ".".join(str(p) for p in list(error.absolute_path)[-3:]) or "arguments"
    return "schema", f"{where[:40]}: {error.validator} violated"


@lru_cache(maxsize=256)
def _validator(schema: str) -> Draft202012Validator | None:
    """A compiled validator, or None where the schema itself is not valid."""
    cleaned = _bounded(json.loads(schema))
    try:
        Draft202012Validator.check_schema(cleaned)
    except (SchemaError, RecursionError):
        return None
    return Draft202012Validator(cleaned, registry=Registry())


def _named(schemas: Any, depth: int) -> Any:
    """A map from property names, which may be called `pattern`, to schemas."""
    return {k: _bounded(v, depth + 1) for k, v in schemas.items()} if isinstance(schemas, dict) else schemas


def _bounded(schema: Any, depth: int = 0) -> Any:
    """The schema without keywords whose time is not bounded."""
    if depth > _MAX_DEPTH:
        return True
    if isinstance(schema, dict):
        kept = {k: v for k, v in schema.items() if k not in _UNBOUNDED}
        return {k: _named(v, depth) if k in _MAPS else _bounded(v, depth + 1) for k, v in kept.items()}
    return [_bounded(item, depth + 1) for item in schema] if isinstance(schema, list) else schema
