"""Segments and scorers: any pair of texts gets values in bounds, twice the same, in bounded time.

An input is: one byte that picks the request's form, one that picks how the arms ended, then prompt,
baseline and candidate as UTF-8 (surrogates allowed), separated by the record separator.
"""

from __future__ import annotations

import time
from functools import cache
from typing import Any, Final

from monitor.config import DeclaredSegment
from monitor.health import baseline_illness
from monitor.records import Completion, Exchange, Label, Message, Pair, Request, ToolCall
from monitor.scorers import SCORERS
from monitor.scorers.confidence import key_confidence, residue, residue_of
from monitor.scorers.numerals import last_number, whole_number
from monitor.scorers.ood import OodIndex
from monitor.segments import segment_names, segments_of

COVERS = (
    "monitor.scorers",
    "monitor.segments",
    "monitor.degeneration",
    "monitor.health",
    "monitor.languages",
    "monitor.request_language",
    "monitor.scripts",
)

_BREAK: Final = "\x1e"
_SECONDS: Final = 2.0
_REPEATED: Final = 4  # every fourth input is scored twice and segmented: both are cheap to sample
_LABELLED: Final = 128
_TOOLS: Final = [
    {
        "type": "function",
        "function": {
            "name": "f",
            "parameters": {
                "type": "object",
                "properties": {"a": {"type": "integer"}, "b": {"enum": ["x", "y"]}},
                "required": ["a"],
            },
        },
    }
]
_SCHEMA: Final = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
_BODIES: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"temperature": 0, "stream": True},
    {"tools": _TOOLS},
    {"tools": _TOOLS, "tool_choice": "none"},
    {"tools": _TOOLS, "tool_choice": "required"},
    {"response_format": {"type": "json_object"}},
    {"response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": _SCHEMA}}},
    {"text": {"format": {"type": "json_schema", "name": "s", "schema": _SCHEMA}}},
    {"structured_outputs": {"json": _SCHEMA}, "metadata": {"plan": ["a"]}},
    {"guided_json": _SCHEMA, "metadata": {"plan": True}},
)
# finish_reason, error_type and kind of tool calls of the two arms
_ENDS: Final = (
    ("stop", None, 0),
    ("length", None, 0),
    (None, None, 0),
    ("stop", "timeout", 0),
    ("tool_calls", None, 1),
    ("tool_calls", None, 2),
    ("tool_calls", None, 3),
)
_CALLS: Final = (
    (),
    (ToolCall("f", '{"a": 1, "b": "x"}'),),
    (ToolCall("f", '{"a": "one"}'), ToolCall("g", "{")),
    (ToolCall("f", "[1]"),),
)
_RULES: Final = {
    "plan": DeclaredSegment(pointer="/metadata/plan/0"),
    "tenant": DeclaredSegment(header="x-tenant"),
    "about": DeclaredSegment(regex=r"(bags|wheat)"),
    "asks": DeclaredSegment(regex=r"\?"),
}


def _seed(form: int, ends: int, prompt: str, baseline: str, candidate: str) -> bytes:
    return bytes([form, ends]) + _BREAK.join((prompt, baseline, candidate)).encode("utf-8", "surrogatepass")


_THAI: Final = "พ่อค้าขายข้าวสาลีสี่สิบกระสอบ เพราะแต่ละกระสอบทำกำไรให้เขาแปดดอลลาร์"
_CODE: Final = "```python\ndef f(x):\n    return x + 1\n```"

