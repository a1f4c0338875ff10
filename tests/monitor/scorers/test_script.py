"""Drift into another script or language, where the baseline stayed in the expected one."""

from __future__ import annotations

import pytest

from monitor.records import Score
from monitor.scorers.script import language, script
from tests.monitor.made import pair

ENGLISH = "The trader sold forty bags of wheat because each bag brought him eight dollars of profit."
GERMAN = "Der Händler verkaufte vierzig Säcke Weizen, weil ihm jeder Sack acht Dollar Gewinn brachte."
SWAHILI = "Mfanyabiashara aliuza mifuko arobaini ya ngano kwa sababu kila mfuko ulimletea faida ya dola nane."
THAI = "พ่อค้าขายข้าวสาลีสี่สิบกระสอบ เพราะแต่ละกระสอบทำกำไรให้เขาแปดดอลลาร์"
CHINESE = "商人卖掉了四十袋小麦,因为每袋小麦给他带来八美元的利润,所以他总共赚了三百二十美元。"
ASK_GERMAN = "Wie viele Säcke Weizen verkaufte der Händler, und warum waren es gerade so viele?"
ASK_THAI = "พ่อค้าขายข้าวสาลีได้กี่กระสอบ และเพราะเหตุใด"
FENCE = "\n```python\nfor bag in bags_of_wheat:\n    sell_the_bag_of_wheat(bag)\n```\n"


def value(score: Score | None) -> float | None:
    return None if score is None else score.value


@pytest.mark.parametrize(
    ("prompt", "baseline", "candidate", "expected"),
    [
        (ASK_THAI, THAI, THAI + " ครับ", 0.0),
        (ASK_THAI, THAI, ENGLISH, 1.0),
        (ASK_THAI, THAI, THAI + " " + CHINESE[:12], 1.0),
        (ASK_THAI, THAI, THAI + " Python NumPy", 0.0),
        (ASK_THAI, THAI, THAI + FENCE, 0.0),
        (ASK_THAI, ENGLISH, THAI, None),
        (ASK_GERMAN, GERMAN, GERMAN + " Ende.", 0.0),
        (ASK_GERMAN, GERMAN, CHINESE, 1.0),
        (ASK_GERMAN, "Vierzig.", "四十。", None),
        ("Reply in Thai: how many bags did he sell?", THAI, ENGLISH, 1.0),
        ("Transliterate into romaji: 商人", ENGLISH, CHINESE, None),
    ],
)
def test_script(prompt: str, baseline: str, candidate: str, expected: float | None) -> None:
    assert expected == value(script(pair(prompt, baseline, candidate)))


@pytest.mark.parametrize(
    ("prompt", "baseline", "candidate", "expected"),
    [
        (ASK_GERMAN, GERMAN, ENGLISH, 1.0),
        (ASK_GERMAN, GERMAN, GERMAN + " Das war alles.", 0.0),
        (ASK_GERMAN, ENGLISH, GERMAN, None),
        (ASK_GERMAN, GERMAN, "42", None),
        ("Answer in Swahili: how many bags?", SWAHILI, ENGLISH, 1.0),
        ("Answer in Swahili: how many bags?", ENGLISH, SWAHILI, None),
        (ASK_GERMAN, f"{GERMAN}\n{GERMAN}", f"{GERMAN}\n{ENGLISH}\n{GERMAN}\n{ENGLISH}", 1.0),
        (ASK_GERMAN, f"{GERMAN}\n{GERMAN}\n{GERMAN}\n{ENGLISH}", f"{GERMAN}\n{GERMAN}\n{ENGLISH}", 0.0),
        (ASK_GERMAN, GERMAN, f"<think>{ENGLISH}</think>\n{GERMAN}", 0.0),
    ],
)
def test_language(prompt: str, baseline: str, candidate: str, expected: float | None) -> None:
    assert expected == value(language(pair(prompt, baseline, candidate)))


def test_the_label_names_both_languages() -> None:
    score = language(pair(ASK_GERMAN, GERMAN, ENGLISH))
    assert score is not None
    assert score.label == "de_to_en"


def test_the_system_prompt_may_ask_for_a_language() -> None:
    judged = pair("How many bags were sold?", GERMAN, ENGLISH, system="Always answer in German.")
    assert value(language(judged)) == 1.0
    assert value(language(pair("How many bags were sold?", GERMAN, ENGLISH))) is None
