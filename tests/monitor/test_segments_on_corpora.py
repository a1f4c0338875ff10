"""Segmenters on published requests with labels (UDHR, MGSM, HumanEval, BFCL, MMLU, IFEval, ...).

Read in place, skipped where the corpora are absent. The bounds are those of issue 3.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest

from monitor import languages, scripts
from monitor.records import Completion, Exchange, Message, Request
from monitor.segments import segments_of
from tests.benchmarks.runs import CORPORA

REQUESTS: Final = CORPORA / "requests"
pytestmark = [
    pytest.mark.corpora,
    pytest.mark.skipif(not REQUESTS.is_dir(), reason=f"{REQUESTS} is absent: set TAILGATE_CORPORA"),
]

# ISO 639-3 labels of the corpora as ISO 639-1, languages joined as languages.canonical joins them.
_ISO1: Final = dict(
    pair.split(":")
    for pair in [
        "amh:am",
        "ben:bn",
        "bod:bo",
        "ell:el",
        "guj:gu",
        "hau:ha",
        "heb:he",
        "hin:hi",
        "hye:hy",
        "ibo:ig",
        "kan:kn",
        "kat:ka",
        "khk:mn",
        "khm:km",
        "kin:rw",
        "lao:lo",
        "lug:lg",
        "mal:ml",
        "mya:my",
        "nep:ne",
        "pan:pa",
        "pes:fa",
        "quz:qu",
        "rus:ru",
        "som:so",
        "swh:sw",
        "tam:ta",
        "tha:th",
        "tir:ti",
        "uig:ug",
        "urd:ur",
        "wol:wo",
        "zul:zu",
        "tel:te",
        "jpn:ja",
        "kor:ko",
    ]
)
_TASKS: Final = {
    "math": "math",
    "code": "code",
    "json_extraction": "json",
    "tool_call": "tools",
    "mcq": "choice",
}
# Labels by topic; what the request itself asks for is another question.
_BY_TOPIC: Final = {"arena_hard", "mt_bench"}


def _rows(name: str) -> Iterator[Mapping[str, Any]]:
    with (REQUESTS / f"{name}.jsonl").open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _segments(row: Mapping[str, Any]) -> Mapping[str, str]:
    body = row["request"]
    messages = tuple(Message(m["role"], m["content"]) for m in body["messages"])
    return segments_of(
        Exchange(row["id"], 0.0, Request("chat", body, messages, body["model"]), Completion("x"))
    )


def _misses(name: str, dimension: str, expected: Mapping[str, str]) -> list[str]:
    return [
        f"{row['id']}: {found} for {label}"
        for row in _rows(name)
        if (label := row["dims"].get(dimension)) is not None
        and (found := _segments(row)[{"lang": "language"}.get(dimension, dimension)])
        != expected.get(label, label)
    ]


def _count(name: str) -> int:
    return sum(1 for _ in _rows(name))


@pytest.mark.parametrize("name", ["udhr_lowresource", "mgsm"])
def test_language_is_right_on_97_percent(name: str) -> None:
    misses = _misses(name, "lang", _ISO1)
    assert len(misses) <= 0.03 * _count(name), misses


@pytest.mark.parametrize("name", ["udhr_lowresource", "mgsm"])
def test_script_is_right_everywhere(name: str) -> None:
    scripts = {label: label.lower() for row in _rows(name) if (label := row["dims"].get("script"))}
    assert _misses(name, "script", scripts) == []


@pytest.mark.parametrize("name", ["udhr_lowresource", "mgsm"])
def test_language_of_the_bare_text_is_right_on_97_percent(name: str) -> None:
    part = {"udhr_lowresource": 1, "mgsm": 0}[name]
    rows = [
        (r["request"]["messages"][-1]["content"].split("\n\n")[part], r["dims"]["lang"]) for r in _rows(name)
    ]
    wrong = [
        label
        for text, label in rows
        if len(text) >= 40 and languages.language(text) != _ISO1.get(label, label)
    ]
    assert len(wrong) <= 0.03 * len(rows), wrong


def test_task_is_right_on_95_percent() -> None:
    names = sorted({path.stem for path in REQUESTS.glob("*.jsonl")} - _BY_TOPIC)
    pairs = [
        (row["id"], _segments(row)["task"], _TASKS.get(row["dims"]["task"], "chat"))
        for name in names
        for row in _rows(name)
    ]
    wrong = [f"{id_}: {found} for {label}" for id_, found, label in pairs if found != label]
    assert len(wrong) <= 0.05 * len(pairs), wrong


@pytest.mark.parametrize(
    "name", ["humaneval", "gsm8k", "mgsm", "mmlu", "truthfulqa_mc1", "bfcl", "json_extraction"]
)
def test_task_is_right_in_every_single_task_corpus(name: str) -> None:
    wrong = [r["id"] for r in _rows(name) if _segments(r)["task"] != _TASKS[r["dims"]["task"]]]
    assert len(wrong) <= 0.05 * _count(name), wrong


def test_estimated_context_is_within_a_band_of_the_stated_length() -> None:
    bands = ["<1k", "1k-4k", "4k-8k", "8k-32k"]
    stated = {1_000: 1, 4_000: 2, 8_000: 3, 12_000: 3, 16_000: 3}
    far = [
        (row["id"], found)
        for row in _rows("longctx_needles")
        if abs(bands.index(found := _segments(row)["context"]) - stated[row["dims"]["approx_tokens"]]) > 1
    ]
    assert far == []


def test_without_cld2_language_is_right_on_90_percent() -> None:
    wrong = []
    for row in _rows("udhr_lowresource"):
        text, label = row["request"]["messages"][-1]["content"].split("\n\n")[1], _ISO1[row["dims"]["lang"]]
        system = scripts.script(text)
        found = (
            languages.SINGLE.get(system)
            or languages._second_opinion(text, system, languages.NOTHING).language
        )
        wrong += [label] if found != label else []
    assert len(wrong) <= 0.1 * _count("udhr_lowresource"), wrong