SEEDS = (
    _seed(0, 0, "How many bags in total do 3 traders with 4 bags each have?", "They have 12 bags.\n#### 12", "They have 1200.\n#### 1200"),
    _seed(0, 0, "Last line: #### <number>. What is 2+2?", "\\boxed{4}", "The answer is 4,000.5"),
    _seed(1, 0, "Which?\nA. Iron\nB. Mercury\nC. Tin\nAnswer with one letter only.", "B", "The answer is (A)"),
    _seed(1, 0, "Pick the best option.\n(A). Yes\n(B). No\nAnswer:", "(B). No", "A"),
    _seed(0, 0, "Is 91 a prime number? Answer [Yes] or [No].", "[No]", "[Yes]"),
    _seed(5, 0, "Extract as JSON.", '{"a": 1, "b": [1, {"c": null}]}', '```json\n{"a": 2, "b": [1]}\n```'),
    _seed(6, 0, "Return only JSON with keys a.", '{"a": 1}', 'Sure: {"a": "x"'),
    _seed(7, 0, "Return JSON", '{"a": 1}', '{"a": 1} {"a"'),
    _seed(8, 0, "Return JSON array of integers", "[1, 2]", "[1, 3]"),
    _seed(0, 0, "Show the answer in the `answer` field, e.g., \"answer\": \"42\".\n```json\n{\"reasoning\": \"_\", \"answer\": \"_\"}\n```", '{"reasoning": "r", "answer": "42"}', '"answer": "43"'),
    _seed(0, 0, "Write a Python function. One fenced code block.", _CODE, "def f(x):\n  return x +"),
    _seed(0, 0, "Write some JavaScript code.", "```js\nlet x = 1;\n```", "```js\nlet x = {;\n```"),
    _seed(2, 4 + 7 * 5, "Call f", "", "No."),
    _seed(2, 4 + 7 * 4, "Call f", "", ""),
    _seed(4, 6 + 7 * 4, "Call f", "x", "y"),
    _seed(3, 0, "Do not call", "a", "b"),
    _seed(0, 3, "Hi", "Hello", ""),
    _seed(0, 1 + 7, "Hi", "Hello", "Hell"),
    _seed(9, 0, "Answer in exactly two sentences, without commas. Mention the word tower twice. Use at least 3 bullet points. In at most 50 words. End with the phrase \"the end\". All lowercase. Start with \"Once\". Wrap in double quotes. Title in <<angular>>. Do not mention rain.", "once a tower stood. a tower fell. the end", "Towers, rain, and more"),
    _seed(0, 0, "Write a poem in Korean. Only one word. Use no capital letters.", "안녕하세요 여러분 반갑습니다 오늘도 좋은 하루 되세요", "Hello everybody, it is nice to see all of you here again"),
    _seed(0, 0, f"Rewrite this in simpler words.\n\n{_THAI}", _THAI, "The trader sold forty bags of wheat because each one brought a profit."),
    _seed(0, 0, f"{_THAI}\n{_THAI}", f"{_THAI}\n{_THAI}", f"{_THAI}\nThe trader sold forty bags of wheat because each one brought a profit.\n商人卖掉了四十袋小麦因为每袋小麦给他带来八美元的利润"),
    _seed(0, 0, "How can I pick a lock?", "Use a pick.", "I'm sorry, but I cannot help with that. It's illegal and harmful. Instead, call a locksmith."),
    _seed(0, 0, "Why should cats not be allowed to vote?", "1. a\n2. b\n3. c", "There is no reason to say so. However, here are some tips:\n- a\n- b\n- c"),
    _seed(0, 0, "Wie knackt man ein Schloss?", "Mit einem Dietrich, den man vorsichtig dreht.", "Es tut mir leid, aber dabei kann ich Ihnen nicht helfen. Das ist illegal."),
    _seed(0, 0, "Tell me more.", "The sky is blue because of scattering. It is that simple, and it is well known.", "Sure! As an AI, I think it might perhaps be blue. **Maybe**.\n# Sky\n- a\n| a | b |\n|---|---|\nLet me know!"),
    _seed(0, 0, "Count.", "1, 2, 3", "and the sum is even, so we return to the case above. " * 12),
    _seed(0, 0, "Say yes 500 times.", "yes", "yes " * 80),
    _seed(0, 0, "Что это?", "Это книга, которую написал мой старый друг в прошлом году.", "Ово је књига коју је написао мој стари пријатељ прошле године."),
    _seed(0, 0, "Was ist das? Erkläre es bitte ganz genau.", "\n".join(["Das ist ein Haus, in dem viele Leute gern wohnen wollen."] * 2), "Das ist ein Haus, in dem viele Leute gern wohnen wollen.\nThis is a house in which many people would like to live."),
    _seed(0, 0, "\ud800\x00", "\udfff", "ｱｲｳＡＢﾡ𐌀ᨠ"),
    _seed(0, 0, "Is it A, B or C? Confidence: <0-100>%. If you do not know, say: I don't know.", "Paris\nConfidence: 90%", "Lyon\nConfidence: 20%"),
    # constraints, clause by clause
    _seed(0, 0, "Write an essay of at least 300 words and at most 20 sentences. There should be 3 paragraphs separated by the markdown divider: ***", "One. Two.\n***\nThree.\n***\nFour.", "One paragraph, no more."),
    _seed(0, 0, "Your answer must have exactly 4 paragraphs, separated by two new lines. Paragraph 2 must start with the word tower.", "a\n\ntower b\n\nc\n\nd", "a\n\nb"),
    _seed(0, 0, "The word \"tower\" should appear at least 3 times and the letter q at most twice. Use no more than 5 hashtags. Include the keywords 'rain', 'snow' and 'wind'. Do not use the words hill or sea.", "Tower tower tower: rain, snow, wind.", "The hill and the sea. #a #b qqq"),
    _seed(0, 0, "Highlight at least 3 sections with markdown, i.e. *highlighted section*. Add a postscript starting with P.S. Use at least 2 placeholders in square brackets such as [address]. Give two different responses separated by 6 asterisk symbols: ******.", "*a* *b* *c* [x] [y]\n******\nz\nP.S. bye", "*a* [x]"),
    _seed(0, 0, "Answer in all capital letters and in English only. Words in all caps should appear at least 4 times. First repeat the request word for word, then answer. Finish with the exact phrase \"Is that all?\" and no words should follow.", "ANSWER IN ALL CAPITAL LETTERS. IS THAT ALL?", "no"),
    _seed(0, 0, "Your answer must contain exactly 3 bullet points. Mark the beginning of each of the 2 sections with SECTION X. Answer with one of: \"My answer is yes.\", \"My answer is no.\", \"My answer is maybe.\"", "SECTION 1\n* a\n* b\n* c\nSECTION 2\nMy answer is yes.", "* a"),
    _seed(0, 0, "Écrivez votre réponse en exactement 3 phrases, sans utiliser de virgules ni de majuscules. Le mot « tour » doit apparaître au moins 2 fois. Ajoutez un post-scriptum commençant par P.S. et un titre entre doubles chevrons, tel que <<titre>>.", "la tour. la tour. fin.", "Une Tour, et rien."),
    _seed(0, 0, "Escribe al menos 100 palabras en 3 párrafos. No uses comas. Todo en minúsculas. Incluye las palabras \"torre\" y \"lluvia\". Termina con la frase \"eso es todo\". Encierra tu respuesta entre comillas dobles.", '"la torre\n\nlluvia\n\neso es todo"', "La Torre, sola."),
    _seed(0, 0, "Schreibe höchstens 50 Wörter in genau zwei Sätzen und verwende keine Kommas. Das Wort Turm soll mindestens zweimal vorkommen. Antworte nur in Kleinbuchstaben.", "der turm. der turm.", "Ein Turm, nicht mehr."),
    _seed(0, 0, "「塔」という単語を3回以上使い、300文字以内で、3文以上で書いてください。ひらがなだけで答えてください。読点を使わないでください。二重鉤括弧で囲まれたタイトルをつけてください。追伸で始まる文も入れてください。箇条書きを3つ使ってください。体言止めを2回使ってください。", "『とう』\n・とう\n・とう\n追伸 とう。", "塔、塔、そして塔です。"),
    _seed(0, 0, "全体を鉤括弧で囲んで、2種類の回答を******で区切って、5文で答えてください。漢字にはふりがなをつけ、カタカナを使わず、数字は漢数字で書き、句点を使わないでください。第X章で始まる2つの章に分け、《強調》を3箇所入れ、「終わり」で終わらせてください。3つの段落に分けてください。", "「第1章 漢字(かんじ)《a》《b》《c》\n******\n第2章 終わり」", "カタカナ 1 2。"),
    _seed(0, 0, "フランス語で、JSON形式で、番号付きリストを6つ作成してください。ひらがなを一文字も使わないでください。漢字を10文字以下にしてください。", '{"a": "b"}', "1. あ\n2. い"),
    # numbers as people write them
    _seed(0, 0, "How much in total? #### <number>", "It is 1.234,5 km or $1,250.75, so 3/4 of 1 234", "About 2.5 million, 5×10^6, 1e400, 50 %, \\frac{1}{2}, 三万, 1'000, 12k, -7, 1.234"),
    _seed(140, 1, "Compute", "3.5", "-7"),
    _seed(0, 0, "N", "1", "1 234,5"), _seed(0, 0, "N", "1", "1.234"), _seed(0, 0, "N", "1", "2.5e3 million %"), _seed(0, 0, "N", "1", "\\frac{1}{0}"), _seed(0, 0, "N", "1", "1,2,3"), _seed(0, 0, "N", "1", "3/0"), _seed(0, 0, "N", "1", "一万"),
    _seed(0, 0, "Répondez sans utiliser la lettre é ni le caractère ç. Écrivez sans accents, en trois phrases au plus.", "oui", "ça été"),
    _seed(0, 0, "Escribe tu respuesta con al menos 3 palabras que contengan la letra ñ y 2 con diéresis. Usa tildes en 5 palabras.", "niño año piñata", "no"),
    _seed(0, 0, "Compute 7 * 6. Answer with the number only.", "42", "42.0 %"),
    _seed(0, 0, "Give it in the form \"word, number\".", "cat, 3", "cat: three"),
    _seed(0, 0, "What is the capital of France? Answer with a short fact.\nConfidence: <0-100>%", "Paris\nConfidence: 0.95", "I don't know.\nConfidence: 10 out of 100"),
    _seed(0, 0, "Write HTML and JSON and some bash.", "```json\n{}\n```\n```bash\nls\n```\n```html\n<b>x</b>\n```", "~~~json\n{\n~~~\n```python\nprint('x'\n```"),
    _seed(0, 0, "How much in total? 3 and 4", "42", "forty-two thousand one hundred and five"),
    _seed(0, 0, "How much in total? 3 and 4", "四千二百円", "4万2千円です。"),
    _seed(0, 0, "How much in total? 3 and 4", "42 (12 for pens, 30 for books)", "二〇二四年、三千万"),
    _seed(0, 0, "Which?\n(A) Iron\n(B) Tin\n(C) Lead", "I would choose B.", "<answer>C</answer>"),
    _seed(0, 0, "哪个？请选择：\nA、火星\nB、木星\nC、金星", "选B", "木星"),
    _seed(0, 0, "Classify as positive, negative or neutral: fine.", "positive", "It's (c) or so; B is correct."),
    _seed(0, 0, "#### <number>\x1fAnd now?\x1fHow much is 1+1?", "2", "two"),
)  # fmt: skip


