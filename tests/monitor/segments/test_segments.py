"""One value per dimension, declared before built-in, named in order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.config import DeclaredSegment
from monitor.segments import ORDER, segment_names, segments_of
from tests.monitor.made import exchange, request

QUESTION = exchange("How many legs do three spiders and two dogs have in total?", model="m", stream=True)


def test_every_built_in_dimension_has_a_value_in_the_order_of_the_design() -> None:
    assert segments_of(QUESTION) == {
        "language": "en",
        "script": "latin",
        "task": "math",
        "context": "<1k",
        "turn": "1",
        "stream": "yes",
        "model": "m",
        "load": "unknown",
    }
    assert ORDER == ("language", "script", "task", "context", "turn", "stream", "model", "ood", "load")


def test_recorded_and_declared_dimensions_come_first_and_win() -> None:
    rules = {"tenant": DeclaredSegment(pointer="/metadata/tenant")}
    found = segments_of(replace(QUESTION, dims={"group": "x", "task": "riddle"}), rules)
    assert list(found)[:4] == ["group", "task", "tenant", "language"]
    assert (found["group"], found["task"], found["tenant"]) == ("x", "riddle", "unknown")


def test_out_of_distribution_stands_before_load() -> None:
    found = segments_of(QUESTION, ood=lambda _: {"ood": ">p99"})
    assert list(found)[-2:] == ["ood", "load"]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (DeclaredSegment(header="x-tenant"), "acme"),
        (DeclaredSegment(header="x-nothing"), "unknown"),
        (DeclaredSegment(pointer="/metadata/plan/0"), "pro"),
        (DeclaredSegment(pointer="/metadata/a~1b"), "yes"),
        (DeclaredSegment(pointer="/metadata"), "unknown"),
        (DeclaredSegment(pointer="/metadata/plan/7"), "unknown"),
        (DeclaredSegment(regex=r"(spiders|cats)"), "spiders"),
        (DeclaredSegment(regex=r"spiders"), "yes"),
        (DeclaredSegment(regex=r"cats"), "no"),
        (DeclaredSegment(regex=r"(cats)"), "unknown"),
    ],
)
def test_declared_values(rule: DeclaredSegment, expected: str) -> None:
    body: dict[str, Any] = {"metadata": {"plan": ["pro"], "a/b": True}}
    asked = replace(QUESTION, request=request(QUESTION.request.prompt, **body), headers={"X-Tenant": "acme"})
    assert expected == segments_of(asked, {"d": rule})["d"]


def test_values_cannot_forge_segment_names() -> None:
    found = segments_of(replace(QUESTION, dims={"group": " a=b,c=d\n\ud800" + "x" * 100}))
    assert found["group"][:9] == "a_b_c_d__"
    assert len(found["group"]) <= 64


def test_names_start_with_all_and_end_with_whole_crosses() -> None:
    dims = {"language": "th", "context": "8k-32k"}
    assert segment_names(dims, [("language", "context"), ("language", "tenant")]) == (
        "all",
        "language=th",
        "context=8k-32k",
        "language=th,context=8k-32k",
    )


def test_segments_do_not_look_at_the_answer() -> None:
    broken = replace(
        QUESTION, baseline=replace(QUESTION.baseline, text="ありがとう" * 500, error_type="timeout")
    )
    assert segments_of(QUESTION) == segments_of(broken)


@settings(deadline=None)
@given(st.text(st.characters(codec=None), max_size=300), st.text(st.characters(codec=None), max_size=80))
def test_any_text_has_a_value_in_every_dimension(prompt: str, tenant: str) -> None:
    found = segments_of(replace(exchange(prompt), dims={"tenant": tenant}))
    assert all(found.values())
    assert not any(mark in value for value in found.values() for mark in "=,\n")
