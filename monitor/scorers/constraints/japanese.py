"""Constraints in Japanese prompts: counters and particles instead of words with spaces."""

from __future__ import annotations

import re
from collections.abc import Iterator

from monitor.scorers.constraints.model import Constraint, Value, constraint
from monitor.scorers.questions import asks_json

_N = r"([0-9０-９]{1,5}|[一二三四五六七八九十]|ひとつ|ふたつ)"
_KANJI = {kanji: number for number, kanji in enumerate("一二三四五六七八九十", start=1)} | {
    "ひとつ": 1,
    "ふたつ": 2,
}
_RELATION = r"(以上|未満|以内|以下|超|まで)?"
_QUOTED = re.compile(r"「([^「」\n]{1,80})」")
_CLAUSE = re.compile(r"[。！？\n]|(?<=て)、|(?<=で)、(?=また)|ただし")
_NEGATED = re.compile(
    r"使わ(?:ない|ず)|用い(?:ない|ず)|含め(?:ない|ず)|含ま(?:ない|ず)|避け|使用し(?:ない|ず)|用いては|使っては|使用しては|いけません|禁止|なしで|入れない"
)
_LANGUAGES = {
    "英語": "en", "スペイン語": "es", "ポルトガル語": "pt", "アラビア語": "ar", "ヒンディー語": "hi", "フランス語": "fr",
    "ロシア語": "ru", "ドイツ語": "de", "イタリア語": "it", "ベンガル語": "bn", "ウクライナ語": "uk", "タイ語": "th",
    "ウルドゥー語": "ur", "タミル語": "ta", "テルグ語": "te", "ブルガリア語": "bg", "韓国語": "ko", "ポーランド語": "pl",
    "ヘブライ語": "he", "ペルシア語": "fa", "ペルシャ語": "fa", "ベトナム語": "vi", "ネパール語": "ne", "スワヒリ語": "sw",
    "カンナダ語": "kn", "マラーティー語": "mr", "グジャラート語": "gu", "パンジャブ語": "pa", "マラヤーラム語": "ml",
    "フィンランド語": "fi", "中国語": "zh", "オランダ語": "nl", "トルコ語": "tr",
}  # fmt: skip
_LANGUAGE = re.compile(
    rf"({'|'.join(sorted(_LANGUAGES, key=len, reverse=True))})(?:のみ|だけ)?(?:で|を用い|を使っ|を使用し)"
)


def japanese(text: str, prompt: str) -> Iterator[Constraint]:
    """All constraints of a Japanese prompt."""
    yield from _lengths(text)
    yield from _structure(text)
    yield from _letters(text)
    yield from _edges(text, prompt)
    for clause in _CLAUSE.split(text):
        yield from _words(clause)


def _int(word: str) -> int:
    return _KANJI[word] if word in _KANJI else int(word)


def _bounded(kind: str, name: str, match: re.Match[str]) -> Iterator[Constraint]:
    """A count with 以上 (at least) or 未満 (less than); 以内 and 以下 include their number."""
    if match[2]:
        arguments: dict[str, Value] = dict([*_relation("relation", name, _int(match[1]), match[2])])
        yield constraint(kind, "ja", **arguments)


def _relation(relation: str, name: str, number: int, word: str) -> Iterator[tuple[str, Value]]:
    """The registered pair of relation and count."""
    lower = word in {"以上", "超"}
    yield relation, "以上" if lower else "未満"
    yield name, number + (word in {"超", "以内", "以下", "まで"})


def _lengths(text: str) -> Iterator[Constraint]:
    for match in re.finditer(rf"{_N}(?:つの)?文(?!字){_RELATION}", text):
        yield from _bounded("length_constraints:number_sentences", "num_sentences", match)
    for match in re.finditer(rf"{_N}文?字(?:程度)?{_RELATION}(?!漢字|の漢字)", text):
        yield from _bounded("length_constraints:number_letters", "num_letters", match)
    starts = re.search(rf"{_N}(?:段落目|番目の段落)[^。\n]{{0,12}}「([^」\n]{{1,30}}?)\s?」", text)
    total = re.search(rf"{_N}(?:個|つ)?の?段落(?!目)", text)
    if starts and total:
        arguments = {"num_paragraphs": _int(total[1]), "nth_paragraph": _int(starts[1])}
        yield constraint(
            "length_constraints:nth_paragraph_first_word", "ja", **arguments, first_word=starts[2]
        )
    elif total and ("***" in text or re.search(r"アスタリスク[3３三]つ", text)):
        yield constraint("length_constraints:number_paragraphs", "ja", num_paragraphs=_int(total[1]))


