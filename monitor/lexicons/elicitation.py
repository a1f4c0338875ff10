"""How models talk around an answer: hedges, preambles, apologies, disclaimers, closing offers, by language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

VERSION: Final = "2026.1"


@dataclass(frozen=True, slots=True)
class Hedges:
    """Single words, and phrases that are looked for as substrings; all in lower case."""

    words: frozenset[str]
    phrases: tuple[str, ...] = ()


def _hedges(words: str, *phrases: str) -> Hedges:
    return Hedges(frozenset(words.split()), phrases)


# Epistemic hedges: the speaker is unsure.
HEDGES: Final[Mapping[str, Hedges]] = MappingProxyType(
    {
        "en": _hedges(
            "may might could perhaps possibly probably likely unlikely seem seems appear appears suggest suggests "
            "generally typically usually often sometimes approximately roughly presumably apparently arguably",
            "i think ", "i believe ", "it depends", "not sure", "not entirely", "not certain", "to some extent",
            "to a certain extent", "in some cases", "in many cases", "in most cases", "tend to", "tends to", "can vary",
        ),
        "de": _hedges(
            "vielleicht möglicherweise wahrscheinlich vermutlich eventuell könnte könnten dürfte dürften scheint "
            "scheinbar oft manchmal etwa ungefähr",
            "in der regel", "ich glaube", "ich denke", "nicht sicher", "nicht ganz sicher",
        ),
        "fr": _hedges(
            "peut-être probablement possiblement éventuellement pourrait pourraient semble semblent souvent parfois "
            "environ généralement",
            "il est possible", "je crois", "je pense", "pas sûr", "pas certain",
        ),
        "es": _hedges(
            "quizá quizás posiblemente probablemente podría podrían parece parecen aproximadamente generalmente",
            "tal vez", "es posible", "a menudo", "a veces", "creo que", "pienso que", "no estoy segur",
        ),
        "pt": _hedges(
            "talvez possivelmente provavelmente poderia poderiam parece parecem frequentemente aproximadamente geralmente",
            "é possível", "às vezes", "acho que", "acredito que", "penso que", "não tenho certeza",
        ),
        "it": _hedges(
            "forse probabilmente possibilmente potrebbe potrebbero sembra sembrano spesso circa generalmente",
            "è possibile", "a volte", "credo che", "penso che",
        ),
        "ru": _hedges(
            "возможно вероятно наверное кажется обычно иногда примерно", "может быть", "мог бы", "могут бы", "я думаю"
        ),
        "ja": _hedges(
            "", "かもしれ", "おそらく", "恐らく", "たぶん", "でしょう", "可能性が", "と思い", "と思わ", "ようです", "らしい",
            "場合があ", "一般的に", "約",
        ),
        "zh": _hedges(
            "", "可能", "也许", "也許", "或许", "或許", "大概", "似乎", "好像", "通常", "一般来说", "大约", "我认为", "我觉得"
        ),
        "ko": _hedges("", "아마", "수도 있", "것 같", "듯합", "대체로", "일반적으로", "대략", "생각합니다"),
        "hi": _hedges("", "शायद", "संभवतः", "सम्भवतः", "हो सकता", "लगता है", "आमतौर", "लगभग", "संभव है"),
        "ar": _hedges("", "ربما", "قد يكون", "من المحتمل", "يبدو", "غالبا", "عادة", "تقريبا", "أعتقد"),
    }
)  # fmt: skip

# What stands before, around and after the answer. Named kinds, each counted once per text.
PREAMBLE: Final = re.compile(
    r"^\W*(?:sure\b|certainly\b|of course\b|absolutely\b|great question|good question|i(?:'d| would) be (?:happy|glad)|"
    r"happy to help|thank you for|here(?:'s| is| are)|klar\b|natürlich\b|gerne\b|selbstverständlich\b|hier (?:ist|sind)|"
    r"bien sûr|avec plaisir|certainement|volontiers|voici\b|claro\b|por supuesto|desde luego|con (?:mucho )?gusto|aquí (?:tienes?|está)|com certeza|"
    r"aqui est(?:á|ão)|certo\b|certamente\b|ecco\b|конечно|разумеется|вот\b|もちろん|はい、|承知|かしこまりました|以下(?:は|に|の)|"
    r"当然|好的|没问题|以下是|물론|네,|다음은|ज़रूर|जरूर|बिल्कुल|निश्चित रूप|यहाँ|بالطبع|بالتأكيد|إليك|natuurlijk\b|oczywiście|jasne\b|tabii\b|elbette|tentu\b|chắc chắn|dạ\b|självklart|selvfølgelig)",
    re.IGNORECASE,
)
# Plain substrings of the lower-cased text.
APOLOGY: Final[tuple[str, ...]] = (
    "i apologize",
    "i apologise",
    "i'm sorry",
    "i am sorry",
    "i'm really sorry",
    "sorry for",
    "my apologies",
    "entschuldig",
    "es tut mir leid",
    "je suis désolé",
    "je m'excuse",
    "lo siento",
    "disculpa",
    "disculpe",
    "sinto muito",
    "desculpe",
    "mi dispiace",
    "mi scuso",
    "извините",
    "прошу прощения",
    "申し訳",
    "すみません",
    "抱歉",
    "对不起",
    "對不起",
    "죄송",
    "क्षमा",
    "माफ",
    "آسف",
    "أعتذر",
    "sorry about",
    "m'excuser",
    "mes excuses",
    "perdón por",
    "peço desculpa",
    "приношу извинения",
    "chiedo scusa",
    "przepraszam",
    "özür dilerim",
    "mohon maaf",
    "xin lỗi",
)
DISCLAIMER: Final[tuple[str, ...]] = (
    "as an ai",
    "as a language model",
    "as an artificial",
    "as a large language model",
    "i'm just an ai",
    "i'm an ai",
    "i am an ai",
    "consult a",
    "consult with a",
    "consult your",
    "seek professional",
    "not a substitute for",
    "not financial advice",
    "not legal advice",
    "not medical advice",
    "please note that",
    "it's important to note",
    "it is important to note",
    "als ki",
    "als sprachmodell",
    "als künstliche",
    "en tant qu'ia",
    "en tant qu'intelligence",
    "en tant que modèle",
    "como modelo de lenguaje",
    "como una ia",
    "como ia",
    "como inteligencia",
    "como um modelo de linguagem",
    "como uma ia",
    "come modello linguistico",
    "come ia",
    "как языковая модель",
    "как ии",
    "aiとして",
    "言語モデルとして",
    "作为ai",
    "作为一个ai",
    "作为人工智能",
    "作为语言模型",
    "ai로서",
    "언어 모델로서",
    "एआई के रूप",
    "كنموذج لغوي",
    "i'm not a doctor",
    "i am not a doctor",
    "i'm not a lawyer",
    "i am not a lawyer",
    "knowledge cutoff",
    "healthcare professional",
    "kein arzt",
    "keine rechtsberatung",
    "einen arzt",
    "ne suis pas médecin",
    "professionnel de santé",
    "pas un conseil",
    "no soy médico",
    "consulta a un",
    "consulte a un",
    "não sou médico",
    "profissional de saúde",
    "aiである",
    "専門家に",
    "医師に",
    "作为一个人工智能",
    "咨询专业",
    "咨询医生",
    "仅供参考",
    "एआई भाषा मॉडल",
    "से परामर्श",
    "전문가와",
    "проконсультируйтесь",
    "بصفتي نموذج",
    "استشارة",
    "in quanto ia",
    "un medico",
    "un professionista",
)
CLOSING: Final[tuple[str, ...]] = (
    "let me know",
    "feel free to",
    "hope this helps",
    "i hope this",
    "i hope that",
    "do you have any questions",
    "do you have any other questions",
    "if you have any",
    "if you need any",
    "if you need more",
    "if you need further",
    "would you like me to",
    "is there anything else",
    "happy to help",
    "lass es mich wissen",
    "lassen sie es mich wissen",
    "lassen sie mich wissen",
    "wenn sie weitere fragen",
    "wenn sie fragen",
    "n'hésitez pas",
    "faites-moi savoir",
    "si vous avez d'autres",
    "si vous avez besoin",
    "avísame",
    "no dudes en",
    "si tienes",
    "si necesitas",
    "espero que esto",
    "espero que te",
    "me avise",
    "fique à vontade",
    "se tiver",
    "se precisar",
    "espero que isso",
    "espero ter",
    "fammi sapere",
    "se hai bisogno",
    "se hai domande",
    "дайте знать",
    "если у вас",
    "お気軽に",
    "ご質問が",
    "お知らせください",
    "お役に立て",
    "如果您有",
    "如果你有",
    "如果您需要",
    "如果你需要",
    "希望这",
    "请随时",
    "请告诉",
    "궁금한 점",
    "도움이 되",
    "말씀해 주세요",
    "यदि आपके",
    "बेझिझक",
    "إذا كان لديك",
    "لا تتردد",
    "happy to clarify",
    "happy to elaborate",
    "lass mich wissen",
    "ich hoffe, da",
    "soll ich",
    "j'espère que",
    "souhaitez-vous",
    "voulez-vous que",
    "quieres que",
    "te gustaría que",
    "quer que eu",
    "gostaria que",
    "आशा है",
    "надеюсь, это",
    "если есть вопросы",
    "آمل أن",
    "spero che",
    "vuoi che",
    "laat het me weten",
    "daj mi znać",
    "umarım",
    "semoga membantu",
    "hy vọng",
)

# What a construct cannot do without, and its pattern.
MARKDOWN: Final[Mapping[str, tuple[str, re.Pattern[str]]]] = MappingProxyType(
    {
        "header": ("# ", re.compile(r"^#{1,6} \S", re.MULTILINE)),
        "bullets": (" ", re.compile(r"^[ \t]{0,8}(?:[-*+•]|\d{1,3}[.)]) \S", re.MULTILINE)),
        "bold": ("**", re.compile(r"\*\*[^*\n]{1,200}\*\*")),
        "table": ("---", re.compile(r"^\|?[ \t]*:?-{3,}:?[ \t]*\|", re.MULTILINE)),
        "fence": ("```", re.compile(r"^[ \t]{0,3}```", re.MULTILINE)),
    }
)