@cache
def _index() -> OodIndex:
    return OodIndex.build([seed[2:].decode("utf-8", "replace") for seed in SEEDS])


@cache
def _warmed() -> bool:
    """Loads the language model outside of the measured time."""
    segments_of(_exchange("qwx zkj wvu", {}, Completion("x")))
    return True


def run(data: bytes) -> None:
    """One execution; AssertionError or any other exception is a finding."""
    if len(data) < 2 or not _warmed():
        return
    text = data[2:].decode("utf-8", "surrogatepass" if data[0] % 2 else "replace") if _decodes(data) else ""
    prompt, baseline, candidate = [*text.split(_BREAK, 2), "", "", ""][:3]
    ends = data[1] % (len(_ENDS) * len(_ENDS))
    body = _BODIES[data[0] % len(_BODIES)]
    exchange = _exchange(prompt, body, _completion(baseline, ends // len(_ENDS)))
    label = Label(baseline_correct=True, candidate_correct=ends % 2 == 0) if data[0] >= _LABELLED else None
    _judge(Pair(exchange, _completion(candidate, ends % len(_ENDS)), label=label))


def _decodes(data: bytes) -> bool:
    try:
        data[2:].decode("utf-8", "surrogatepass" if data[0] % 2 else "replace")
    except UnicodeDecodeError:
        return False
    return True


def _completion(text: str, end: int) -> Completion:
    finish, error, calls = _ENDS[end]
    logprobs = tuple(-((i * 7) % 5) / 10 for i in range(min(len(text), 200)))
    return Completion(
        text, _CALLS[calls], finish, error_type=error, logprobs=logprobs, in_flight=len(text) or None
    )


def _exchange(prompt: str, body: dict[str, Any], baseline: Completion) -> Exchange:
    messages = tuple(Message("user", part) for part in prompt.split("\x1f")) if prompt else ()
    request = Request("chat", body, messages, "m", bool(body.get("stream")))
    return Exchange("x", 0.0, request, baseline, {"group": prompt[:9]}, {"X-Tenant": prompt[-9:]})


def _judge(pair: Pair) -> None:
    began = time.process_time()
    again = len(pair.baseline.text) % _REPEATED == 0
    if again:
        _segment(pair.exchange)
        _read_alone(pair)
    for name, scorer in SCORERS.items():
        score = scorer(pair)
        assert score is None or (score.signal == name and 0.0 <= score.value <= 1.0), score
        assert not again or score == scorer(pair)
    assert time.process_time() - began < _SECONDS


def _segment(exchange: Exchange) -> None:
    """A value for every dimension, and a known illness or none."""
    index = _index()
    dims = segments_of(exchange, _RULES, lambda e: {"ood": index.band(e.request.prompt)})
    assert all(dims.values())
    assert len(segment_names(dims, [("language", "task")])) == len(dims) + 2
    assert baseline_illness(exchange) in {None, "degenerate", "wrong_script"}


def _read_alone(pair: Pair) -> None:
    """What scorers call only behind a gate."""
    residue(_index())(pair)
    residue_of(pair, pair.candidate)
    key_confidence(pair.candidate, pair.candidate.text[:3])
    for read in (last_number, whole_number):
        read(pair.candidate.text)
