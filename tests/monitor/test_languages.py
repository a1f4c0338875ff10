"""Language identification: scripts that decide, CLD2, and the second opinion."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import languages

SENTENCES = {
    "en": "The committee will publish its findings before the end of the month.",
    "de": "Der Ausschuss veröffentlicht seine Ergebnisse noch vor dem Ende des Monats.",
    "sw": "Kila mtu ana haki ya kuishi, haki ya uhuru na haki ya usalama wa nafsi yake.",
    "hr": "Sva ljudska bića rađaju se slobodna i jednaka u dostojanstvu i pravima.",
    "sr": "Сва људска бића рађају се слободна и једнака у достојанству и правима.",
    "no": "Jeg vet ikke hva som kommer til å skje i morgen, men vi får prøve noe nytt likevel.",
    "he": "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם.",
    "te": "ప్రతి వ్యక్తికి జీవించే హక్కు ఉంది.",
    "ja": "すべての人間は、生まれながらにして自由である。",
    "zh": "人人生而自由,在尊严和权利上一律平等。",
}


@pytest.mark.parametrize(("code", "text"), SENTENCES.items())
def test_names_the_language_with_confidence(code: str, text: str) -> None:
    found = languages.detect(text)
    assert (code, True) == (found.language, found.reliable)


def test_numbers_and_symbols_have_no_language() -> None:
    assert languages.detect("1 + 1 = 2 → ✓") == languages.NOTHING


def test_control_characters_and_surrogates_do_not_disturb() -> None:
    assert languages.language("\x00\ud800 The committee will publish its findings soon.\ufffe") == "en"


def test_a_second_language_is_noticed() -> None:
    text = SENTENCES["en"] + " " + SENTENCES["de"]
    assert languages.detect(text).mixed
    assert not languages.detect(SENTENCES["en"] * 2).mixed


@pytest.mark.parametrize(
    ("code", "script", "expected"),
    [("iw", "hebrew", "he"), ("zh-Hant", "han", "zh"), ("nn", "latin", "no"), ("bs", "latin", "hr"), ("sr", "latin", "hr"), ("sr", "cyrillic", "sr")],
)  # fmt: skip
def test_codes_of_detectors_are_joined(code: str, script: str, expected: str) -> None:
    assert expected == languages.canonical(code, script)


@settings(deadline=None)
@given(st.text(st.characters(codec=None), max_size=200))
def test_any_text_gives_a_code_and_unknown_is_never_reliable(text: str) -> None:
    found = languages.detect(text)
    assert found.language
    assert not (found.language == languages.UNKNOWN and found.reliable)


@pytest.mark.parametrize("code", ["en", "de", "sw", "he", "hr"])
def test_without_cld2_the_second_opinion_decides(code: str) -> None:
    script = "hebrew" if code == "he" else "latin"
    assert code == languages._second_opinion(SENTENCES[code], script, languages.NOTHING).language
