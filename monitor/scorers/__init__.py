"""The table of scorers: signal name to pure function (`Scorer`). One failure family per file.

A scorer sees one pair and nothing else, so that the reference x0 of the noise floor is the same
scorer on the pair with the replay in the candidate's place. It returns None where its signal does
not apply, and 0 where the candidate is no worse.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from monitor.records import Scorer
from monitor.scorers import integrity

SCORERS: Final[Mapping[str, Scorer]] = MappingProxyType(
    {
        "error": integrity.error,
        "empty": integrity.empty,
        "truncated": integrity.truncated,
    }
)
