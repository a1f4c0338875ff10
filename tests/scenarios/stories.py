"""Recorded material for the stories: published requests and answers as pairs files, scored by the command."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from monitor.cli import tailgate as cli
from tests.benchmarks.runs import CORPORA, Listed, pair_lines

Json = dict[str, Any]


def published(name: str) -> list[Json]:
    """Requests of one published set, each with its reference answer."""
    with (CORPORA / "requests" / f"{name}.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def pair(row: Json, baseline: str, candidate: str, **segments: str) -> Json:
    """A recorded pair on a published request."""
    return {
        "id": row["id"],
        "request": row["request"],
        "segments": {"group": row["segment"], **segments},
        "baseline": {"text": baseline},
        "candidate": {"text": candidate},
    }


def run_of(listed: Listed) -> list[Json]:
    """The pairs of two published models' answers."""
    return [json.loads(line) for line in pair_lines(listed)]


def healthy(pairs: Iterable[Json]) -> list[Json]:
    """The same requests, answered twice alike."""
    return [{**p, "candidate": p["baseline"]} for p in pairs]


def write(path: Path, pairs: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(p, ensure_ascii=False) + "\n" for p in pairs), "utf-8")
    return path


def score(folder: Path, pairs: Iterable[Json], *options: str | Path) -> Json:
    """What `tailgate score --format json` says about these pairs."""
    path = write(folder / "pairs.jsonl", pairs)
    arguments = ["score", str(path), "--format", "json", *map(str, options)]
    done = CliRunner().invoke(cli, arguments, standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    found: Json = json.loads(done.stdout)
    return found


def alarms(verdict: Json) -> set[tuple[str, str]]:
    """(segment, signal) of everything that a person is woken or warned about."""
    return {
        (row["segment"], row["signal"])
        for row in verdict["segments"]
        if row["verdict"] == "diverged" and row["explained_by"] is None
    }


def rows(verdict: Json, signal: str) -> Iterator[Json]:
    """The rows of one signal."""
    return (row for row in verdict["segments"] if row["signal"] == signal)
