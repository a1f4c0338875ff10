from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import pytest

from monitor.records import ALL, Funnel, Segment, SegmentVerdict, State, Verdict
from monitor.table import Row
from monitor.verdict import Facts, assemble, live_rows, required_segments, schema, to_json

TH, DE = Segment("language=th"), Segment("language=de")
FACTS = Facts("default", 320, 1_763_800_000.0, "abc", Funnel(eligible=320, scored=320), required=(ALL, TH))
ROW = Row(TH, "error", "page", 0.5, False, 0.0, 0.0, 1_000, 0, 20.0, 0.0, False, 0.05, 1e-9)


def verdict_row(segment: Segment, state: State, level: str = "page", signal: str = "error") -> SegmentVerdict:
    return SegmentVerdict(
        segment, signal, "directional", state, 40, pairs_needed=171, effect=0.01, level=level
    )


def test_all_required_segments_ok_is_ok() -> None:
    found = assemble([verdict_row(ALL, "ok"), verdict_row(TH, "ok"), verdict_row(DE, "inconclusive")], FACTS)
    assert (found.verdict, found.warnings) == ("ok", ())


def test_a_diverged_page_anywhere_is_diverged() -> None:
    assert assemble([verdict_row(ALL, "ok"), verdict_row(DE, "diverged")], FACTS).verdict == "diverged"


def test_a_diverged_ticket_is_not() -> None:
    rows = [verdict_row(ALL, "ok"), verdict_row(TH, "diverged", "ticket")]
    assert assemble(rows, FACTS).verdict == "ok"


def test_a_starved_required_segment_is_named_with_what_it_lacks() -> None:
    found = assemble([verdict_row(ALL, "ok"), verdict_row(TH, "inconclusive")], FACTS)
    assert found.verdict == "inconclusive"
    assert found.warnings == ("language=th needs 131 more pairs for error (40 of 171)",)


def test_a_missing_arm_is_a_warning_unless_its_signal_is_required() -> None:
    rows = [verdict_row(ALL, "ok"), verdict_row(ALL, "inconclusive", signal="answer")]
    facts = replace(FACTS, required=(ALL,), missing={(ALL, "answer"): "4 of 30 replays"})
    found = assemble(rows, facts)
    assert (found.verdict, found.warnings) == ("ok", ("answer is not judged in all: 4 of 30 replays",))
    assert assemble(rows, replace(facts, required_signals=("answer",))).verdict == "inconclusive"


def test_nothing_scored_yet_is_inconclusive_and_says_so() -> None:
    found = assemble([], FACTS)
    assert (found.verdict, found.warnings) == ("inconclusive", ("no pair was scored on a page signal yet",))


def test_a_segment_that_a_person_named_must_be_seen() -> None:
    rows = [verdict_row(ALL, "ok")]
    assert assemble(rows, FACTS).verdict == "ok"
    found = assemble(rows, replace(FACTS, named=True))
    assert (found.verdict, found.warnings) == (
        "inconclusive",
        ("required segment language=th has no scored pair",),
    )


def test_a_row_with_enough_pairs_and_no_decision_says_so_and_asks_for_none() -> None:
    between = replace(verdict_row(TH, "inconclusive"), pairs=300, pairs_needed=69, effect=0.09)
    found = assemble([verdict_row(ALL, "ok"), replace(between, lower=0.06, upper=0.128)], FACTS)
    assert found.warnings == (
        "language=th: error lies between ok and diverged at 300 pairs (excess +9.0 [6.0, 12.8] points)",
    )


def test_old_evidence_does_not_speak() -> None:
    facts = replace(FACTS, stale="no scored pair for 2 h")
    for state in ("ok", "diverged"):
        found = assemble([verdict_row(ALL, state), verdict_row(TH, state)], facts)
        assert (found.verdict, found.warnings[0]) == ("inconclusive", "no scored pair for 2 h")


def test_required_segments_have_a_hundredth_of_the_traffic_or_were_named() -> None:
    eligible = {ALL: 1_000, TH: 10, DE: 9}
    assert required_segments(eligible, None) == (ALL, TH)
    assert required_segments(eligible, ["language=de"]) == ("language=de",)  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("row", "state"),
    [
        (ROW, "ok"),
        (replace(ROW, pairs=50), "inconclusive"),
        (replace(ROW, firing=True, wealth=10.0), "diverged"),
        (replace(ROW, pairs=0), "inconclusive"),
    ],
)
def test_a_row_is_ok_once_a_rise_would_have_been_seen(row: Row, state: State) -> None:
    (made,), missing = live_rows([row], 0.15, 150_000.0)
    assert (made.verdict, missing) == (state, {})


def test_effect_is_the_excess_over_what_the_row_is_held_against() -> None:
    two = replace(ROW, signal="answer", two_stream=True, replays=100, sum_x=200.0, sum_x0=10.0)
    gap = replace(ROW, signal="calibration_gap", sum_x=550.0)
    slow = replace(ROW, signal="latency_p95", sum_x=200.0, null=0.06, references=400)
    made, _ = live_rows([ROW, two, gap, slow], 0.15, 150_000.0)
    assert [row.effect for row in made] == pytest.approx([0.02, 0.1, 0.1, 0.14])
    assert [row.noise_floor for row in made] == [None, pytest.approx(0.1), None, 0.06]


def test_rows_without_their_arm_say_what_is_missing() -> None:
    slow = replace(ROW, signal="latency_p95", ready=False, references=17)
    flip = replace(ROW, signal="format", two_stream=True, ready=False, replays=3)
    _, missing = live_rows([slow, flip], 0.15, 150_000.0)
    assert list(missing.values()) == ["17 of 200 latency replays", "3 of 30 replays"]


def made() -> Verdict:
    rows = [
        replace(verdict_row(TH, "diverged"), evidence=10.0, upper=float("inf"), examples=("p1",)),
        verdict_row(ALL, "ok"),
    ]
    return assemble(rows, FACTS)


def test_the_json_obeys_the_shipped_schema_and_has_no_infinities() -> None:
    found = to_json(made())
    jsonschema.Draft202012Validator.check_schema(dict(schema()))
    jsonschema.validate(found, schema())
    json.dumps(found, allow_nan=False)
    assert found["since"] == "2025-11-22T08:26:40.000Z"
    assert found["segments"][0]["upper"] is None


def test_the_json_has_the_names_of_the_contract() -> None:
    found = to_json(made())
    assert list(found) == [
        "verdict",
        "route",
        "pairs",
        "since",
        "config_hash",
        "segments",
        "funnel",
        "warnings",
    ]
    contract = "segment signal kind verdict pairs pairs_needed baseline candidate noise_floor effect lower upper evidence p_value explained_by examples"
    assert list(found["segments"][0])[:16] == contract.split()


def test_the_schema_refuses_another_state() -> None:
    found = to_json(made())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**found, "verdict": "fine"}, schema())
