"""Input drift of the request mix, by Evidently: the only importer of evidently and pandas.

Evidently compares columns of two time windows and knows neither arms nor noise floors, so it answers
one question here: did the requests change? Its telemetry is switched off before it is imported.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from monitor.report.model import Drift

SAMPLED = 50_000
FEWEST = 30
_CATEGORIES = ("language", "script", "task", "context", "turn", "stream", "model")
Mix = Sequence[tuple[Mapping[str, str], int | None]]


def input_drift(reference: Mix, current: Mix) -> tuple[list[Drift], str | None]:
    """Per column Evidently's default test, or why there is none. At most `SAMPLED` rows per window."""
    if min(len(reference), len(current)) < FEWEST:
        return (
            [],
            f"input drift needs {FEWEST} pairs in both windows; there are {len(reference)} and {len(current)}",
        )
    os.environ["DO_NOT_TRACK"] = "1"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its dependencies, on every import
            return _run(reference, current), None
    except ImportError as error:
        return (
            [],
            f"input drift is left out: {error.name or error} is missing; pip install 'tailgate[report]'",
        )


def _run(reference: Mix, current: Mix) -> list[Drift]:
    import pandas as pd
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    frames = [pd.DataFrame([_row(*row) for row in mix[:SAMPLED]]) for mix in (reference, current)]
    columns = [name for name in frames[0].columns if all(frame[name].notna().any() for frame in frames)]
    known = DataDefinition(
        categorical_columns=[name for name in columns if name != "prompt tokens"],
        numerical_columns=[name for name in columns if name == "prompt tokens"],
    )
    before, now = (Dataset.from_pandas(frame[columns], data_definition=known) for frame in frames)
    found: Mapping[str, Any] = Report([DataDriftPreset()]).run(current_data=now, reference_data=before).dict()
    return [drift for metric in found["metrics"] if (drift := _drift(metric)) is not None]


def _row(segments: Mapping[str, str], tokens: int | None) -> dict[str, str | float | None]:
    return {"prompt tokens": tokens, **{name: segments.get(name) for name in _CATEGORIES}}


def _drift(metric: Mapping[str, Any]) -> Drift | None:
    """A `ValueDrift` metric as our row. Scores named p_value drift below their threshold, distances above."""
    config = metric["config"]
    if "column" not in config:
        return None
    score, threshold = float(metric["value"]), float(config["threshold"])
    drifted = score < threshold if "p_value" in config["method"] else score >= threshold
    return Drift(config["column"], config["method"], score, threshold, drifted)
