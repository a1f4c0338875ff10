"""Scripts of texts, against names of the Unicode Standard."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import scripts

SAMPLES = {
    "latin": "naïve café",
    "cyrillic": "Привет",
    "greek": "Καλημέρα",
    "han": "你好世界",
    "japanese": "これは漢字です",
    "hangul": "안녕하세요 漢字",
    "ethiopic": "ሰላም",
    "telugu": "నమస్తే",
    "khmer": "សួស្តី",
    "tibetan": "བཀྲ་ཤིས",
    "canadian_aboriginal": "ᐃᓄᒃᑎᑐᑦ",
    "ol_chiki": "ᱥᱟᱱᱛᱟᱲᱤ",
    "old_italic": "𐌀𐌁𐌂",
    "tai_tham": "ᨠᨡ",
    "unknown": "12 + 3 = 15 !",
}


@pytest.mark.parametrize(("name", "text"), SAMPLES.items())
def test_names_the_dominant_script(name: str, text: str) -> None:
    assert name == scripts.script(text)


def test_halfwidth_and_fullwidth_letters_belong_to_their_scripts() -> None:
    assert scripts.letters("ｱｲｳＡＢﾡ") == {"katakana": 3, "latin": 2, "hangul": 1}


def test_the_prolonged_sound_mark_is_kana() -> None:
    assert scripts.letters("コーヒー") == {"katakana": 4}


def test_a_few_kana_in_a_chinese_text_leave_it_chinese() -> None:
    assert scripts.script("日本的点心叫做「の」字饼是一种非常有名的传统食品在东京可以买到") == "han"


def test_ideographs_weigh_twice_in_mixed_text() -> None:
    assert scripts.script("请解释一下机器学习 machine learning") == "han"


def test_other_scripts_are_blanked_out_and_marks_are_kept() -> None:
    assert scripts.only("hello नमस्ते ।", "devanagari") == "      नमस्ते ।"


@settings(deadline=None)
@given(st.text(st.characters(codec=None), max_size=300))
def test_any_text_has_at_most_as_many_letters_as_characters(text: str) -> None:
    counts = scripts.letters(text)
    assert sum(counts.values()) <= len(text)
    assert (
        scripts.script(text) == "unknown" if not counts else scripts.script(text) in scripts.written_in(text)
    )


def test_every_letter_is_counted_for_the_script_that_its_name_gives() -> None:
    every = "".join(map(chr, filter(lambda code: chr(code).isalpha(), range(0x110000))))
    named = Counter(script for letter in every if (script := scripts.script_of(letter)) is not None)
    counted: Counter[str] = Counter()
    for start in range(0, len(every), 10_000):
        counted.update(scripts.letters(every[start : start + 10_000]))
    assert counted == named
