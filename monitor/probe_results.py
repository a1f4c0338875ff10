"""Results of `tailgate probe` as the monitor keeps and counts them. Pure.

A run sends its rows to a running monitor (`POST /api/v1/probes`), which stores and counts them: only the
monitor may open its database, and a counter needs a process that lives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any

from monitor.errors import BadInput

MAX_ROWS = 10_000
VERDICTS = frozenset({"ok", "worse", "below range", "unclear"})
_MAX_TEXT = 400


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """One row; `baseline`, `candidate` and `change` are the words of the table."""

    pack: str
    probe: str
    verdict: str
    baseline: str = ""
    candidate: str = ""
    change: str = ""

    def stored(self, now: float) -> tuple[Any, ...]:
        """The row of table `probes`."""
        return (now, *astuple(self))


_NAMES = frozenset(field.name for field in fields(ProbeResult))


def read(values: Sequence[Any]) -> list[ProbeResult]:
    """Rows that were sent. Raises BadInput for the whole of them: a run is stored wholly or not at all."""
    if len(values) > MAX_ROWS:
        raise BadInput("too_many", f"send at most {MAX_ROWS} probe results at once")
    return [_row(value) for value in values]


def _row(value: Any) -> ProbeResult:
    if not isinstance(value, Mapping) or not all(isinstance(text, str) for text in value.values()):
        raise BadInput(
            "probes", 'send a list of {"pack", "probe", "verdict", "baseline", "candidate", "change"}'
        )
    if not {"pack", "probe", "verdict"} <= value.keys() <= _NAMES or value["verdict"] not in VERDICTS:
        raise BadInput("probes", f"a probe result needs pack, probe and one verdict of {sorted(VERDICTS)}")
    return ProbeResult(**{name: text[:_MAX_TEXT] for name, text in value.items()})
