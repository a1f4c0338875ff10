"""What a route adds to the built-in rules: a reference sample of requests (`ood.reference`), which switches
on the `ood` dimension and `residue`, and a company's own scanner of texts (`privacy.scanner`)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from monitor.config import Config
from monitor.errors import BadInput, ConfigError
from monitor.openai_api import operation_of, parse_request
from monitor.records import Exchange, Scorer, Segmenter
from monitor.redaction import Scanner
from monitor.scorers import SCORERS
from monitor.scorers.confidence import residue
from monitor.scorers.ood import OodIndex


@dataclass(frozen=True, slots=True)
class Rules:
    """The scorers of a route, and the segmenter of its reference sample where it has one."""

    scorers: Mapping[str, Scorer] = field(default_factory=lambda: SCORERS)
    ood: Segmenter | None = None
    scanner: Scanner | None = None


def scanner_of(name: str) -> Scanner:
    """The function behind `package.module:function`. Raises ConfigError."""
    module, _, attribute = name.partition(":")
    try:
        found: object = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"privacy.scanner: {name} cannot be imported: {error}") from error
    if not callable(found):
        raise ConfigError(f"privacy.scanner: {name} is not a function")
    return found


PLAIN: Final = Rules()


def rules_of(config: Config) -> Rules:
    """The table of scorers, extended by what the reference sample makes possible."""
    path = config.ood.reference
    scanner = scanner_of(config.privacy.scanner) if config.privacy.scanner else None
    if path is None:
        return replace(PLAIN, scanner=scanner)
    index = OodIndex.build(read_prompts(path))

    def ood(exchange: Exchange) -> Mapping[str, str]:
        return {"ood": index.band(exchange.request.prompt)}

    return Rules(MappingProxyType({**SCORERS, "residue": residue(index)}), ood, scanner)


def read_prompts(path: Path) -> list[str]:
    """Last user messages of a JSONL file: recorded exchanges, request bodies or `{"text": …}`.

    Lines that hold none are left out; ConfigError where the file cannot be read or nothing is left.
    """
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError as error:
        raise ConfigError(f"ood.reference: {path} cannot be read: {error.strerror}") from error
    prompts = [text for line in lines if (text := _prompt(line))]
    if not prompts:
        raise ConfigError(f"ood.reference: {path} holds no request with a user message")
    return prompts


def _prompt(line: str) -> str:
    try:
        value: Any = json.loads(line)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(value, dict):
        return ""
    if isinstance(value.get("text"), str):
        return str(value["text"])
    body = value.get("request", value)
    try:
        return parse_request(operation_of(body), body).prompt
    except BadInput:
        return ""
