"""The same answer in the forms that models write, and other answers in the same forms."""

from __future__ import annotations

import pytest

from monitor.scorers.answer import answer
from monitor.scorers.keys import marked
from tests.monitor.made import pair

LETTERS = "Which planet is largest?\nA. Mars\nB. Jupiter\nC. Venus\nD. Earth\nAnswer with one letter."
BRACKETED = "Which planet is largest?\n(A) Mars\n(B) Jupiter\n(C) Venus\n(D) Earth"
JAPANESE = "問題：最も大きい惑星はどれですか？\nA. 火星\nB. 木星\nC. 金星\nD. 地球\n答え:"
GERMAN = "Welcher Planet ist der größte? Wähle eine Antwort.\nA) Mars\nB) Jupiter\nC) Venus"
CHINESE = "以下哪个行星最大？请选择：\nA、火星\nB、木星\nC、金星\nD、地球"
INLINE_COLONS = (
    "Which planet is largest?\nOptions: A: Mars, B: Jupiter, C: Venus. Answer with the letter only."
)
NUMBERED = (
    "Which planet is largest?\n1) Mars\n2) Jupiter\n3) Venus\nReply with the number of the correct option."
)
INLINE = "Which planet is largest? (a) Mars (b) Jupiter (c) Venus (d) Earth. Choose the correct option."
TOTAL = "A shop sells 3 pens at $4 each and 2 books at $15 each. How much in total?"
TOTAL_FR = "Un magasin vend 3 stylos à 4 € et 2 livres à 15 €. Combien cela fait-il au total ?"
TOTAL_DE = "Ein Laden verkauft 3 Stifte zu 4 € und 2 Bücher zu 15 €. Wie viel kostet alles zusammen?"
TOTAL_JA = "ペンが3本で1本400円、本が2冊で1冊1500円です。合計はいくらですか？"
TOTAL_ZH = "3支笔每支4元，2本书每本15元，一共多少元？"
TOTAL_HI = "3 कलम 4 रुपये प्रति और 2 किताबें 15 रुपये प्रति। कुल कितना?"
TOTAL_RU = "3 ручки по 4 рубля и 2 книги по 15 рублей. Сколько всего?"
TOTAL_AR = "3 أقلام بسعر 4 و 2 كتاب بسعر 15. كم المجموع؟"
SAME = (
    (LETTERS, "B", "The answer is B."),
    (LETTERS, "B", "B. Jupiter"),
    (LETTERS, "B", "(B)"),
    (LETTERS, "B", "**B**"),
    (LETTERS, "B", "Answer: B"),
    (LETTERS, "B", "Jupiter"),
    (LETTERS, "B", "Correct answer: **B) Jupiter**"),
    (LETTERS, "B", "The correct option is (B) Jupiter, because it has the largest mass."),
    (LETTERS, "B", "$\\boxed{B}$"),
    (LETTERS, "B", "Option B"),
    (LETTERS, "B", "<answer>B</answer>"),
    (
        LETTERS,
        "B",
        "Let me think. Mars is small. Earth is larger. Jupiter is the largest.\n\nFinal Answer: B",
    ),
    (LETTERS, "B", "I would choose B."),
    (LETTERS, "B", "B is correct."),
    (LETTERS, "B", "b"),
    (LETTERS, "B", "The largest planet is Jupiter (B)."),
    (LETTERS, "B", "Answer\nB"),
    (LETTERS, "B", '"B"'),
    (LETTERS, "B", "B:"),
    (LETTERS, "B", "It's B, Jupiter."),
    (LETTERS, "B", "My answer is B"),
    (LETTERS, "B", '{"answer": "B"}'),
    (BRACKETED, "B", "(B) Jupiter"),
    (BRACKETED, "(B)", "The answer is (B)."),
    (JAPANESE, "B", "答えはBです。"),
    (JAPANESE, "B", "正解は「B. 木星」です。"),
    (JAPANESE, "B", "B"),
    (JAPANESE, "B", "木星"),
    (GERMAN, "B", "Die richtige Antwort ist B) Jupiter."),
    (GERMAN, "B", "Antwort: B"),
    (GERMAN, "B", "Jupiter"),
    (CHINESE, "B", "答案是B。"),
    (CHINESE, "B", "选B"),
    (CHINESE, "B", "木星"),
    (CHINESE, "B", "正确答案：B、木星"),
    (INLINE_COLONS, "B", "The answer is B"),
    (NUMBERED, "2", "Option 2"),
    (NUMBERED, "2", "2) Jupiter"),
    (NUMBERED, "2", "The correct option is 2."),
    (INLINE, "b", "(b) Jupiter"),
    (INLINE, "(b)", "The answer is (b)."),
    (TOTAL, "42", "The total is $42."),
    (TOTAL, "42", "3*4=12, 2*15=30, so 12+30 = **42** dollars."),
    (TOTAL, "#### 42", "Total cost: $42.00"),
    (TOTAL, "42", "\\[ \\boxed{42} \\]"),
    (TOTAL, "42", "<answer>42</answer>"),
    (TOTAL, "42", "The total comes to forty-two dollars."),
    (TOTAL, "42", "12 + 30 = 42. The answer is 42."),
    (TOTAL, "42", "Final answer: 42 USD"),
    (TOTAL, "42", "**Answer:** $42"),
    (TOTAL, "42", "So the shop gets 42 dollars in total from the 3 pens and 2 books."),
    (TOTAL, "42", "Total: 42 (12 for pens, 30 for books)"),
    (TOTAL, "4200", "The result is 4,200."),
    (TOTAL, "1234.5", "The answer is 1,234.50"),
    (TOTAL, "0.5", "The answer is 1/2"),
    (TOTAL, "50%", "50 percent"),
    (TOTAL, "3500000", "3.5 million"),
    (TOTAL_FR, "42", "Le total est de 42 €."),
    (TOTAL_FR, "1234,5", "La réponse est 1 234,50 €"),
    (TOTAL_FR, "42", "Réponse : 42 euros"),
    (TOTAL_DE, "42", "Alles zusammen kostet 42 Euro."),
    (TOTAL_DE, "42", "Antwort: 42 €"),
    (TOTAL_DE, "1.234,50", "Das sind 1234,5 Euro"),
    (TOTAL_JA, "4200", "合計は4,200円です。"),
    (TOTAL_JA, "4200", "答え：4200円"),
    (TOTAL_JA, "4200", "合計は四千二百円です。"),
    (TOTAL_JA, "4200", "4200円"),
    (TOTAL_JA, "42000", "4万2千円です。"),
    (TOTAL_ZH, "42", "一共42元。"),
    (TOTAL_ZH, "42", "答案是42元"),
    (TOTAL_ZH, "42", "一共四十二元。"),
    (TOTAL_HI, "42", "कुल 42 रुपये।"),
    (TOTAL_HI, "42", "उत्तर: ४२"),
    (TOTAL_RU, "42", "Всего 42 рубля."),
    (TOTAL_RU, "42", "Ответ: 42"),
    (TOTAL_AR, "42", "المجموع ٤٢"),
    (TOTAL_AR, "42", "الجواب هو 42"),
    ("Is 91 a prime number? Answer yes or no.", "No", "No, 91 = 7 x 13."),
    ("Is 91 a prime number? Answer yes or no.", "No", "The answer is no."),
    ("Is 91 a prime number? Answer yes or no.", "no", "**No**"),
    ("Ist 91 eine Primzahl? Antworte mit ja oder nein.", "Nein", "Nein, denn 91 = 7 * 13."),
    ("91は素数ですか？はいかいいえで答えてください。", "いいえ", "いいえ、91は素数ではありません。"),
    ("91是质数吗？请回答是或否。", "否", "否，91 = 7 × 13。"),
    ("Est-ce que 91 est premier ? Réponds par oui ou non.", "Non", "Non, 91 = 7 × 13."),
    ("True or false: 91 is prime.", "False", "The statement is false."),
    ("¿Es 91 primo? Responde sí o no.", "No", "No, porque 91 = 7 × 13."),
    (
        "Classify the sentiment as positive, negative or neutral: I love it.",
        "positive",
        "Sentiment: Positive",
    ),
    (
        "Classify the sentiment as positive, negative or neutral: I love it.",
        "positive",
        "The sentiment is **positive**.",
    ),
    ("Label the tweet as 'spam' or 'ham'. Tweet: win money", "spam", "Label: spam"),
)
OTHER = (
    (LETTERS, "B", "A"),
    (LETTERS, "B", "The answer is C."),
    (LETTERS, "B", "Mars"),
    (LETTERS, "B", "(D) Earth"),
    (BRACKETED, "B", "**A**"),
    (JAPANESE, "B", "答えはAです。"),
    (GERMAN, "B", "Antwort: C"),
    (CHINESE, "B", "选A"),
    (INLINE_COLONS, "B", "A"),
    (NUMBERED, "2", "3"),
    (INLINE, "b", "(c) Venus"),
    (TOTAL, "42", "The total is $43."),
    (TOTAL, "42", "12 + 30 = 41"),
    (TOTAL, "42", "420"),
    (TOTAL_FR, "42", "Le total est de 41 €."),
    (TOTAL_DE, "42", "Das kostet 24 Euro."),
    (TOTAL_JA, "4200", "合計は4,300円です。"),
    (TOTAL_ZH, "42", "一共43元。"),
    (TOTAL_HI, "42", "कुल 41 रुपये।"),
    (TOTAL_RU, "42", "Ответ: 24"),
    (TOTAL_AR, "42", "الجواب هو 41"),
    ("Is 91 a prime number? Answer yes or no.", "No", "Yes, it is."),
    ("91是质数吗？请回答是或否。", "否", "是"),
    ("True or false: 91 is prime.", "False", "True"),
    ("Classify the sentiment as positive, negative or neutral: I love it.", "positive", "neutral"),
)


@pytest.mark.parametrize(("prompt", "baseline", "candidate"), SAME)
def test_the_form_of_an_answer_does_not_matter(prompt: str, baseline: str, candidate: str) -> None:
    score = answer(pair(prompt, baseline, candidate))
    assert score is not None
    assert score.value == 0.0


@pytest.mark.parametrize(("prompt", "baseline", "candidate"), OTHER)
def test_another_answer_is_seen_in_any_form(prompt: str, baseline: str, candidate: str) -> None:
    score = answer(pair(prompt, baseline, candidate))
    assert score is not None
    assert score.value == 1.0


@pytest.mark.parametrize("end", ["Answer: İzmir", "ANSWER IS İzmir", "Final answer: İzmir"])
def test_a_marked_answer_keeps_its_letters_whatever_their_case(end: str) -> None:
    assert marked(f"İstanbul'a göre. {end}") == "İzmir"
