"""The stand-in answers what the demo asks, rightly and always the same."""

import ast
import json
from itertools import islice
from typing import Any

import pytest

from monitor import languages
from monitor.openai_api import parse_request
from monitor.records import Request
from monitor.standin.answers import Answer, answer
from monitor.standin.phrases import PHRASES
from monitor.standin.traffic import traffic


def chat(text: str, **fields: Any) -> Request:
    return parse_request("chat", {"messages": [{"role": "user", "content": text}], **fields})


def said(request: Request, role: str = "baseline", draw: int = 0) -> Answer:
    return answer(request, seed=0, role=role, draw=draw)


@pytest.mark.parametrize(
    ("question", "result"),
    [
        ("What is 12 + 30 * 2?", "72"),
        ("What is 7 × 8 - 1?", "55"),
        ("What is 1 / 0 + 4, with 3 and 2 and 5?", "1"),
        ("Tom has 12 apples and buys 3 boxes with 4 apples in each box. How many apples?", "24"),
        ("小明有12个苹果，又买了3箱，每箱4个苹果。请问一共有多少个苹果？", "24"),
    ],
)
def test_arithmetic_is_right(question: str, result: str) -> None:
    assert said(chat(question)).key == result


def test_the_demanded_last_line_is_kept() -> None:
    assert said(chat("What is 2 + 3?\n\n#### <number>")).text.endswith("\n#### 5")


@pytest.mark.parametrize("language", PHRASES)
def test_open_questions_are_answered_in_their_language(language: str) -> None:
    words = PHRASES[language]
    question = words.asks[0].format(name=words.names[0], city=words.cities[0], n=5)
    assert languages.language(said(chat(question)).text) == language


def test_languages_without_words_get_their_own_script_back() -> None:
    assert said(chat("ตัวอย่าง. สวัสดี")).text
    assert languages.language(said(chat("Μπορείς να με βοηθήσεις με το ταξίδι μου στην Αθήνα;")).text) == "el"


def test_json_has_the_keys_and_values_of_the_prose() -> None:
    text = (
        "Extract the order as JSON with the keys order_id, customer, quantity and unit_price. Return only JSON.\n\n"
        "Order PO-12345 from Greta Kovac in Nairobi: 7 pieces at 310.66 each."
    )
    expected = {"order_id": "PO-12345", "customer": "Greta Kovac", "quantity": 7, "unit_price": 310.66}
    assert json.loads(said(chat(text)).text) == expected


def test_json_follows_a_schema() -> None:
    properties = {
        "size": {"type": "integer"},
        "kind": {"enum": ["a", "b"]},
        "tags": {"type": "array", "items": {"type": "string"}},
    }
    schema = {"type": "json_schema", "json_schema": {"schema": {"type": "object", "properties": properties}}}
    value = json.loads(said(chat("Describe Lima, which has 9 gates.", response_format=schema)).text)
    assert (value["size"], value["kind"] in {"a", "b"}, len(value["tags"])) == (9, True, 1)


def test_choices_are_letters_and_right_where_they_can_be() -> None:
    question = "Which is the result of 7 × 8?\nA. 54\nB. 56\nC. 58\nAnswer with one letter only."
    assert said(chat(question)).text == "B"
    assert said(chat("Which colour is best?\nA. red\nB. blue")).key in {"A", "B"}


def test_code_parses() -> None:
    code = said(chat("Write a Python function `is_prime_7` that says whether a number is prime.")).text
    assert "def is_prime_7(" in code
    ast.parse(code.removeprefix("```python\n").removesuffix("```"))


def test_tools_are_called_with_arguments_of_their_schema() -> None:
    parameters = {"type": "object", "properties": {"city": {"type": "string"}, "hour": {"type": "integer"}}}
    tools = [
        {"type": "function", "function": {"name": name, "parameters": parameters}}
        for name in ("get_weather", "book_hotel")
    ]
    given = said(chat("What is the weather in Oslo at 7?", tools=tools))
    assert (given.tool_calls[0].name, given.finish_reason) == ("get_weather", "tool_calls")
    assert json.loads(given.tool_calls[0].arguments) == {"city": "Oslo", "hour": 7}
    assert not said(chat("What is the weather?", tools=tools, tool_choice="none")).tool_calls


def test_a_planted_fact_is_found() -> None:
    document = "Farmers bring apples. The access code of Lima is 48213. Ships enter before noon."
    assert "48213" in said(chat(f"{document}\n\nWhat is the access code of Lima?")).text


def test_answers_repeat_and_draws_differ() -> None:
    question = chat("I am travelling to Leeds for 5 days with my family. Which advice do you have for Mia?")
    assert said(question) == said(question)
    assert len({said(question, draw=draw).text for draw in range(20)}) > 5


def test_a_healthy_candidate_rewords_some_open_answers_and_no_checkable_one() -> None:
    requests = [parse_request("chat", plan.body) for plan in islice(traffic(1), 400)]
    pairs = [(said(request), said(request, "candidate")) for request in requests]
    assert all(a == b for a, b in pairs if a.key)
    assert 0.05 < sum(a != b for a, b in pairs) / len(pairs) < 0.3
