"""Bands of prompt length, turns, streaming and load."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.segments import shape
from tests.monitor.made import exchange, request


@pytest.mark.parametrize(
    ("tokens", "band"),
    [(0, "<1k"), (999, "<1k"), (1_000, "1k-4k"), (7_999, "4k-8k"), (8_000, "8k-32k"), (127_999, "32k-128k"), (128_000, ">128k")],
)  # fmt: skip
def test_reported_tokens_decide_the_band(tokens: int, band: str) -> None:
    asked = exchange()
    assert band == shape.context(replace(asked, baseline=replace(asked.baseline, input_tokens=tokens)))


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("The committee will publish its findings before the end of the month. " * 100, 1_200, 2_000),
        ("人人生而自由,在尊严和权利上一律平等。" * 100, 1_000, 2_200),
        ("እያንዳንዱ ሰው በመብቶቹና በግዴታዎቹ አፈጻጸም " * 100, 2_500, 6_000),
    ],
)
def test_estimates_know_that_tail_scripts_cost_more(text: str, low: int, high: int) -> None:
    assert low < shape.estimated_tokens(request(text)) < high


def test_tool_definitions_count() -> None:
    tools = [{"type": "function", "function": {"name": "f", "description": "words " * 700}}]
    assert shape.context(exchange("Hi", tools=tools)) == "1k-4k"


@pytest.mark.parametrize(("turns", "band"), [(1, "1"), (2, "2-3"), (3, "2-3"), (4, "4+")])
def test_user_messages_are_turns(turns: int, band: str) -> None:
    assert band == shape.turn(exchange("Go on.", turns=turns))


@pytest.mark.parametrize(
    ("in_flight", "band"), [(None, "unknown"), (1, "1"), (4, "2-4"), (16, "5-16"), (64, "17-64"), (65, ">64")]
)
def test_requests_in_flight_are_load(in_flight: int | None, band: str) -> None:
    asked = exchange()
    assert band == shape.load(replace(asked, baseline=replace(asked.baseline, in_flight=in_flight)))


def test_stream_and_model_come_from_the_request() -> None:
    asked = exchange("Hi", stream=True, model="org/model=1,x")
    assert (shape.stream(asked), shape.model(asked)) == ("yes", "org/model_1_x")
    assert (shape.stream(exchange()), shape.model(exchange())) == ("no", "unknown")
