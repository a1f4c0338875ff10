"""The baseline's own answers: loops and foreign scripts are illnesses, translations are not."""

from __future__ import annotations

from monitor.health import baseline_illness
from tests.monitor.made import exchange

THAI = "พ่อค้าซื้อข้าวสาลีจำนวนหนึ่งจากชาวนาในราคา 20 ต่อกระสอบ เขาขายข้าวได้กี่กระสอบ"
ENGLISH = "The trader sold forty bags of wheat, because each bag brought him eight dollars of profit."


def test_a_looping_baseline_is_degenerate() -> None:
    assert baseline_illness(exchange(THAI, "ครับ " * 100)) == "degenerate"


def test_an_answer_without_the_expected_script_is_ill() -> None:
    assert baseline_illness(exchange(THAI, ENGLISH)) == "wrong_script"


def test_a_translation_that_was_asked_for_is_healthy() -> None:
    assert baseline_illness(exchange(f"Translate into English:\n\n{THAI}", ENGLISH)) is None


def test_short_answers_and_code_are_healthy() -> None:
    assert baseline_illness(exchange(THAI, "40")) is None
    assert (
        baseline_illness(
            exchange(THAI, "```python\nprint((30 - 20 - 2) * 5, 'bags of wheat were sold by him')\n```")
        )
        is None
    )
