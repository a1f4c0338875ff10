"""Loops and drift on published outputs of quantized models (shaberi): broken is found, harmless is quiet."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest

from monitor.records import Completion, Exchange, Message, Pair, Request
from monitor.scorers import SCORERS
from tests.benchmarks.runs import MISSING, RUNS, answers, find, prompts

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
