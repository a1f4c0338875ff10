"""Rival rules on text: similarity below a threshold in a segment, tuned with help no operator has."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.runs import answers
from tests.benchmarks.scored_runs import Run, Slice

RIVALS_PYTHON = os.environ.get("RIVALS_PYTHON", "")
ABSENT = "RIVALS_PYTHON names no interpreter with wordllama and evidently"
_NO_SPACES = re.compile("[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]")
Similarity = Callable[[Run], Sequence[float]]


def token_f1(left: str, right: str) -> float:
    """Multiset F1 of lower-case words; of characters where a text has no spaces (Japanese)."""
    a, b = _tokens(left), _tokens(right)
    common = (a & b).total()
    return 2 * common / (a.total() + b.total()) if common else float(not a and not b)


def _tokens(text: str) -> Counter[str]:
    words = text.casefold().split()
    return Counter("".join(words) if _NO_SPACES.search(text) else words)


def exact(run: Run) -> list[float]:
    """1 where both answers are the same text."""
    return [float(a.strip() == b.strip()) for a, b in texts(run)]


def f1(run: Run) -> list[float]:
    """Token-F1 per pair."""
    return [token_f1(a, b) for a, b in texts(run)]


def texts(run: Run) -> list[tuple[str, str]]:
    """Baseline's and candidate's text per scored pair."""
    ours, theirs = answers(run.pair.set, run.pair.baseline), answers(run.pair.set, run.pair.candidate)
    return [(ours[key]["text"], theirs[key]["text"]) for key in run.ids]


def cosine(run: Run) -> list[float] | None:
    """Cosine of WordLlama embeddings; None where it is not installed."""
    found = ask({"texts": [[a[:4000], b[:4000]] for a, b in texts(run)]})
    return None if found is None else found.get("texts")


def evidently(run: Run) -> dict[str, Any] | None:
    """Evidently's DataDriftPreset on the per-arm score columns and lengths, baseline as reference."""
    columns: dict[str, list[list[float]]] = {"length_characters": [[], []]}
    for (a, b), row in zip(texts(run), run.rows, strict=True):
        columns["length_characters"][0].append(float(len(a)))
        columns["length_characters"][1].append(float(len(b)))
        for name, score in row.recorded.scored.scores.items():
            if score.baseline is not None and score.candidate is not None:
                values = columns.setdefault(name, [[], []])
                values[0].append(score.baseline)
                values[1].append(score.candidate)
    # a column that is constant on both sides has no distribution to compare
    useful = {name: v for name, v in columns.items() if len(v[0]) >= 10 and len({*v[0], *v[1]}) > 1}
    whole = {name: v for name, v in useful.items() if len(v[0]) == len(run.rows)}
    found = ask({"columns": whole})
    return None if found is None else found.get("columns")


def ask(question: Mapping[str, Any]) -> dict[str, Any] | None:
    """One question to the rivals' interpreter."""
    if not RIVALS_PYTHON:
        return None
    script = Path(__file__).with_name("rivals.py")
    done = subprocess.run(
        [RIVALS_PYTHON, "-W", "ignore", str(script)],
        input=json.dumps(question), capture_output=True, text=True, check=True,
    )  # fmt: skip
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def threshold_rule(similarity: Mapping[str, Sequence[float]], parts: Sequence[Slice]) -> dict[str, Any]:
    """Alarm where a segment's mean similarity is below every control segment's: no false alarm on them.

    What it then finds of the regressions, and how often it alarms without one.
    """
    means = [
        (p, sum(similarity[p.run.pair.name][i] for i in p.members) / p.pairs)
        for p in parts
        if p.pairs >= 20 and p.run.pair.name in similarity
    ]
    threshold = min((mean for p, mean in means if p.run.pair.is_control), default=0.0)
    bad = [(p, mean) for p, mean in means if p.truth and p.truth.is_regression]
    good = [(p, mean) for p, mean in means if p.truth and not p.truth.is_regression]
    return {
        "threshold": threshold,
        "regressions": len(bad),
        "found": sum(mean < threshold for _, mean in bad),
        "healthy": len(good),
        "false_alarms": sum(mean < threshold for _, mean in good),
    }
