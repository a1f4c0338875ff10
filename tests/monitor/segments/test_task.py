"""What a request asks for: declared forms before words, forms before subjects."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from monitor.segments.task import task
from tests.monitor.made import exchange

TOOLS = [{"type": "function", "function": {"name": "weather"}}]
SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}


@pytest.mark.parametrize(
    ("expected", "body"),
    [
        ("tools", {"tools": TOOLS}),
        ("chat", {"tools": TOOLS, "tool_choice": "none"}),
        ("json", {"response_format": {"type": "json_object"}}),
        ("json", {"response_format": SCHEMA}),
        ("chat", {"response_format": {"type": "text"}}),
        ("json", {"text": {"format": {"type": "json_schema"}}}),
        ("json", {"structured_outputs": {"json": {}}}),
    ],
)
def test_the_call_itself_declares_the_form(expected: str, body: dict[str, Any]) -> None:
    assert expected == task(exchange("What is the weather like in Paris?", **body))


@pytest.mark.parametrize(
    ("expected", "prompt"),
    [
        ("json", "List the planets. Format your entire output in JSON."),
        ("json", "Return the answer as a JSON array of integers."),
        ("json", "お風呂の種類のサンプルデータをJSON形式で作成してください。"),
        ("json", "La réponse doit être au format JSON."),
        ("code", "How do I parse a JSON file in Python?"),
        (
            "choice",
            "Which metal is liquid?\nA. Iron\nB. Mercury\nC. Gold\nD. Tin\nAnswer with one letter only.",
        ),
        ("choice", "Pick the best single option.\n(A). Very worried\n(B). Fairly worried\nAnswer:"),
        ("chat", "Improve my outline:\nA. Introduction\nB. Methods\nC. Results"),
        ("code", "Write a Python function that reverses a linked list."),
        ("code", "```python\ndef f(x):\n    return x\n```\nWhat is wrong here?"),
        ("code", "请写一个函数,把列表排序"),
        ("code", "Write a SQL query that joins authors and books."),
        ("chat", "How do I remove rust from my bike chain?"),
        ("chat", "How can I learn to code well with others?"),
        (
            "math",
            "A robe takes 2 bolts of blue fiber and half that much white fiber. How many bolts in total does it take?",
        ),
        ("math", "Solve x + 5 = 12 for x."),
        ("math", "ある商人が1袋20ドルで小麦を買い、30ドルで売った。商人は何袋の小麦を売ったか？"),
        ("math", "Muuzaji ananunua mifuko kwa $20 na kuuza kwa $30. Aliuza mifuko mingapi? Ni ngapi?"),
        (
            "math",
            "ジェイムズは週に3回、毎回60メートル走ります。ジェイムズは1週間で何メートル走るでしょうか？",
        ),
        ("math", "Caroline is 3 times older than Ben. Ben is 3 times older than Chris. How old is Caroline?"),
        ("math", "What is 12 * 12?\n\nWrite the final number on the last line as: #### <number>"),
        ("chat", "Write exactly 4 paragraphs and mention the word tower at least 3 times. How are you?"),
        ("chat", "What was the price of the painting that sold on March 26th, 2013?"),
        ("chat", "Tell me a story about a dragon."),
    ],
)
def test_words_tell_the_task(expected: str, prompt: str) -> None:
    assert expected == task(exchange(prompt))


def test_a_system_prompt_may_demand_json() -> None:
    assert task(exchange("Order of Greta, 7 of SK665.", system="Return only JSON with keys a, b.")) == "json"


def test_a_long_text_with_numbers_is_no_word_problem() -> None:
    speech = "In 40 states and 3 territories the people have spoken, and 12 more will follow. " * 40
    assert task(exchange(f"{speech}\nHow much patience do they have?")) == "chat"


def test_a_request_without_messages_is_unknown() -> None:
    asked = exchange()
    assert task(replace(asked, request=replace(asked.request, messages=()))) == "unknown"
