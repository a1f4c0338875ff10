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
from monitor.scorers import (
    answer,
    code,
    confidence,
    constraint,
    elicitation,
    forced,
    integrity,
    numbers,
    position,
    refusal,
    script,
    similarity,
    tool_call,
)
from monitor.scorers.format import format_
from monitor.scorers.label import label

SCORERS: Final[Mapping[str, Scorer]] = MappingProxyType(
    {
        "error": integrity.error,
        "empty": integrity.empty,
        "truncated": integrity.truncated,
        "degenerate": integrity.degenerate,
        "script": script.script,
        "language": script.language,
        "format": format_,
        "code": code.code,
        "tool_call": tool_call.tool_call,
        "constraint": constraint.constraint,
        "refusal": refusal.refusal,
        "answer": answer.answer,
        "number_scale": numbers.number_scale,
        "first_option": position.first_option,
        "divergence": similarity.divergence,
        "similarity": similarity.similarity,
        "length": similarity.length,
        "hedging": elicitation.hedging,
        "verbosity": elicitation.verbosity,
        "markdown": elicitation.markdown,
        "forced_drop": forced.forced_drop,
        "confident_disagreement": confidence.confident_disagreement,
        "calibration_gap": confidence.calibration_gap,
        "label": label,
    }
)
