"""values.yaml is the source: its comments become the README's table, its defaults the JSON schema.

A chart cannot read files outside of its folder, and Helm knows no types; both would otherwise be
written twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from monitor.config import Config

Json = dict[str, Any]
QUANTITY: Json = {"type": ["string", "integer", "number"]}
STRINGS: Json = {"type": "object", "additionalProperties": {"type": "string"}}
RESOURCES: Json = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        name: {"type": "object", "additionalProperties": QUANTITY} for name in ("requests", "limits")
    },
}
URL: Json = {"type": "string", "pattern": r"^https?://[^/]+$"}
NAMES: Json = {"type": "array", "items": {"type": "string"}}
# What a default value cannot say, by path or by last key.
SPECIAL: Mapping[str, Json] = {
    "route": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_.-]{0,62}$"},
    "baseline.url": URL,
    "candidate.url": URL,
    "config": {"$ref": "#/$defs/Config"},
    "handover": {"enum": ["spool", "kafka"]},
    "kafka.bootstrap": {"type": "array", "items": {"type": "string", "pattern": r"^.+:\d+$"}},
    "kafka.security": STRINGS,
    "monitor.replicas": {"type": "integer", "minimum": 1},
    "sidecar.replicas": {"type": "integer", "minimum": 1},
    "persistence.accessMode": {"enum": ["ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany"]},
    "podDisruptionBudget.maxUnavailable": {"type": ["integer", "string"]},
    "prometheusRule.disabled": NAMES,
    "probes.packs": NAMES,
    "probes.extraArgs": NAMES,
    "podMonitor.namespaces": NAMES,
    "digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
    "tag": {"type": "string", "not": {"const": "latest"}},
    "pullPolicy": {"enum": ["Always", "IfNotPresent", "Never"]},
    "resources": RESOURCES,
    "size": QUANTITY,
    "spoolSize": QUANTITY,
    "annotations": STRINGS,
    "podAnnotations": STRINGS,
    "labels": STRINGS,
    "commonLabels": STRINGS,
    "nodeSelector": STRINGS,
}  # fmt: skip
TYPES: Mapping[type, str] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}


@dataclass(frozen=True, slots=True)
class Value:
    """One documented key: dotted path, default and the words above it."""

    path: str
    default: Any
    words: str


def documented(text: str) -> list[Value]:
    """Every key of values.yaml that carries a `# --` comment, in order."""
    lines = text.splitlines()
    return [
        Value(path, default, words)
        for path, line, default in _keys(yaml.compose(text, Loader=yaml.SafeLoader), yaml.safe_load(text), "")
        if (words := _comment(lines, line))
    ]


def _keys(node: Any, values: Any, prefix: str) -> Iterator[tuple[str, int, Any]]:
    for key, below in node.value:
        path = f"{prefix}{key.value}"
        yield path, key.start_mark.line, values[key.value]
        if isinstance(below, yaml.MappingNode) and below.value:
            yield from _keys(below, values[key.value], f"{path}.")


def _comment(lines: list[str], line: int) -> str:
    found: list[str] = []
    while line and lines[line - 1].strip().startswith("#"):
        line -= 1
        words = lines[line].strip().lstrip("# ")
        found.insert(0, words.removeprefix("-- "))
        if words.startswith("-- "):
            return " ".join(found)
    return ""


def schema(text: str) -> Json:
    """JSON schema of values.yaml; unknown keys are errors, tailgate.yaml's own included."""
    words = {value.path: value.words for value in documented(text)}
    config = Config.model_json_schema(ref_template="#/$defs/{model}")
    definitions = config.pop("$defs")
    root = _object(yaml.safe_load(text), "", words)
    root["properties"]["global"] = {"type": "object"}
    # Every key of `config` has a default, so none is required: overriding one must be enough.
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Values of the Tailgate chart",
        **root,
        "$defs": {**definitions, "Config": config},
    }


def _object(values: Mapping[str, Any], prefix: str, words: Mapping[str, str]) -> Json:
    properties = {key: _property(value, f"{prefix}{key}", words) for key, value in values.items()}
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _property(value: Any, path: str, words: Mapping[str, str]) -> Json:
    special = SPECIAL.get(path, SPECIAL.get(path.rpartition(".")[2]))
    if special is not None:
        found = dict(special)
    elif isinstance(value, dict) and value:
        found = _object(value, f"{path}.", words)
    else:
        found = {"type": TYPES[type(value)]}
    return {"description": words[path], **found} if path in words else found


def table(text: str) -> str:
    """Markdown table of every documented key."""
    rows = [
        f"| `{value.path}` | `{_shown(value.default)}` | {value.words.replace('|', chr(92) + '|')} |"
        for value in documented(text)
    ]
    return "\n".join(["| key | default | what |", "|---|---|---|", *rows])


def _shown(default: Any) -> str:
    return (
        yaml.safe_dump(default, default_flow_style=True, width=10_000)
        .removesuffix("\n")
        .removesuffix("\n...")
    )
