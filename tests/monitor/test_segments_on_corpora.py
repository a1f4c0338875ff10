"""Segmenters on published requests with labels (UDHR, MGSM, HumanEval, BFCL, MMLU, IFEval, ...).

Read in place, skipped where the corpora are absent. The bounds are those of issue 3.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from monitor import languages
from tests.benchmarks.segment_truth import (
    ISO1,
    LANGUAGES,
    REQUESTS,
    TASKS,
    language_without_cld2,
    requests,
    segments,
    tasks,
    texts,
)

pytestmark = [
    pytest.mark.corpora,
    pytest.mark.skipif(not REQUESTS.is_dir(), reason=f"{REQUESTS} is absent: set TAILGATE_CORPORA"),
]


def _misses(name: str, dimension: str, expected: Mapping[str, str]) -> list[str]:
    return [
        f"{row['id']}: {found} for {label}"
        for row in requests(name)
        if (label := row["dims"].get(dimension)) is not None
        and (found := segments(row)[{"lang": "language"}.get(dimension, dimension)])
        != expected.get(label, label)
    ]


def _count(name: str) -> int:
    return sum(1 for _ in requests(name))


@pytest.mark.parametrize("name", LANGUAGES)
def test_language_is_right_on_97_percent(name: str) -> None:
    misses = _misses(name, "lang", ISO1)
    assert len(misses) <= 0.03 * _count(name), misses


@pytest.mark.parametrize("name", LANGUAGES)
def test_script_is_right_everywhere(name: str) -> None:
    scripts = {label: label.lower() for row in requests(name) if (label := row["dims"].get("script"))}
    assert _misses(name, "script", scripts) == []


@pytest.mark.parametrize("name", LANGUAGES)
def test_language_of_the_bare_text_is_right_on_97_percent(name: str) -> None:
    found = [(languages.language(text), label) for text, label in texts(name)]
    wrong = [label for language, label in found if language != label]
    assert len(wrong) <= 0.03 * len(found), wrong


def test_task_is_right_on_95_percent() -> None:
    pairs = tasks()
    wrong = [f"{id_}: {found} for {label}" for id_, found, label in pairs if found != label]
    assert len(wrong) <= 0.05 * len(pairs), wrong


@pytest.mark.parametrize(
    "name", ["humaneval", "gsm8k", "mgsm", "mmlu", "truthfulqa_mc1", "bfcl", "json_extraction"]
)
def test_task_is_right_in_every_single_task_corpus(name: str) -> None:
    wrong = [r["id"] for r in requests(name) if segments(r)["task"] != TASKS[r["dims"]["task"]]]
    assert len(wrong) <= 0.05 * _count(name), wrong


def test_estimated_context_is_within_a_band_of_the_stated_length() -> None:
    bands = ["<1k", "1k-4k", "4k-8k", "8k-32k"]
    stated = {1_000: 1, 4_000: 2, 8_000: 3, 12_000: 3, 16_000: 3}
    far = [
        (row["id"], found)
        for row in requests("longctx_needles")
        if abs(bands.index(found := segments(row)["context"]) - stated[row["dims"]["approx_tokens"]]) > 1
    ]
    assert far == []


def test_without_cld2_language_is_right_on_90_percent() -> None:
    found = [(language_without_cld2(text), label) for text, label in texts("udhr_lowresource")]
    wrong = [label for language, label in found if language != label]
    assert len(wrong) <= 0.1 * len(found), wrong
