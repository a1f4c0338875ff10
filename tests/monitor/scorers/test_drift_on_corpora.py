"""Loops and drift on published outputs of quantized models (shaberi): broken is found, harmless is quiet."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache

import pytest

from monitor import scripts
from monitor.records import Completion, Exchange, Message, Pair, Request
from monitor.scorers import SCORERS
from tests.benchmarks.runs import CORPORA, MISSING, RUNS, answers, find, prompts
from tests.monitor.made import pair

SET = "shaberi_quant_ja"
NAMES = ("degenerate", "script", "language", "refusal")
HARMLESS = (
    ("cyberagent", "2408-FP8"),
    ("cyberagent", "2408-W8A8"),
    ("cyberagent", "w4a16-gs128"),
    ("cyberagent", "gs32-noact"),
    ("deepseek-ai", "Q5_K_M"),
    ("shisa-v2-llama3.3-70b", "FP8-block"),
    ("shisa-v2-llama3.3-70b", "70b-W8A8-INT8"),
    ("meta-llama", "Instruct-FP8"),
)
pytestmark = [pytest.mark.corpora, pytest.mark.skipif(not RUNS.is_dir(), reason=MISSING)]


@cache
def _hits(baseline: str, candidate: str) -> tuple[Counter[str], int]:
    """How many pairs score 1 per signal, and how many pairs there are."""
    pair = find(SET, baseline, candidate)
    one, other = answers(SET, pair.baseline), answers(SET, pair.candidate)
    both = sorted(one.keys() & other.keys())
    hits: Counter[str] = Counter()
    for id_ in both:
        messages = tuple(Message(m["role"], m["content"]) for m in prompts(SET)[id_]["messages"])
        exchange = Exchange(id_, 0.0, Request("chat", {}, messages), Completion(one[id_]["text"]))
        judged = Pair(exchange, Completion(other[id_]["text"]))
        hits.update(name for name in NAMES if (score := SCORERS[name](judged)) and score.value == 1.0)
    return hits, len(both)


def test_every_garbage_answer_of_the_broken_quantization_is_degenerate() -> None:
    pair = find(SET, "405b", "W4A16-gs128")
    garbage = sum("!" * 200 in row["text"] for row in answers(SET, pair.candidate).values())
    assert _hits("405b", "W4A16-gs128")[0]["degenerate"] == garbage > 0


@pytest.mark.parametrize("pair", HARMLESS)
def test_harmless_quantizations_stay_quiet(pair: tuple[str, str]) -> None:
    hits, pairs = _hits(*pair)
    assert all(hits[name] <= max(2, 3 * pairs / 320) for name in NAMES), hits


REQUESTS = CORPORA / "requests" / "udhr_lowresource.jsonl"
ENGLISH = (
    "Everyone has the right to a standard of living adequate for the health and well-being of himself and of "
    "his family, including food, clothing, housing and medical care."
)


@cache
def _texts() -> tuple[tuple[str, str, str], ...]:
    """(language, prompt, its text) of the Universal Declaration in 33 low-resource languages."""
    with REQUESTS.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    prompts_ = [(row["dims"]["lang"], row["request"]["messages"][-1]["content"]) for row in rows]
    return tuple((code, prompt, prompt.split("\n\n")[1]) for code, prompt in prompts_)


def _drifts(name: str, prompt: str, baseline: str, candidate: str) -> bool:
    score = SCORERS[name](pair(prompt, baseline, candidate))
    assert score is not None
    return score.value == 1.0


def test_another_text_in_the_same_language_is_no_drift() -> None:
    same = [(p, t, u) for code, p, t in _texts() for other, _, u in _texts() if code == other and t != u]
    assert [p for p, t, u in same if _drifts("language", p, t, u) or _drifts("script", p, t, u)] == []


def test_english_instead_of_a_low_resource_language_is_drift() -> None:
    assert [code for code, p, t in _texts() if not _drifts("language", p, t, ENGLISH)] == []


def test_english_instead_of_a_language_in_another_script_is_drift_of_script() -> None:
    foreign = [(code, p, t) for code, p, t in _texts() if scripts.script(t) != "latin"]
    assert [code for code, p, t in foreign if not _drifts("script", p, t, ENGLISH)] == []
