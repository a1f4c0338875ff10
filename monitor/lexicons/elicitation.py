"""How models talk around an answer: hedges, preambles, apologies, disclaimers, closing offers, by language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

VERSION: Final = "2026.1"


def _words(*phrases: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(phrases)})\b", re.IGNORECASE)


def _anywhere(*phrases: str) -> re.Pattern[str]:
    return re.compile("|".join(phrases))


# Epistemic hedges: the speaker is unsure. Modals of possibility count, modals of permission cannot be told apart.
HEDGES: Final[Mapping[str, re.Pattern[str]]] = MappingProxyType(
    {
        "en": _words(
            "may",
            "might",
            "could",
            "perhaps",
            "possibly",
            "probably",
            "likely",
            "unlikely",
            "seems?",
            "appears? to",
            "suggests?",
            "generally",
            "typically",
            "usually",
            "often",
            "sometimes",
            "approximately",
            "roughly",
            "i think",
            "i believe",
            "it depends",
            "not (?:entirely |completely )?(?:sure|certain)",
            "to (?:some|a certain) extent",
            "in (?:some|many|most) cases",
            "tends? to",
            "can vary",
        ),
        "de": _words(
            "vielleicht",
            "möglicherweise",
            "wahrscheinlich",
            "vermutlich",
            "eventuell",
            "könnten?",
            "dürften?",
            "scheint",
            "scheinbar",
            "oft",
            "manchmal",
            "etwa",
            "ungefähr",
            "in der regel",
            "ich (?:glaube|denke)",
            "nicht (?:ganz )?sicher",
        ),
        "fr": _words(
            "peut-être",
            "probablement",
            "possiblement",
            "éventuellement",
            "pourrai(?:t|ent)",
            "semble(?:nt)?",
            "il est possible",
            "souvent",
            "parfois",
            "environ",
            "généralement",
            "je (?:crois|pense)",
            "pas (?:sûre?|certaine?)",
        ),
        "es": _words(
            "quizás?",
            "tal vez",
            "posiblemente",
            "probablemente",
            "podrían?",
            "parece(?:n)?",
            "es posible",
            "a menudo",
            "a veces",
            "aproximadamente",
            "generalmente",
            "(?:creo|pienso) que",
            "no estoy segur[oa]",
        ),
        "pt": _words(
            "talvez",
            "possivelmente",
            "provavelmente",
            "poderiam?",
            "parece(?:m)?",
            "é possível",
            "frequentemente",
            "às vezes",
            "aproximadamente",
            "geralmente",
            "(?:acho|acredito|penso) que",
            "não (?:tenho|estou) (?:certeza|cert[oa])",
        ),
        "it": _words(
            "forse",
            "probabilmente",
            "possibilmente",
            "potrebbe(?:ro)?",
            "sembra(?:no)?",
            "è possibile",
            "spesso",
            "a volte",
            "circa",
            "generalmente",
            "(?:credo|penso) che",
        ),
        "ru": _words(
            "возможно",
            "вероятно",
            "наверное",
            "может быть",
            "мог(?:ут|ла|ло)? бы",
            "кажется",
            "обычно",
            "иногда",
            "примерно",
            "я думаю",
        ),
        "ja": _anywhere(
            "かもしれ",
            "おそらく",
            "恐らく",
            "たぶん",
            "でしょう",
            "可能性が",
            "と思(?:い|わ)",
            "ようです",
            "らしい",
            "場合があ",
            "一般的に",
            "約",
        ),
        "zh": _anywhere(
            "可能",
            "也许",
            "也許",
            "或许",
            "或許",
            "大概",
            "似乎",
            "好像",
            "通常",
            "一般来说",
            "大约",
            "我认为",
            "我觉得",
        ),
        "ko": _anywhere("아마", "수도 있", "것 같", "듯합", "대체로", "일반적으로", "대략", "생각합니다"),
        "hi": _anywhere("शायद", "संभवतः", "सम्भवतः", "हो सकता", "लगता है", "आमतौर", "लगभग", "संभव है"),
        "ar": _anywhere("ربما", "قد يكون", "من المحتمل", "يبدو", "غالبا", "عادة", "تقريبا", "أعتقد"),
    }
)

# What stands before, around and after the answer. Named kinds, each counted once per text.
PREAMBLE: Final = re.compile(
    r"^\W*(?:sure\b|certainly\b|of course\b|absolutely\b|great question|good question|i(?:'d| would) be (?:happy|glad)|"
    r"happy to help|thank you for|here (?:is|are|'s)|natürlich\b|gerne\b|selbstverständlich\b|hier (?:ist|sind)|"
    r"bien sûr|certainement|volontiers|voici\b|claro\b|por supuesto|desde luego|aquí (?:tienes?|está)|com certeza|"
    r"aqui est(?:á|ão)|certo\b|certamente\b|ecco\b|конечно|разумеется|вот\b|もちろん|はい、|承知|かしこまりました|以下(?:は|に|の)|"
    r"当然|好的|没问题|以下是|물론|네,|다음은|ज़रूर|जरूर|बिल्कुल|निश्चित रूप|यहाँ|بالطبع|بالتأكيد|إليك)",
    re.IGNORECASE,
)
APOLOGY: Final = re.compile(
    r"\b(?:i apologi[sz]e|i'?m (?:so |very |really )?sorry|sorry for|my apologies|entschuldig|es tut mir leid|je (?:suis désolé|m'excuse)|"
    r"lo siento|disculp|sinto muito|desculp|mi (?:dispiace|scuso)|извините|прошу прощения)|申し訳|すみません|抱歉|对不起|죄송|क्षमा|माफ|آسف|أعتذر",
    re.IGNORECASE,
)
DISCLAIMER: Final = re.compile(
    r"\bas an? (?:ai|language model|artificial)|\bi(?:'m| am) (?:just |only )?an? (?:ai|language model)|"
    r"\b(?:consult|seek advice from|speak with) (?:an?|your|with an?) (?:\w+ ){0,2}(?:professional|doctor|lawyer|attorney|physician|advisor|expert)|"
    r"\bnot (?:a substitute for|financial|legal|medical) (?:\w+ )?advice|\bplease note that|\bit(?:'s| is) important to note|"
    r"\bals (?:ki|sprachmodell)|\ben tant qu'(?:ia|intelligence|assistant)|\bcomo (?:una? )?(?:modelo de lenguaje|ia|inteligencia|modelo de linguagem)|"
    r"\bcome (?:modello|ia|intelligenza)|как (?:языковая модель|ии)|AIとして|言語モデルとして|作为(?:一个)?(?:AI|人工智能|语言模型)|AI로서|एआई के रूप|كنموذج",
    re.IGNORECASE,
)
CLOSING: Final = re.compile(
    r"(?:let me know|feel free to|hope this helps|i hope (?:this|that)|do you have any (?:other )?questions|if you (?:have|need) (?:any|more|further)|"
    r"would you like me to|is there anything else|happy to help|lassen sie (?:es )?mich|lass (?:es )?mich wissen|wenn sie (?:weitere )?fragen|"
    r"n'hésitez pas|faites-moi savoir|si vous avez (?:d'autres|besoin)|avísame|no dudes en|si (?:tienes|necesitas)|espero que (?:esto|te)|"
    r"me avise|fique à vontade|se (?:tiver|precisar)|espero (?:que isso|ter)|fammi sapere|se hai (?:bisogno|domande)|"
    r"дайте знать|если у вас|お気軽に|ご質問が|お知らせください|お役に立て|如果(?:您|你)(?:有|还有|需要)|希望(?:这|對|对)|请(?:随时|告诉)|"
    r"궁금한 점|도움이 되|말씀해 주세요|यदि आपके|बेझिझक|إذا كان لديك|لا تتردد)[^\n]{0,160}\W*$",
    re.IGNORECASE,
)
VERBOSITY: Final[Mapping[str, re.Pattern[str]]] = MappingProxyType(
    {"preamble": PREAMBLE, "apology": APOLOGY, "disclaimer": DISCLAIMER, "closing": CLOSING}
)

MARKDOWN: Final[Mapping[str, re.Pattern[str]]] = MappingProxyType(
    {
        "header": re.compile(r"^#{1,6} \S", re.MULTILINE),
        "bullets": re.compile(r"^[ \t]{0,8}(?:[-*+•]|\d{1,3}[.)]) \S", re.MULTILINE),
        "bold": re.compile(r"\*\*[^*\n]{1,200}\*\*|__[^_\n]{1,200}__"),
        "table": re.compile(r"^\|?[ \t]*:?-{3,}:?[ \t]*\|", re.MULTILINE),
        "fence": re.compile(r"^[ \t]{0,3}(?:```|~~~)", re.MULTILINE),
    }
)
