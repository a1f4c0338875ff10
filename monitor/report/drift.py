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
"""Rows per window: beyond this its tests only become slower, and it holds every row in memory."""
FEWEST = 30
MOST_VALUES = 50
"""A dimension with more values than this is an identifier (a user, a tenant), not a feature."""
TOKENS = "prompt tokens"
_LEFT_OUT = frozenset({"all", "load"})
"""Everybody's, and the one that follows the machine rather than the requests."""
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

    mixes = (reference[:SAMPLED], current[:SAMPLED])
    columns = [TOKENS] if all(any(tokens is not None for _, tokens in mix) for mix in mixes) else []
    names = _categories(mixes)
    known = DataDefinition(categorical_columns=names, numerical_columns=columns)
    before, now = (
        Dataset.from_pandas(pd.DataFrame(_rows(mix, [*columns, *names])), data_definition=known)
        for mix in mixes
    )
    found: Mapping[str, Any] = Report([DataDriftPreset()]).run(current_data=now, reference_data=before).dict()
    return [drift for metric in found["metrics"] if (drift := _drift(metric)) is not None]


def _categories(mixes: Sequence[Mix]) -> list[str]:
    """Dimensions that both windows have, built-in and declared, without those of too many values."""
    values: list[dict[str, set[str]]] = [{}, {}]
    for mix, seen in zip(mixes, values, strict=True):
        for segments, _ in mix:
            for name, value in segments.items():
                seen.setdefault(name, set()).add(value)
    both = [name for name in values[0] if name in values[1] and name not in _LEFT_OUT]
    return [name for name in both if len(values[0][name] | values[1][name]) <= MOST_VALUES]


def _rows(mix: Mix, columns: Sequence[str]) -> list[dict[str, str | int | None]]:
    return [
        {name: tokens if name == TOKENS else segments.get(name, "unknown") for name in columns}
        for segments, tokens in mix
    ]


def _drift(metric: Mapping[str, Any]) -> Drift | None:
    """A `ValueDrift` metric as our row. Scores named p_value drift below their threshold, distances above."""
    config = metric["config"]
    if "column" not in config:
        return None
    score, threshold = float(metric["value"]), float(config["threshold"])
    drifted = score < threshold if "p_value" in config["method"] else score >= threshold
    return Drift(config["column"], config["method"], score, threshold, drifted)
