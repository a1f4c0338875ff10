"""Reading the one YAML file: defaults, then the file, then `--set`, then flags.

Errors name the key and the fix, one line per problem.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from monitor.config import Config
from monitor.errors import ConfigError


def _assign(tree: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for parent in parents:
        tree = tree.setdefault(parent, {})
        if not isinstance(tree, dict):
            raise ConfigError(f"{path}: {parent} is not a section")
    tree[last] = value


def _parse_setting(setting: str) -> tuple[str, Any]:
    path, separator, text = setting.partition("=")
    if not separator or not path:
        raise ConfigError(f"--set {setting}: write key.path=value, e.g. sampling.fraction=0.1")
    try:
        return path, yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {path}: the value is not YAML: {error}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file; `tailgate config show` prints one to start from") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: must be a mapping of sections, e.g. `baseline: {{url: ...}}`")
    return tree


def load(
    path: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    settings: Sequence[str] = (),
) -> Config:
    """Defaults, then the file, then `settings` (`--set`), then `overrides` (flags; dotted keys).

    Raises ConfigError with one `key: message` line per problem.
    """
    tree = _read(path) if path else {}
    for setting in settings:
        _assign(tree, *_parse_setting(setting))
    for key, value in (overrides or {}).items():
        _assign(tree, key, value)
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        lines = (f"{'.'.join(map(str, e['loc'])) or 'config'}: {_words(e)}" for e in error.errors())
        raise ConfigError("\n".join(lines)) from None


def _words(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return "unknown key; `tailgate config schema` lists the known ones"
    return str(error["msg"]).removeprefix("Value error, ")


def secret(name: str | None, key: str) -> str | None:
    """The value of the environment variable `name`, which the configuration key `key` names."""
    if name is None:
        return None
    value = os.environ.get(name)
    if not value:
        raise ConfigError(f"{key}: the environment variable {name} is not set")
    return value
