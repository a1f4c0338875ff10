"""How people name languages when they ask for an answer in one, and the phrases around the name.

Names in English, German, French, Spanish, Portuguese, Italian, Japanese, Chinese, Korean and Russian, as in the
Unicode CLDR language display names; codes ISO 639-1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

VERSION: Final = "2026.1"

_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "af": "afrikaans",
        "am": "amharic amharisch amharique amárico",
        "ar": "arabic arabisch arabe árabe arabo アラビア語 阿拉伯语 阿拉伯文 아랍어 арабском",
        "bg": "bulgarian bulgarisch bulgare búlgaro bulgaro ブルガリア語 保加利亚语",
        "bn": "bengali bangla bengalisch ベンガル語 孟加拉语 벵골어",
        "ca": "catalan katalanisch catalán catalão",
        "cs": "czech tschechisch tchèque checo tcheco ceco チェコ語 捷克语 체코어 чешском",
        "da": "danish dänisch danois danés dinamarquês danese デンマーク語 丹麦语",
        "de": "german deutsch allemand alemán alemão tedesco ドイツ語 德语 德文 독일어 немецком",
        "el": "greek griechisch grec griego grego greco ギリシャ語 ギリシア語 希腊语 그리스어 греческом",
        "en": "english englisch anglais inglés inglês inglese 英語 英语 英文 영어 английском",
        "es": "spanish spanisch espagnol español castellano espanhol spagnolo スペイン語 西班牙语 스페인어 испанском",
        "et": "estonian estnisch estonien estonio エストニア語",
        "fa": "persian farsi persisch persan persa ペルシア語 ペルシャ語 波斯语",
        "fi": "finnish finnisch finnois finlandés finés finlandês finlandese フィンランド語 芬兰语 핀란드어",
        "fr": "french französisch français francés francês francese フランス語 法语 法文 프랑스어 французском",
        "ga": "irish irisch irlandais irlandés",
        "gu": "gujarati グジャラート語",
        "ha": "hausa",
        "he": "hebrew hebräisch hébreu hebreo hebraico ebraico ヘブライ語 希伯来语",
        "hi": "hindi ヒンディー語 印地语 힌디어",
        "hr": "croatian serbian bosnian kroatisch serbisch croate serbe croata serbio クロアチア語 セルビア語",
        "hu": "hungarian ungarisch hongrois húngaro ungherese ハンガリー語 匈牙利语",
        "hy": "armenian armenisch arménien armenio",
        "id": "indonesian indonesisch indonésien indonesio indonésio インドネシア語 印尼语 인도네시아어",
        "ig": "igbo",
        "is": "icelandic isländisch islandais islandés アイスランド語",
        "it": "italian italienisch italien italiano イタリア語 意大利语 이탈리아어 итальянском",
        "ja": "japanese japanisch japonais japonés japonês giapponese 日本語 日语 日文 일본어 японском",
        "ka": "georgian georgisch géorgien georgiano",
        "kk": "kazakh kasachisch",
        "km": "khmer クメール語",
        "kn": "kannada カンナダ語",
        "ko": "korean koreanisch coréen coreano 韓国語 韩语 韩文 한국어 корейском",
        "lo": "lao ラオス語",
        "lt": "lithuanian litauisch lituanien lituano リトアニア語",
        "lv": "latvian lettisch letton letón ラトビア語",
        "ml": "malayalam マラヤーラム語",
        "mn": "mongolian mongolisch mongol モンゴル語",
        "mr": "marathi marathe マラーティー語",
        "ms": "malay malaiisch malais マレー語",
        "my": "burmese birmanisch birman ビルマ語 ミャンマー語",
        "ne": "nepali nepalesisch népalais nepalí ネパール語",
        "nl": "dutch niederländisch néerlandais holandés neerlandés holandês olandese オランダ語 荷兰语 네덜란드어",
        "no": "norwegian norwegisch norvégien noruego norueguês norvegese ノルウェー語 挪威语",
        "pa": "punjabi パンジャブ語 パンジャービー語",
        "pl": "polish polnisch polonais polaco polonês polacco ポーランド語 波兰语 폴란드어 польском",
        "pt": "portuguese portugiesisch portugais portugués português portoghese ポルトガル語 葡萄牙语 포르투갈어",
        "ro": "romanian rumänisch roumain rumano romeno rumeno ルーマニア語",
        "ru": "russian russisch russe ruso russo ロシア語 俄语 俄文 러시아어 русском",
        "sk": "slovak slowakisch slovaque eslovaco",
        "sl": "slovenian slovene slowenisch slovène esloveno",
        "so": "somali",
        "sq": "albanian albanisch albanais albanés",
        "sv": "swedish schwedisch suédois sueco svedese スウェーデン語 瑞典语 스웨덴어",
        "sw": "swahili kiswahili スワヒリ語 斯瓦希里语",
        "ta": "tamil tamoul タミル語",
        "te": "telugu télougou telugú テルグ語",
        "th": "thai thaï thailändisch thaïlandais tailandés tailandese タイ語 泰语 태국어",
        "tl": "tagalog filipino タガログ語",
        "tr": "turkish türkisch turc turco トルコ語 土耳其语 튀르키예어 터키어 турецком",
        "uk": "ukrainian ukrainisch ukrainien ucraniano ucraino ウクライナ語 乌克兰语 украинском",
        "ur": "urdu ourdou ウルドゥー語",
        "vi": "vietnamese vietnamesisch vietnamien vietnamita ベトナム語 越南语 베트남어",
        "yo": "yoruba",
        "zh": "chinese mandarin chinesisch chinois chino chinês cinese 中国語 中文 汉语 漢語 중국어 китайском",
        "zu": "zulu",
    }
)
LANGUAGE_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {name: code for code, names in _NAMES.items() for name in names.split()}
    | {
        "英訳": "en",
        "和訳": "ja",
        "邦訳": "ja",
        "仏訳": "fr",
        "独訳": "de",
        "中国語訳": "zh",
        "韓国語訳": "ko",
    }
)

# Most prompts name no language: one look at their words spares the phrases.
NAME_MARKS: Final = ("語", "语", "文", "訳", "어로")
LATIN_NAMES: Final = frozenset(
    name for name in LANGUAGE_NAMES if not any(mark in name for mark in (*NAME_MARKS, "어"))
)

# Longest first: `indonesian` before a prefix of it.
_ANY: Final = "(?P<name>" + "|".join(sorted(map(re.escape, LANGUAGE_NAMES), key=len, reverse=True)) + ")"
_WRITES: Final = (
    r"(?:answer|reply|respond|response|write|written|output|explain|speak|translate|rewrite|say|essay|poem|story|"
    r"letter|email|summary|only|entire(?:ly)?|completely)"
)

PHRASES: Final[tuple[re.Pattern[str], ...]] = (
    # "Reply in Korean", "your entire response should be in Gujarati", "translate this into German"
    re.compile(rf"\b{_WRITES}\b[^.!?\n]{{0,80}}?\b(?:in|into|to) (?:the )?{_ANY}\b"),
    # "use only Korean in your response", "using only the Marathi language", "in the Persian language"
    re.compile(rf"\b(?:use|using|in) only (?:the )?{_ANY}\b"),
    re.compile(rf"\bin (?:the )?{_ANY} (?:language|only)\b"),
    re.compile(rf"\bin {_ANY}\W+(?:and )?no other language"),
    # German, French, Spanish, Portuguese, Italian
    re.compile(
        rf"\b(?:antwort|schreib|übersetz|formulier|verfass)\w*\b[^.!?\n]{{0,80}}?\b(?:auf|in|ins) {_ANY}\b"
    ),
    re.compile(
        rf"\b(?:répon|écri|rédig|tradui|formul|expliqu)\w*\b[^.!?\n]{{0,120}}?\ben (?:langue )?{_ANY}\b"
    ),
    re.compile(
        rf"\b(?:respuesta|respond|contest|escrib|traduc|redact|explica|resposta|escrev|traduz)\w*\b"
        rf"[^.!?\n]{{0,120}}?\b(?:en|em|ao|al) (?:idioma )?{_ANY}\b"
    ),
    re.compile(rf"\b(?:rispond|risposta|scriv|traduc)\w*\b[^.!?\n]{{0,80}}?\bin {_ANY}\b"),
    # "translate into English" in one word of Japanese
    re.compile(r"(?P<name>英訳|和訳|邦訳|仏訳|独訳|中国語訳|韓国語訳)"),
    # Japanese, Chinese, Korean, Russian: the particle follows or precedes the name
    re.compile(
        rf"{_ANY}(?:のみ|だけ)?(?:で|に)(?:[、。]|.{{0,40}}?(?:回答|答え|書|返答|返信|説明|翻訳|訳し|作成|述べ|教え))"
    ),
    re.compile(rf"(?:用|以|使用|翻译成|译成|譯成){_ANY}"),
    re.compile(rf"{_ANY}로(?:만)? ?(?:답|작성|써|대답|번역|설명|응답)"),
    re.compile(rf"(?:ответ|напиш|перевед|отвеч)\w*[^.!?\n]{{0,80}}? на {_ANY}"),
)
