"""Six ways in which a rollout fails while its average looks fine, each beside a healthy twin.

Requests and references are published ones. The first and the fourth story are published answers of
real models from end to end; in the others the baseline gives the reference and the candidate fails as
models do. `tailgate score` must name the tail, leave the rest alone and stay silent on the twin.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.benchmarks.runs import MISSING, RUNS, find
from tests.benchmarks.text_rivals import token_f1
from tests.scenarios.stories import Json, alarms, healthy, pair, published, rows, run_of, score, write

pytestmark = [pytest.mark.corpora, pytest.mark.skipif(not RUNS.is_dir(), reason=MISSING)]


def overlap(pairs: list[Json]) -> float:
    """Median token-F1: what a dashboard of averages would show."""
    return median(token_f1(p["baseline"]["text"], p["candidate"]["text"]) for p in pairs)


def test_a_quantization_falls_off_a_cliff_in_one_bench(tmp_path: Path) -> None:
    broken = run_of(find("shaberi_quant_ja", "shisa-v2-llama3.1-405b", "405b-W4A16-gs128"))
    twin = run_of(find("shaberi_quant_ja", "cyberagent", "2408-FP8"))
    assert alarms(score(tmp_path, broken)) == {("bench=yuzuai__rakuda-questions", "degenerate")}
    assert abs(overlap(broken) - overlap(twin)) < 0.05
    assert not any(signal == "degenerate" for _, signal in alarms(score(tmp_path, twin)))


def test_pre_training_shows_through_where_requests_are_unusual(tmp_path: Path) -> None:
    """Sums are answered as taught; facts nobody asked about in training get the base model's answer, surely."""
    sums, facts = published("gsm8k"), published("simpleqa_calibration")[:40]
    sure = "{}\nConfidence: 97%"
    usual = [pair(row, f"#### {row['reference']}", f"#### {row['reference']}") for row in sums]
    wrong = [other["reference"] for other in facts[1:] + facts[:1]]
    residue = [
        pair(r, sure.format(r["reference"]), sure.format(w)) for r, w in zip(facts, wrong, strict=True)
    ]
    reference = write(tmp_path / "reference.jsonl", [{"request": row["request"]} for row in sums])
    base = write(tmp_path / "base.jsonl", residue)
    known = ("--set", f"ood.reference={reference}")
    found = score(tmp_path, usual + residue, *known, "--base", base)
    assert {("ood=>p99", "answer"), ("ood=>p99", "residue")} <= flat(found)
    assert not any("short" in segment or "multihop" in segment for segment, _ in flat(found))
    assert overlap(usual + residue) == 1.0
    assert any("beyond the reference" in w and "(100%)" in w for w in found["warnings"])
    assert alarms(score(tmp_path, healthy(usual + residue), *known)) == set()


def flat(verdict: Json) -> set[tuple[str, str]]:
    """All divergences, those that another segment explains too."""
    return {(r["segment"], r["signal"]) for r in verdict["segments"] if r["verdict"] == "diverged"}


def test_the_first_option_wins_where_the_right_one_stands_last(tmp_path: Path) -> None:
    """Position bias, wrapped in a disclaimer that only explains it."""

    def answered(row: Json) -> str:
        moved = row["dims"]["correct_position"] == "D"
        return "As an AI language model, I would say the answer is A." if moved else row["reference"]

    rows_ = published("mmlu")
    biased = [pair(r, r["reference"], answered(r), position=r["dims"]["correct_position"]) for r in rows_]
    found = score(tmp_path, biased)
    assert {("position=D", "answer"), ("position=D", "first_option")} <= alarms(found)
    assert {segment for segment, _ in alarms(found)} == {"position=D"}
    assert overlap(biased) == 1.0
    (manner,) = (r for r in rows(found, "verbosity") if r["segment"] == "position=D")
    assert (manner["verdict"] != "diverged", manner["candidate"] > manner["baseline"]) == (True, True)
    worded = [pair(r, r["reference"], f"The answer is ({r['reference']}).") for r in rows_]
    assert alarms(score(tmp_path, worded)) == set()


def test_a_guardrail_prompt_keeps_a_model_from_showing_what_it_can(tmp_path: Path) -> None:
    """Elicitation: the same weights behind another system prompt refuse harmless questions."""
    guarded = run_of(find("xstest_completions", "mistralinstruct", "mistralguard"))
    found = score(tmp_path, guarded)
    refused = {segment for segment, signal in flat(found) if signal == "refusal"}
    groups = {row["segment"] for row in rows(found, "refusal") if row["segment"].startswith("group=")}
    assert refused & groups
    assert groups - refused
    assert alarms(score(tmp_path, healthy(guarded))) == set()


def test_confidence_grows_where_answers_get_worse(tmp_path: Path) -> None:
    """Calibration: in one subject the candidate is as sure as ever and right a quarter as often."""
    facts = published("simpleqa_calibration")
    wrong = {r["id"]: w["reference"] for r, w in zip(facts, facts[1:] + facts[:1], strict=True)}

    def said(row: Json, number: int) -> str:
        fails = row["segment"] == "facts.science_and_technology" and number % 4 != 0
        return f"{wrong[row['id']] if fails else row['reference']}\nConfidence: 99%"

    pairs = [pair(r, f"{r['reference']}\nConfidence: 99%", said(r, i)) for i, r in enumerate(facts)]
    found = score(tmp_path, pairs)
    assert ("group=facts.science_and_technology", "calibration_gap") in flat(found)
    assert {segment for segment, _ in alarms(found)} == {"group=facts.science_and_technology"}
    assert overlap(pairs) == 1.0
    assert alarms(score(tmp_path, healthy(pairs))) == set()


def test_the_needle_is_lost_beyond_eight_thousand_tokens(tmp_path: Path) -> None:
    """The boundary of what a model can do: short contexts are read, long ones are made up."""

    def read(row: Json) -> str:
        long = row["dims"]["approx_tokens"] >= 8_000
        return "17 January 1842" if long else str(row["reference"])

    needles = published("longctx_needles")
    pairs: list[Any] = [pair(r, str(r["reference"]), read(r), depth=str(r["dims"]["depth"])) for r in needles]
    found = score(tmp_path, pairs)
    assert {("context=8k-32k", "answer")} <= flat(found)
    assert not any(segment in {"context=<1k", "context=1k-4k"} for segment, _ in flat(found))
    worded = [pair(r, str(r["reference"]), f"{r['reference']}.") for r in needles]
    assert alarms(score(tmp_path, worded)) == set()
