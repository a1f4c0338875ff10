"""`tailgate` as built with two defects: the `code` scorer raises, and so does redaction."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from monitor import redaction, reference
from monitor.__main__ import main
from monitor.records import Pair, Score
from monitor.redaction import Token


def _raises(_: Pair) -> Score | None:
    raise KeyError("a defect")


def _fails(text: str, token: Token) -> str:
    raise ValueError("a defect")


if __name__ == "__main__":
    scorers = MappingProxyType({**reference.PLAIN.scorers, "code": _raises})
    vars(reference)["PLAIN"] = replace(reference.PLAIN, scorers=scorers)
    vars(redaction)["redact"] = _fails
    main()
