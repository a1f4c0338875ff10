"""Every scorer on one pair: x per signal, and x0 where the pair carries a replay.

Pure. Offline scoring and the live monitor run the same code. A scorer that raises is our fault, not
the candidate's: the exception becomes a counted failure row and the other scorers go on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from monitor.records import Pair, Score, Scorer
from monitor.signals import SIGNALS, Level


@dataclass(frozen=True, slots=True)
class Failure:
    """A scorer that raised on one pair; both fields are low-cardinality labels."""

    scorer: str
    error_type: str


@dataclass(frozen=True, slots=True)
class Scored:
    """What the scorers said about one pair.

    `scores` holds the signals that apply, baseline against candidate (x); `references` the same
    against the replay (x0), empty without one. Values are in [0, 1], 1 = bad.
    """

    id: str
    scores: Mapping[str, Score]
    references: Mapping[str, float]
    failures: tuple[Failure, ...] = ()


def score_pair(pair: Pair, scorers: Mapping[str, Scorer], level: Callable[[str], Level]) -> Scored:
    """Scores of all signals whose level is not `off`; `level` is `Config.level`."""
    wanted = {name: scorer for name, scorer in scorers.items() if level(name) != "off"}
    if not pair.generated:
        wanted = {name: scorer for name, scorer in wanted.items() if _applies(name)}
    scores, failures = _run(pair, wanted)
    if pair.replay is None:
        return Scored(pair.id, scores, {}, tuple(failures))
    again = replace(pair, candidate=pair.replay, replay=None, forced=pair.forced_replay, forced_replay=None)
    references, more = _run(again, wanted)
    values = {name: score.value for name, score in references.items()}
    return Scored(pair.id, scores, values, (*failures, *more))


def _applies(signal: str) -> bool:
    """A candidate that did not generate has only its view of other arms' answers."""
    return "prompt_logprobs" in SIGNALS[signal].needs


def _run(pair: Pair, scorers: Mapping[str, Scorer]) -> tuple[dict[str, Score], list[Failure]]:
    scores: dict[str, Score] = {}
    failures: list[Failure] = []
    for name, scorer in scorers.items():
        try:
            score = scorer(pair)
        except Exception as error:  # noqa: BLE001  the border around plug-in code: counted, never fatal
            failures.append(Failure(name, type(error).__name__))
            continue
        if score is not None:
            scores[name] = score
    return scores, failures
