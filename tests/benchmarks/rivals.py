"""Rival rules that need heavy libraries; runs alone, in an interpreter that has them.

    RIVALS_PYTHON tests/benchmarks/rivals.py < question.json > answer.json

Question: `texts` (pairs to compare by cosine of WordLlama embeddings) and `columns` (name to
reference and current values, for Evidently's DataDriftPreset). An absent library is named in
`absent` and its answer left out. Nothing is downloaded: WordLlama's wheel carries its weights.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("DO_NOT_TRACK", "1")


def cosines(texts: list[list[str]]) -> list[float]:
    """Cosine per pair of texts."""
    import wordllama  # type: ignore[import-not-found, unused-ignore]

    # 0.4.0 looks for its own tokenizer in a folder of another name; as a cache folder it is found
    model = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)
    left, right = (model.embed([pair[i] or " " for pair in texts], norm=True) for i in (0, 1))
    return [float(a @ b) for a, b in zip(left, right, strict=True)]


def drifted(columns: dict[str, list[list[float]]]) -> dict[str, Any]:
    """What Evidently's preset says with its defaults: drifted columns and their share."""
    import pandas
    from evidently import Report
    from evidently.presets import DataDriftPreset

    reference = pandas.DataFrame({name: values[0] for name, values in columns.items()})
    current = pandas.DataFrame({name: values[1] for name, values in columns.items()})
    found = Report([DataDriftPreset()]).run(current, reference).dict()["metrics"]
    scores = {m["config"]["column"]: float(m["value"]) for m in found if "column" in m["config"]}
    names = [m["config"]["column"] for m in found if "column" in m["config"] and _drifts(m)]
    count = next(m["value"] for m in found if "column" not in m["config"])
    return {
        "columns": len(columns),
        "drifted": int(count["count"]),
        "share": float(count["share"]),
        "scores": scores,
        "names": names,
    }


def _drifts(metric: dict[str, Any]) -> bool:
    """Small samples get a test (p-value below), large ones a distance (value above)."""
    threshold, value = float(metric["config"]["threshold"]), float(metric["value"])
    return value < threshold if metric["config"]["method"].endswith("p_value") else value >= threshold


def main() -> None:
    question = json.load(sys.stdin)
    answer: dict[str, Any] = {"absent": []}
    for key, rule in (("texts", cosines), ("columns", drifted)):
        if key in question:
            try:
                answer[key] = rule(question[key])
            except ImportError as error:
                answer["absent"].append(str(error))
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
