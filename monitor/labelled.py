"""Delayed labels as evidence: truth that comes hours after its pair, counted once, in its own place of the log. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitor.display import FIRED
from monitor.ledger import Row, score_row
from monitor.logged import Crosses, observed, segments_of_row
from monitor.means import Measured
from monitor.observations import Observation
from monitor.records import Score, Segment
from monitor.scorers.label import labelled


@dataclass(frozen=True, slots=True)
class Labelled:
    """One pair of which it is now known who was right."""

    seq: int
    id: str
    segments: Mapping[str, str]
    prompt: str
    session: str | None
    flags: Sequence[str]
    score: Score

    @classmethod
    def of_row(cls, row: Sequence[Any]) -> Labelled:
        """A row of the queries `labels_due` and `labels_log`."""
        seq, pair_id, segments, prompt, session, flags, baseline_correct, candidate_correct = row
        score = labelled(baseline_correct=baseline_correct, candidate_correct=candidate_correct)
        return cls(seq, pair_id, segments, prompt, session, flags, score)

    def names(self, crosses: Crosses) -> tuple[Segment, ...]:
        """The segments of its pair."""
        return segments_of_row(self.segments, crosses)

    def observation(self, time: float, crosses: Crosses) -> Observation:
        """What the evidence reads. A prompt that is asked again within the hour counts once, as ever."""
        return observed(
            time=time,
            dims={name: value for name, value in self.segments.items() if name != "all"},
            crosses=crosses,
            scores={"label": self.score.value},
            references={},
            legs=(),
            flags=self.flags,
            session=self.session,
            prompt=self.prompt,
        )

    def measured(self, crosses: Crosses) -> Measured:
        """What the display adds up."""
        score = self.score
        return Measured(self.names(crosses), "label", score.value, None, score.baseline, score.candidate)

    @property
    def lost(self) -> bool:
        """Whether only the candidate was wrong: an example."""
        return self.score.value > FIRED

    def row(self) -> Row:
        """A row of `scores`."""
        return score_row(self.seq, "label", self.score, None)
