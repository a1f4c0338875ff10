"""The residue index: how often the candidate falls back to the base model's answer. Pure.

A fine-tuned model that gives its base model's answer where the baseline gives another one answers from
pre-training, not from what it was taught. With a third arm (the model before fine-tuning) that can be
counted; a reference sample tells whether it happens on unusual requests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from monitor.recorded import Entry
from monitor.records import Completion, Pair
from monitor.scorers.confidence import residue_of
from monitor.scorers.ood import BANDS

_FAR = BANDS[-1]


@dataclass(slots=True)
class Residue:
    """Counts per place of the request, far from the reference sample or near; `base` maps pair ids to
    the third arm's answers."""

    base: Mapping[str, Completion]
    fallen: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    known: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    banded: bool = False

    def add(self, pair: Pair, row: Entry) -> None:
        """Counts one pair where all three arms gave a checkable answer."""
        answer = self.base.get(pair.id)
        found = residue_of(pair, answer) if answer is not None and answer.error_type is None else None
        if found is None:
            return
        band = row.dims.get("ood")
        self.banded |= band is not None
        far = band == _FAR
        self.known[far] += 1
        self.fallen[far] += found

    def sentences(self) -> Iterator[str]:
        """The index in words, worst place first."""
        places = {True: "beyond the reference's 99th percentile", False: "nearer to it"}
        for far in (True, False):
            if self.known[far]:
                where = f" {places[far]}" if self.banded else ""
                share = self.fallen[far] / self.known[far]
                yield (
                    f"residue: {self.fallen[far]} of {self.known[far]} checkable answers{where} are the base "
                    f"model's and not the baseline's ({share:.0%})"
                )
        if not any(self.known.values()):
            yield "residue: no pair has a checkable answer in all three arms"
