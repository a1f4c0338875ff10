"""What really happened per segment, from the sets' own labels: a loss on the checkable outcome."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from monitor.intervals import mcnemar_two_sided
from tests.benchmarks.runs import Listed, Row, answers


@dataclass(frozen=True, slots=True)
class Truth:
    """Outcomes over the pairs of one segment: how often only one side was right."""

    pairs: int
    lost: int
    won: int

    @property
    def loss(self) -> float:
        """Baseline's accuracy minus the candidate's."""
        return (self.lost - self.won) / self.pairs if self.pairs else 0.0

    @property
    def p_value(self) -> float:
        """Exact McNemar, two-sided."""
        return mcnemar_two_sided(self.lost, self.won)

    @property
    def is_regression(self) -> bool:
        """Lost at least 10 points, and not by chance."""
        return self.loss >= 0.10 and self.p_value < 0.05


def outcome(row: Row) -> bool | None:
    """Whether an answer is right; for refusal sets: whether it answers. None where nobody knows."""
    if row.get("correct") is not None:
        return bool(row["correct"])
    if row.get("label"):
        return str(row["label"]).startswith("1")
    if row.get("answered") is not None:
        return str(row["answered"]) == "1"
    return None


def truth(pair: Listed, ids: Iterable[str]) -> Truth | None:
    """Truth over these pairs; None where an outcome is unknown."""
    ours, theirs = answers(pair.set, pair.baseline), answers(pair.set, pair.candidate)
    flips = [(outcome(ours[key]), outcome(theirs[key])) for key in ids]
    if not flips or any(None in flip for flip in flips):
        return None
    lost = sum(a is True and b is False for a, b in flips)
    won = sum(b is True and a is False for a, b in flips)
    return Truth(len(flips), lost, won)
