"""Confidence against what turned out, as a stream: a planted gap is found where it is and nowhere else."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from monitor.calibration import Calibration, Outcome, calibrations
from monitor.config import Config
from monitor.evidence import Engine, Observation, cut
from monitor.hypotheses import Settings
from monitor.records import Completion, Exchange, Pair, Segment
from monitor.scorers import SCORERS
from monitor.scoring import score_pair
from monitor.segments import segment_names
from tests.monitor.made import request

MENU = "Which one is right? {}\nA. one\nB. two\nC. three\nD. four\nAnswer with one letter only."
GROUPS = tuple(f"g{n}" for n in range(12))
PLANTED = "g7"
EACH = 180
LEVELS = (0.6, 0.75, 0.93)
CONFIDENCE = {name: SCORERS[name] for name in ("answer", "confident_disagreement", "calibration_gap")}


@dataclass(frozen=True, slots=True)
class Asked:
    """One pair of the stream: its segment, how sure the candidate is and whether it agrees."""

    group: str
    sure: float
    right: bool


def answer(letter: str, sure: float) -> Completion:
    return Completion(letter, finish_reason="stop", tokens=(letter,), logprobs=(math.log(sure),))


def stream(planted: str | None) -> Iterator[Asked]:
    """Calibrated answers; in the planted segment it says 93 % and is right 60 % of the time."""
    rng = np.random.default_rng(8)
    for _ in range(EACH):
        for group in GROUPS:
            sure = 0.93 if group == planted else float(rng.choice(LEVELS))
            chance = 0.6 if group == planted else sure
            yield Asked(group, sure, bool(rng.random() < chance))


def observation(number: int, asked: Asked) -> Observation:
    exchange = Exchange(f"p{number}", float(number), request(MENU.format(number)), answer("B", 0.9))
    pair = Pair(exchange, answer("B" if asked.right else "C", asked.sure), replay=answer("B", 0.9))
    scored = score_pair(pair, CONFIDENCE, Config().level)
    values = {name: score.value for name, score in scored.scores.items()}
    names = segment_names({"group": asked.group}, ())
    return Observation(5.0 * number, names, values, scored.references)


def alarms(planted: str | None) -> set[Segment]:
    """Where the gap signal alarmed at any time."""
    engine = Engine(Settings.of(Config()))
    pairs = (observation(number, asked) for number, asked in enumerate(stream(planted)))
    events = [event for block in cut(pairs) for event in engine.apply(block)]
    return {event.segment for event in events if event.kind == "alarm" and event.signal == "calibration_gap"}


def test_a_gap_of_33_points_in_one_segment_alarms_there_and_nowhere_else() -> None:
    assert alarms(PLANTED) == {Segment(f"group={PLANTED}")}


def test_calibrated_answers_alarm_nowhere() -> None:
    assert alarms(None) == set()


def test_a_gap_shows_in_an_error_beyond_its_null() -> None:
    found = by_group(PLANTED)[PLANTED]
    assert found.ece.beyond_chance
    assert found.gap_interval.lower <= 0.33 <= found.gap_interval.upper


def test_calibrated_answers_show_an_error_about_as_large_as_its_null() -> None:
    found = by_group(None).values()
    assert all(0 < each.ece.null_mean < each.ece.null_p95 for each in found)
    # 5 % of twelve groups are beyond by chance; three or more in one run of fifty
    assert sum(each.ece.beyond_chance for each in found) <= 2


def by_group(planted: str | None) -> Mapping[str, Calibration]:
    groups: dict[str, list[Outcome]] = {}
    for asked in stream(planted):
        groups.setdefault(asked.group, []).append(Outcome(asked.sure, asked.right, "agreement"))
    rng = np.random.default_rng(0)
    return {group: calibrations(outcomes, rng)["agreement"] for group, outcomes in groups.items()}
