"""Whose language counts in a request, and which one the answer should have."""

from __future__ import annotations

import pytest

from monitor import request_language

SWAHILI = "Kila mmoja anayo haki ya kushiriki katika Serikali ya nchi yake."


def test_an_english_instruction_does_not_decide_over_the_text_it_is_about() -> None:
    assert (
        request_language.language(
            f"Rewrite this in simpler words. Answer only in the same language.\n\n{SWAHILI}"
        )
        == "sw"
    )


def test_a_closing_instruction_about_the_form_does_not_decide() -> None:
    assert request_language.language(f"{SWAHILI}\n\n(Reason step by step. Last line: #### <number>)") == "sw"


def test_an_instruction_alone_is_the_content() -> None:
    assert request_language.language("Answer with one letter only.\nReply now.") == "en"


def test_code_is_no_language() -> None:
    prompt = "Was macht diese Funktion genau?\n```python\ndef read_the_file(path):\n    return open(path).read()\n```"
    assert request_language.language(prompt) == "de"


@pytest.mark.parametrize(
    ("code", "prompt"),
    [("unknown", "qwx zkj"), ("unknown", "f(x) = 3"), ("ko", "안녕?"), ("en", "Tell me a joke")],
)
def test_short_prompts_name_a_language_only_where_it_is_sure(code: str, prompt: str) -> None:
    assert code == request_language.language(prompt)


def test_script_follows_the_content() -> None:
    assert request_language.script("Rewrite this paragraph.\n\nእያንዳንዱ ሰው በመብቶቹና በግዴታዎቹ") == "ethiopic"


@pytest.mark.parametrize(
    ("code", "prompt"),
    [
        ("ko", "What is an SRE? Please respond to me only in Korean."),
        ("gu", "Your entire response should be in Gujarati, no other language is allowed."),
        ("mr", "Write a haiku using only the Marathi language."),
        ("de", "Translate the following sentence into German: good morning"),
        ("es", "Antworte bitte auf Spanisch."),
        ("ko", "Rédigez l'intégralité de votre réponse en coréen."),
        ("de", "Tu respuesta debe estar enteramente en alemán."),
        ("en", "Responda por favor em inglês."),
        ("fr", "フランス語で、地球の大気層について説明してください。"),
        ("en", "英訳して下さい。"),
        ("ja", "请用日语回答。"),
        ("en", "영어로 답해 주세요."),
        ("en", "Пожалуйста, ответь на английском."),
        (None, "Explain why Germans love bread."),
        (None, "How many people speak French in Canada?"),
        (None, "Tell me about the German economy."),
    ],
)
def test_the_language_asked_for(code: str | None, prompt: str) -> None:
    assert code == request_language.asked(prompt)
