"""Constraints: mined from the prompt, checked on both answers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.scorers.constraint import constraint
from monitor.scorers.constraints import check, constraints_of
from tests.monitor.made import pair, request


def mined(prompt: str) -> list[tuple[str, dict[str, Any]]]:
    return [(c.kind, c.args) for c in constraints_of(request(prompt))]


@pytest.mark.parametrize(
    ("prompt", "kind", "args"),
    [
        ("Tell me about tea in at least 300 words, please.", "number_words", {"relation": "at least", "num_words": 300}),
        ("Explain tea. Use no more than 50 words.", "number_words", {"relation": "less than", "num_words": 51}),
        ("Write a 150+ word ad for the tea.", "number_words", {"relation": "at least", "num_words": 150}),
        ("Explain the tea in fewer than five sentences.", "number_sentences", {"relation": "less than", "num_sentences": 5}),
        ("Give exactly 3 bullet points about the tea.", "number_bullet_lists", {"num_bullets": 3}),
        ("Write the mail with at least two placeholders, such as [name].", "number_placeholders", {"num_placeholders": 2}),
        ('The word "tea" should appear at most twice in the answer.', "frequency", {"keyword": "tea", "relation": "less than", "frequency": 3}),
        ("Write the poem without using the letter q more than twice.", "letter_frequency", {"letter": "q", "let_relation": "less than", "let_frequency": 3}),
        ('Describe it. Do not include the words "hot" and "cold".', "forbidden_words", {"forbidden_words": ["hot", "cold"]}),
        ("Include the keywords 'leaf' and 'water' in your answer.", "existence", {"keywords": ["leaf", "water"]}),
        ('End your answer with the phrase "Enjoy it!" and nothing else.', "end_checker", {"end_phrase": "Enjoy it!"}),
        ("Your entire response should be in Korean, no other language.", "response_language", {"language": "ko"}),
        ("Write a tweet of no more than 280 characters.", "number_letters", {"relation": "less than", "num_letters": 281}),
        ("Describe el producto en menos de 50 palabras.", "number_words", {"relation": "como máximo", "num_words": 49}),
        ("お茶について100字以内で説明してください。", "number_letters", {"relation": "未満", "num_letters": 101}),
        ('Your reply must start with "Dear customer".', "start_checker", {"start_phrase": "Dear customer"}),
        ("Rédigez votre réponse en moins de 80 mots.", "number_words", {"relation": "moins de", "num_words": 80}),
        ("Répondez à la question sans utiliser la lettre ç.", "ethel_or_cedilla", {"forbidden_char": "ç"}),
        ("Responde a la pregunta con un máximo de 15 frases.", "number_sentences", {"relation": "como máximo", "num_sentences": 15}),
        ("Erkläre das und schreib höchstens 40 Wörter.", "number_words", {"relation": "less than", "num_words": 41}),
        ("お茶について3文未満で説明してください。", "number_sentences", {"relation": "未満", "num_sentences": 3}),
        ("「熱い」という単語を使わないで説明してください。", "forbidden_words", {"forbidden_words": ["熱い"]}),
        ("お茶について韓国語で答えてください。", "response_language", {"language": "ko"}),
    ],
)  # fmt: skip
def test_a_stated_constraint_is_found_with_its_arguments(
    prompt: str, kind: str, args: dict[str, Any]
) -> None:
    assert [args] == [found for name, found in mined(prompt) if name.endswith(f":{kind}")]


@pytest.mark.parametrize(
    ("prompt", "kind"),
    [
        ("Answer in all capital letters, please, about the tea.", "change_case:english_capital"),
        ("What is the tea? Use only lowercase letters.", "change_case:english_lowercase"),
        ("Describe the tea. Do not use commas.", "punctuation:no_comma"),
        ("Wrap your entire response with double quotation marks.", "startend:quotation"),
        ("Give the answer a title, i.e. <<title>>.", "detectable_format:title"),
        ("Give two different responses, separated by 6 asterisks ******.", "combination:two_responses"),
        ("Name the tea of the year in one word.", "length_constraints:one_word"),
        ("Is the tea hot? Answer with yes or no.", "detectable_format:yes_no"),
        ("Nennen Sie den Tee und verwende keine Kommas, kein Komma.", "punctuation:no_comma"),
        ("お茶についてひらがなだけで書いてください。", "letters:hiragana_only"),
    ],
)
def test_a_form_without_arguments_is_found(prompt: str, kind: str) -> None:
    assert kind in [name for name, _ in mined(prompt)]


@pytest.mark.parametrize(
    "prompt",
    [
        "Each line of the poem should hold exactly one sentence, in your own words.",
        "How many words are there in the English language?",
        "Summarise the report on capital markets for the board.",
        "The report is over 300 words long. Summarise it.",
        "I have 3 words for you: go home now.",
        "Translate the sentence into German: the letter is on the table.",
        'def f(x):\n    """Return the words of x in all lowercase letters, no commas."""',
        "Ann has 3 words on 5 cards. How many cards does she have?",
    ],
)
def test_a_description_is_not_taken_for_a_constraint(prompt: str) -> None:
    assert mined(prompt) == []


@pytest.mark.parametrize(
    ("prompt", "kept", "broken"),
    [
        ("Tell me about the tea in at most 3 words.", "It is hot", "It is hot, very hot"),
        ("Describe the tea in exactly 2 sentences.", "It is hot. Dr. No likes it.", "It is hot."),
        ("Describe the tea in two paragraphs, separated by the divider ***.", "One.\n***\nTwo.", "One.\n\nTwo."),
        ("Highlight at least 2 sections with markdown, i.e. *this*.", "*a* and *b*", "*a* and b"),
        ("Describe the tea. Do not use commas.", "Hot and sweet.", "Hot, sweet."),
        ("Answer in the mail with at least one placeholder, such as [name].", "Dear [name]", "Dear Ann"),
        ('Finish your response with the phrase "Enjoy it!"', "Tea. Enjoy it!", "Enjoy it! Tea."),
        ("Write everything only in French.", "Le thé est une boisson chaude.", "Tea is a hot drink."),
        ("Add a postscript starting with P.S. to the letter.", "Tea.\nP.S. Hot.", "Tea."),
    ],
)  # fmt: skip
def test_kept_to_broken_scores_one_and_only_that_way(prompt: str, kept: str, broken: str) -> None:
    worse, better = constraint(pair(prompt, kept, broken)), constraint(pair(prompt, broken, kept))
    assert worse is not None
    assert better is not None
    assert [worse.value, worse.baseline, worse.candidate] == [1.0, 0.0, 1.0]
    assert [better.value, better.baseline, better.candidate] == [0.0, 1.0, 0.0]


def test_in_two_sentences_is_exact() -> None:
    bounds = [args for _, args in mined("What is DNS? Answer in two sentences.")]
    assert bounds == [
        {"relation": "at least", "num_sentences": 2},
        {"relation": "less than", "num_sentences": 3},
    ]


def test_the_explanation_names_the_constraint() -> None:
    score = constraint(pair("Tell me about the tea in at most 3 words.", "It is hot", "It is very hot"))
    assert score is not None
    assert score.explanation == "broke number words less than 4"
    assert score.label == "number_words"


def test_without_a_constraint_it_does_not_apply() -> None:
    assert constraint(pair("Tell me about tea.", "It is hot.", "It is cold.")) is None


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(codec=None), max_size=120), st.text(st.characters(codec=None), max_size=120))
def test_any_text_is_mined_and_checked_without_an_error(noise: str, answer: str) -> None:
    prompts = (
        f'Write at least {noise} 3 words in your answer, use no commas, "{noise}" and all caps.',
        f"応答は{noise}3文以上で「{noise}」を2回以上使ってください。",
    )
    for prompt in prompts:
        for found in constraints_of(request(prompt)):
            assert check(found, answer) in {True, False}