def _count(kind: str, name: str, patterns: tuple[str, ...], text: str) -> Iterator[Constraint]:
    for pattern in patterns:
        match = re.search(pattern, text)
        if match:
            yield constraint(kind, "ja", **{name: _int(match[1])})
            return


def _structure(text: str) -> Iterator[Constraint]:
    holders = (rf"{_N}(?:個|つ)の?プレースホルダー", rf"プレースホルダーを[^。\n]{{0,8}}?{_N}(?:個|つ)")
    yield from _count("detectable_content:number_placeholders", "num_placeholders", holders, text)
    bullets = (rf"{_N}(?:個|つ|点)の箇条書き", rf"箇条書きで{_N}(?:個|つ|点)")
    yield from _count("detectable_format:number_bullet_lists", "num_bullets", bullets, text)
    if "番号付きリスト" in text:
        items = (
            rf"{_N}(?:個|つ)の番号付きリスト",
            rf"番号付きリストで{_N}(?:個|つ|項目|件|点)",
            rf"(?:トップ|ベスト){_N}",
            rf"{_N}(?:個|つ|選|人|年間)",
        )
        yield from _count("detectable_format:number_numbered_lists", "num_items", items, text)
    if "《" in text:
        marks = (rf"{_N}(?:個|つ|箇所|か所)の?(?:\S{{1,8}})?を?[^。\n]{{0,6}}《", rf"{_N}(?:個|つ|箇所|か所)")
        yield from _count("detectable_format:number_highlighted_sections", "num_highlights", marks, text)
    section = re.search(r"第[1１一X](章|節|項|部)", text)
    number = re.search(rf"(?<!第){_N}(?:(?:つ|個)?の(?:章|節|項|部|セクション)|章で)", text)
    if section and number:
        arguments = {"section_spliter": section[1], "num_sections": _int(number[1])}
        yield constraint("detectable_format:multiple_sections", "ja", **arguments)
    yield from _wrappings(text)


def _wrappings(text: str) -> Iterator[Constraint]:
    if re.search(r"\*{6}|アスタリスク(?:6|６|六)", text) and re.search(r"[2２二](?:種類|つ|通り)", text):
        yield constraint("combination:two_responses", "ja")
    if "タイトル" in text and re.search(r"二重(?:鉤|かぎ|カギ)?括弧|『[^』\n]{0,40}』", text):
        yield constraint("detectable_format:title", "ja", mark="『")
    if re.search(r"(?<!二重)(?:鉤|かぎ|カギ)括弧で(?:囲|括)|「」で(?:囲|括)", text):
        yield constraint("startend:quotation", "ja")
    if asks_json(text):
        yield constraint("detectable_format:json_format", "ja")
    postscript = re.search(
        r"(P\.\s?P\.\s?S\.?|P\.\s?S\.|追伸)(?:\s?で始まる|を[^。\n]{0,12}(?:付け|つけ|加え|追加|入れ|書))",
        text,
    )
    if postscript:
        plain = postscript[1].replace(" ", "")
        yield constraint(
            "detectable_content:postscript",
            "ja",
            postscript_marker="P.P.S" if plain.startswith("P.P") else plain,
        )
    language = _LANGUAGE.search(text)
    if language:
        yield constraint("language:response_language", "ja", language=_LANGUAGES[language[1]])


