"""Published real outputs as recorded pairs (DESIGN 6): any two models of a set make a pair.

The files stay where they are (`../shared/corpora/runs` beside the checkout, or `TAILGATE_CORPORA`);
nothing of them is copied into the project.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

CORPORA = Path(os.environ.get("TAILGATE_CORPORA", Path(__file__).parents[3] / "shared" / "corpora"))
RUNS = CORPORA / "runs"
MISSING = f"{RUNS} is absent: set TAILGATE_CORPORA to the corpora"

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Listed:
    """One recommended pair of a set."""

    set: str
    baseline: str
    candidate: str
    kind: str

    @property
    def is_control(self) -> bool:
        """Whether both sides are the same model."""
        return self.kind.startswith("control:")

    @property
    def name(self) -> str:
        return f"{self.set}: {self.baseline} → {self.candidate}"


@cache
def prompts(set_: str) -> dict[str, Row]:
    """Prompt rows by id."""
    return _rows(RUNS / set_ / "prompts.jsonl")


@cache
def answers(set_: str, model: str) -> dict[str, Row]:
    """One model's answers by prompt id."""
    return _rows(RUNS / set_ / f"{model}.jsonl")


def _rows(path: Path) -> dict[str, Row]:
    with path.open(encoding="utf-8") as lines:
        return {row["id"]: row for row in map(json.loads, lines)}


def listed() -> list[Listed]:
    """Every pair of every set's `pairs.json`."""
    return [
        Listed(path.parent.name, pair["prod"], pair["cand"], pair["kind"])
        for path in sorted(RUNS.glob("*/pairs.json"))
        for pair in json.loads(path.read_text())
    ]


def find(set_: str, baseline: str, candidate: str) -> Listed:
    """The listed pair of a baseline that contains and a candidate that ends in these words.

    ValueError unless exactly one does.
    """
    (found,) = (
        pair
        for pair in listed()
        if pair.set == set_ and baseline in pair.baseline and pair.candidate.endswith(candidate)
    )
    return found


def pair_lines(pair: Listed) -> Iterator[bytes]:
    """The pairs file: declared segments are the set's own `segment` label and dimensions."""
    ours, theirs = answers(pair.set, pair.baseline), answers(pair.set, pair.candidate)
    for key, prompt in prompts(pair.set).items():
        if key in ours and key in theirs:
            line = {
                "id": key,
                "request": {"messages": prompt["messages"]},
                "segments": declared(prompt),
                "baseline": _answer(ours[key]),
                "candidate": _answer(theirs[key]),
            }
            yield json.dumps(line, ensure_ascii=False).encode("utf-8", "replace")


def declared(prompt: Row) -> dict[str, str]:
    """Declared dimensions of one prompt; `group` is the set's own segment label."""
    dims = {name: str(value) for name, value in prompt["dims"].items() if name not in {"task", "cluster"}}
    return {**dims, "group": prompt["segment"]}


def _answer(row: Row) -> dict[str, Any]:
    answer: dict[str, Any] = {"text": row["text"]}
    if row.get("latency_s") is not None:
        answer["duration_seconds"] = row["latency_s"]
    if row.get("output_tokens") is not None:
        answer["output_tokens"] = row["output_tokens"]
    return answer
