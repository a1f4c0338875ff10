"""Segmenters beside the labels of published requests: language, script and task."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from monitor import languages, scripts
from monitor.records import Completion, Exchange, Message, Request
from monitor.segments import segments_of
from tests.benchmarks.runs import CORPORA

REQUESTS: Final = CORPORA / "requests"
LANGUAGES: Final = ("udhr_lowresource", "mgsm")
# ISO 639-3 labels of the corpora as ISO 639-1, languages joined as languages.canonical joins them.
ISO1: Final = dict(
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
TASKS: Final = {
    "math": "math",
    "code": "code",
    "json_extraction": "json",
    "tool_call": "tools",
    "mcq": "choice",
}
# Labels by topic; what the request itself asks for is another question.
BY_TOPIC: Final = {"arena_hard", "mt_bench"}
LEAST: Final = 40  # characters of a text whose language is asked


def requests(name: str) -> Iterator[Mapping[str, Any]]:
    with (REQUESTS / f"{name}.jsonl").open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def segments(row: Mapping[str, Any]) -> Mapping[str, str]:
    """Segments of one published request."""
    body = row["request"]
    messages = tuple(Message(m["role"], m["content"]) for m in body["messages"])
    return segments_of(
        Exchange(row["id"], 0.0, Request("chat", body, messages, body["model"]), Completion("x"))
    )


def texts(name: str) -> Iterator[tuple[str, str]]:
    """(bare text, language) of a set: without the English instruction around it."""
    part = {"udhr_lowresource": 1, "mgsm": 0}[name]
    for row in requests(name):
        text, label = row["request"]["messages"][-1]["content"].split("\n\n")[part], row["dims"]["lang"]
        if len(text) >= LEAST:
            yield text, ISO1.get(label, label)


def language_without_cld2(text: str) -> str:
    """What is said where no wheel of pycld2 exists."""
    system = scripts.script(text)
    single = languages.SINGLE.get(system)
    return single or languages._second_opinion(text, system, languages.NOTHING).language


def tasks() -> list[tuple[str, str, str]]:
    """(id, found, label) of every request whose label is a task."""
    names = sorted({path.stem for path in REQUESTS.glob("*.jsonl")} - BY_TOPIC)
    return [
        (row["id"], segments(row)["task"], TASKS.get(row["dims"]["task"], "chat"))
        for name in names
        for row in requests(name)
    ]