_SIMPLE = (
    (r"漢字[^。\n]{0,25}(?:ふりがな|ルビ|振り仮名)", "letters:furigana"),
    (r"ひらがな(?:だけ|のみ)|(?:すべて|全て|全部|全文|全体)[^。\n]{0,6}?ひらがなで", "letters:hiragana_only"),
    (r"カタカナ(?:だけ|のみ)|(?:すべて|全て|全部|全文|全体)[^。\n]{0,6}?カタカナで", "letters:katakana_only"),
    (r"ひらがなを[^。\n]{0,12}(?:使わ|用い|使用し)な", "letters:no_hiragana"),
    (r"カタカナを[^。\n]{0,12}(?:使わ|用い|使用し)な", "letters:no_katakana"),
    (r"数字[^。\n]{0,15}漢数字", "letters:kansuuji"),
    (r"読点[^。\n]{0,15}(?:使わ|用い|使用し|避け|入れ|なし)", "punctuation:no_comma"),
    (
        r"句点[^。\n]{0,15}(?:使わ|用い|使用し|避け|入れ|なし)|「。」[^。\n]{0,15}(?:使わ|用い|使用し|避け)",
        "punctuation:no_period",
    ),
)


def _letters(text: str) -> Iterator[Constraint]:
    for pattern, kind in _SIMPLE:
        if re.search(pattern, text):
            yield constraint(kind, "ja")
    unified = re.search(r"文末[^。\n]{0,10}「([^」\n]{1,8})」[^。\n]{0,10}統一", text)
    if unified:
        yield constraint("startend:sentence_unified_end", "ja", ending=unified[1])


def _edges(text: str, prompt: str) -> Iterator[Constraint]:
    options = re.search(r"((?:「[^」\n]{1,40}」[、や]?\s?){2,8})の(?:いずれか|どれか|どちらか|中から)", text)
    if options:
        yield constraint(
            "detectable_format:constrained_response", "ja", options=tuple(_QUOTED.findall(options[1]))
        )
    ending = re.search(
        r"最後(?:に|は)[^「」\n]{0,25}[:：]?\s?「([^」\n]{2,80})」|(?:で終わ|を最後に)[^「」\n]{0,40}[:：]\s?「([^」\n]{2,80})」"
        r"|「([^」\n]{4,80})」(?:という\S{1,4})?で(?:終わ|締め)",
        text,
    )
    if ending:
        yield constraint("startend:end_checker", "ja", end_phrase=next(g for g in ending.groups() if g))
    yield from _repeat(prompt)


def _repeat(prompt: str) -> Iterator[Constraint]:
    match = re.search(
        r"(?:リクエスト|プロンプト|質問|指示|依頼|要求)[^。\n]{0,20}(?:繰り返し|そのまま出力)", prompt
    )
    if match:
        start = max((prompt.rfind(mark, 0, match.start()) for mark in "。\n？！"), default=-1) + 1
        target = prompt[:start].strip() or prompt[match.end() :].partition("。")[2].strip()
        if len(target) >= 8:
            yield constraint("combination:repeat_prompt", "ja", prompt_to_repeat=target[:2000])


def _words(clause: str) -> Iterator[Constraint]:
    """Keywords, forbidden words and frequencies of one clause."""
    items = tuple(_QUOTED.findall(clause))
    if not items:
        return
    negated = bool(_NEGATED.search(clause))
    times = re.search(rf"{_N}回{_RELATION}", clause)
    if times:
        yield from _frequency(clause, items[0], times, negated=negated)
    elif "始め" not in clause and re.search(r"単語|キーワード|言葉|語句|ワード", clause):
        if negated:
            yield constraint("keywords:forbidden_words", "ja", forbidden_words=items)
        else:
            yield constraint("keywords:existence", "ja", keywords=items)


def _frequency(clause: str, item: str, times: re.Match[str], *, negated: bool) -> Iterator[Constraint]:
    """「X」をN回以上; 「X」をN回以上は使わない is less than N."""
    letter = len(item) == 1 and re.search(r"文字「|ひらがな「|カタカナ「", clause)
    word = times[2] or "以上"
    word = "未満" if negated and word == "以上" else word
    names = ("let_relation", "let_frequency") if letter else ("relation", "frequency")
    arguments: dict[str, Value] = {"letter" if letter else "keyword": item}
    arguments.update(_relation(names[0], names[1], _int(times[1]), word))
    yield constraint("keywords:letter_frequency" if letter else "keywords:frequency", "ja", **arguments)
