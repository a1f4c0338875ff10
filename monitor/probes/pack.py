"""What is asked: a pack is YAML (built in or a user's file), or a user's own items as JSON Lines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, model_validator

from monitor.errors import BadInput, ConfigError, Unreachable
from monitor.openai_api import parse_request
from monitor.probes.axes import AXES
from monitor.probes.checkers import passes
from monitor.probes.families import FAMILIES
from monitor.probes.items import Axis, Item
from monitor.probes.psychometric import Precision
from monitor.records import Completion

_FOLDER = files("monitor") / "probes" / "packs"
NAMES: tuple[str, ...] = tuple(
    sorted(path.name.removesuffix(".yaml") for path in _FOLDER.iterdir() if path.name.endswith(".yaml"))
)
_MANY_ITEMS = 10_000


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Range(_Strict):
    """The part of an axis that a pack uses; all of it where nothing is said."""

    easiest: float | None = Field(None, gt=0)
    hardest: float | None = Field(None, gt=0)


class Load(_Strict):
    """Open-loop load: mean requests at once per level (Little's law), and what each request is."""

    concurrency: Sequence[float] = Field((1, 2, 4, 8, 16, 32), min_length=1)
    requests: int = Field(200, ge=20, le=10_000)
    prompt_tokens: PositiveInt = 200
    output_tokens: PositiveInt = 64

    def calls(self, arms: int) -> int:
        """Requests of all levels and arms."""
        return arms * len(self.concurrency) * self.requests


class Pack(_Strict):
    """One pack. `calls`: at most so many per axis and arm to find where it ends.

    `fresh`: items at the easiest level, asked of both arms where the candidate alone is below the axis.
    `floor`: an axis below its range fails by itself, whatever the baseline does.
    """

    name: str
    about: str = ""
    calls: int = Field(28, ge=4)
    fresh: int = Field(32, ge=8, le=1000)
    octaves: float = Field(0.5, gt=0)
    floor: bool = False
    axes: Mapping[str, Range] = {}
    families: Mapping[str, PositiveInt] = {}
    sensitivity: PositiveInt | None = None
    """Generated questions that are asked in every order and wording; of the candidate alone."""
    load: Load | None = None
    items: Sequence[Any] = ()

    @model_validator(mode="after")
    def _known(self) -> Pack:
        for kind, given, known in (("axis", self.axes, AXES), ("family", self.families, FAMILIES)):
            for name in given:
                if name not in known:
                    raise ValueError(f"no {kind} {name!r}; known: {', '.join(known)}")
        return self

    @property
    def digest(self) -> str:
        """Tells a pack from what it was before it was edited."""
        return sha256(self.model_dump_json().encode()).hexdigest()[:16]

    @property
    def precision(self) -> Precision:
        return Precision(self.octaves, self.calls)

    def axis(self, name: str) -> Axis:
        """The axis with the pack's part of its levels."""
        axis, part = AXES[name], self.axes[name]
        low, high = part.easiest or 0.0, part.hardest or float("inf")
        levels = tuple(level for level in axis.scale.levels if low <= level <= high)
        if len(levels) < 2:
            raise ConfigError(f"pack {self.name}: {name}: fewer than two levels from {low:g} to {high:g}")
        return replace(axis, scale=replace(axis.scale, levels=levels))


def load(name: str) -> Pack:
    """A built-in pack by name, else a file. Raises ConfigError and Unreachable, naming what is wrong."""
    if name in NAMES:
        return _pack((_FOLDER / f"{name}.yaml").read_text("utf-8"), name)
    path = Path(name)
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"--pack {name}: neither a file nor one of {', '.join(NAMES)}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise Unreachable(f"--pack {name}: {error}") from error
    return _own(text, path) if path.suffix in {".jsonl", ".ndjson"} else _pack(text, name)


def _pack(text: str, where: str) -> Pack:
    try:
        return Pack.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise ConfigError(f"pack {where}: not YAML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the file"
        raise ConfigError(f"pack {where}: {key}: {first['msg']}") from error


def _own(text: str, path: Path) -> Pack:
    """Items of JSON Lines: `{"id", "request" or "prompt", "check": {"type": …}, "reference"}`."""
    items = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            items.append(_item(json.loads(line), number))
        except (ValueError, KeyError, TypeError, RecursionError, BadInput) as error:
            raise ConfigError(f"pack {path}: line {number}: {_why(error)}") from error
    if not items or len(items) > _MANY_ITEMS:
        raise ConfigError(f"pack {path}: {len(items)} items; 1 to {_MANY_ITEMS} are possible")
    return Pack(name=path.stem, about=f"{len(items)} items of {path.name}", items=items)


def _why(error: Exception) -> str:
    return f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)


def _item(value: Any, number: int) -> Item:
    if not isinstance(value, dict):
        raise TypeError("not a JSON object")
    body = value.get("request") or {
        "messages": [{"role": "user", "content": value["prompt"]}],
        "temperature": 0,
        "max_tokens": int(value.get("max_tokens", 256)),
    }
    parse_request("chat", body)
    check = dict(value["check"])
    if value.get("reference") is not None:
        check.setdefault("expect", value["reference"])
    passes(check, Completion("?"))  # an unusable check is the file's error, found before the first call
    return Item(str(value.get("id", number)), body, check, group=str(value.get("segment", "")))
