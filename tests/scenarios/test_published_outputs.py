"""Real published outputs, through the code path of `tailgate score`: the stories with known endings.

A quantization that broke one bench of four, an upgrade that made a model faster and worse, a fence
that broke a parser, a guardrail that refuses too much; and harmless changes that must stay silent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from statistics import median

import pytest

from tests.benchmarks.runs import MISSING, RUNS, find
from tests.benchmarks.scored_runs import Run, run
from tests.benchmarks.scoring_expectations import (
    Check,
    Get,
    llmdrift,
    refusal_accuracy,
    shaberi,
    xstest,
    zeroeval,
)
from tests.benchmarks.text_rivals import f1

pytestmark = [pytest.mark.corpora, pytest.mark.skipif(not RUNS.is_dir(), reason=MISSING)]


@cache
def scored(set_: str, baseline: str, candidate: str) -> Run:
    return run(find(set_, baseline, candidate))


@pytest.mark.parametrize("story", [shaberi, zeroeval, llmdrift, xstest, refusal_accuracy])
def test_every_line_of_the_acceptance_list_holds(story: Callable[[Get], Iterator[Check]]) -> None:
    broken = [f"{check.what}: {check.detail}" for check in story(scored) if not check.holds]
    assert broken == []


def test_the_median_answer_of_the_broken_quantization_looks_normal() -> None:
    broken = scored("shaberi_quant_ja", "shisa-v2-llama3.1-405b", "405b-W4A16-gs128")
    harmless = scored("shaberi_quant_ja", "cyberagent", "2408-FP8")
    assert abs(median(f1(broken)) - median(f1(harmless))) < 0.05


def test_a_control_arm_silences_what_the_baseline_does_to_itself() -> None:
    pair = find("zeroeval_crux", "405B-Instruct@hyperbolic", "405B-Inst-fp8")
    control = find("zeroeval_crux", "405B-Instruct@hyperbolic", "405B-Inst@sambanova")
    assert [row.signal for row in run(pair, control).unexplained()] == []


def test_no_scorer_fails_on_real_text() -> None:
    sets = [
        ("llmdrift_prime", "gpt-4-0314", "gpt-4-0613"),
        ("zeroeval_crux", "gpt-4o-2024-08", "4o-mini-2024-07-18"),
    ]
    assert [dict(scored(*words).result.failures) for words in sets] == [{}, {}]
