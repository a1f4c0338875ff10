"""`--pairs-out`: what the scorers said about one pair, as one line of JSON (DESIGN 6). Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from monitor.recorded import Entry
from monitor.records import Pair, Score
from monitor.scorers.constraints import check, constraints_of


def pair_line(pair: Pair, row: Entry) -> bytes:
    """Segments, scores and mined constraints of one pair, without a line end and without its texts."""
    return msgspec.json.encode(
        {
            "id": pair.id,
            "segments": dict(row.dims),
            "scores": {name: _score(score) for name, score in row.recorded.scored.scores.items()},
            "constraints": _constraints(pair, row),
        }
    )


def _score(score: Score) -> dict[str, Any]:
    return {
        "value": score.value,
        "label": score.label,
        "baseline": score.baseline,
        "candidate": score.candidate,
    }


def _constraints(pair: Pair, row: Entry) -> list[dict[str, Any]]:
    """Each mined constraint with whether either answer keeps it."""
    if any(failure.scorer == "constraint" for failure in row.recorded.scored.failures):
        return []  # the same miner failed on this pair already, and was counted
    return [
        {
            "kind": found.kind,
            "args": found.args,
            "baseline": check(found, pair.baseline.text),
            "candidate": check(found, pair.candidate.text),
        }
        for found in constraints_of(pair.request)
    ]
