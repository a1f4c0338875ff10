"""`tailgate` as built with two defects: the `code` scorer raises, and so does the redaction of e-mail addresses."""

from __future__ import annotations

from dataclasses import replace

from monitor import redaction, reference
from monitor.__main__ import main
from monitor.records import Pair, Score
from monitor.scorers import SCORERS


def _raises(_: Pair) -> Score | None:
    raise KeyError("a defect")


def _fails(_: str) -> bool:
    raise ValueError("a defect")


if __name__ == "__main__":
    redaction.GUARDED = tuple(
        replace(g, patterns=tuple(replace(p, valid=_fails) if p.kind == "email" else p for p in g.patterns))
        for g in redaction.GUARDED
    )
    vars(reference)["SCORERS"] = {**SCORERS, "code": _raises}
    main()
