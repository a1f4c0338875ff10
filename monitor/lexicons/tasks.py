"""Words and forms that tell what a request asks for: JSON, a choice, code, a number.

Patterns are for lower-cased text, since matching without case costs three times as much; those of source code, of
options and of what terminals say (`OPTION`, `LETTERED`, `SOURCE`, `TERMINAL`) are for the text as it is.
"""

from __future__ import annotations

import re
from typing import Final

VERSION: Final = "2026.1"

WANTS_JSON: Final = re.compile(
    r"\b(?:as|in|into|to|valid|only|a|the|following|strict|raw)\s+(?:a\s+|an\s+|valid\s+|single\s+|pure\s+)*json\b"
    r"(?!\s+(?:file|files|parser|library|data|api|load|server|payload|string\s+to|using))"
    r"|\bjson[- ]?(?:format|formatted|array|dictionary|schema|output|response|structure|only|with\s+keys)"
    r"|\b(?:return|respond|reply|answer|output|format)\w*\b[^.\n]{0,60}\bjson\b"
    r"|\ben\s+(?:formato\s+)?json\b|\bformat(?:o|e)?\s+(?:de\s+)?json\b|\bau\s+format\s+json\b|\bem\s+json\b"
    r"|\bals\s+(?:g[üu]ltiges\s+)?json\b|\bim\s+json\b"
    r"|json\s*(?:形式|フォーマット|格式|형식)|формате?\s+json",
)

# "A. text", "(B) text", "C) text" at the start of a line, or "(A) ... (B) ..." within one.
OPTION: Final = re.compile(r"^[ \t]*\(?(?P<label>[A-Ha-h])[.):]\)?[.:]?[ \t]+\S", re.MULTILINE)
PICKS: Final = re.compile(
    r"\b(?:answer|reply|respond)\b.{0,40}\b(?:letter|option|choice)\b"
    r"|\b(?:multiple[- ]choice|best (?:single )?option|correct (?:answer|option|choice)|one (?:option|letter))\b"
    r"|\b(?:choose|pick|select)\b.{0,60}\b(?:option|answer|choice|one|letter|following|best|correct)\b"
    r"|^\s*(?:answer|réponse|respuesta|antwort|resposta|答え|答案|답)\s*[:：]\s*$"
    r"|\bwhich (?:one )?of the (?:following|options|above|statements)\b"
    r"|\b(?:welche|quelle?|cuál|qual(?:e)?) (?:\w+ ){0,3}(?:richtig|antwort|aussage|réponse|respuesta|resposta|risposta|correct\w*|corret\w*|vrai)"
    r"|選択肢|選んで|选择|選擇|下列|以下哪|고르|выбер|wähle|choisi|elige|escolh|scegli",
    re.MULTILINE,
)

# A question, then lettered lines.
LETTERED: Final = re.compile(r"[?？][\s*_]{0,6}\n\s*[(\[（]?A[)\].:、．）]")

# Names that mean programming wherever they stand.
_STRONG: Final = (
    r"python3?|javascript|java ?script|typescript|ecmascript|c\+\+|c#|csharp|golang|php|perl|kotlin|haskell|matlab|"
    r"bash|shell script|powershell|t?sql|mysql|postgres(?:ql|ql)?|sqlite|html|css|vb\.net|vba|fortran|cobol|nextjs|"
    r"next\.js|node\.?js|django|laravel|pandas|numpy|pytorch|tensorflow|keras|dataframes?|dockerfile|docker|"
    r"kubernetes|terraform|regex(?:p|es)?|regular expressions?|verilog|arduino|roblox|tailwind|gradio|seaborn|"
    r"matplotlib|datalog|prolog|jquery|mongodb|redis|opencv|linux|ubuntu|nix shell|llvm\d*|source code|"
    r"(?:rest|graphql|interactions) api|unit tests?|pseudo ?code"
)
# Names that are also ordinary words: they need a word of programming right beside them.
_WEAK: Final = (
    r"java|rust|ruby|swift|go|scala|lua|react|vue|angular|flask|spring|unity|julia|assembly|r|c|js|excel"
)
_THING: Final = (
    r"code|function|script|program|algorithm|class(?:es)?|module|query|method|snippet|middleware|webapp|web page|"
    r"website|app|application|extension|bot|linked list|binary (?:search )?tree|api|library|package|schema|parser|"
    r"time complexity|space complexity"
)
_DEED: Final = (
    r"write|implement|create|develop|build|make|refactor|rewrite|debug|fix|optimi[sz]e|generate|give|show|need|"
    r"complete|convert|translate|port|suggest|design|code|prepare|output|restrict|visuali[sz]e|would like|calculate"
)
PROGRAMMING: Final[tuple[re.Pattern[str], ...]] = (
    # a deed or a question, and a name that can mean nothing else
    re.compile(
        rf"\b(?:{_DEED}|how|what|why|where|which|can|using|with|in|use)\b[^?!\n]{{0,100}}(?<![\w.])(?:{_STRONG})(?![\w-])",
    ),
    # "a Rust function", "Java code", "in R code", "implement in Go": a weak name beside a thing
    re.compile(
        rf"(?<![\w.])(?:{_WEAK})[ -](?:code|function|script|program|class(?:es)?|module|app|application)\b",
    ),
    re.compile(
        rf"\b(?:{_DEED})\b[^.?!\n]{{0,100}}\b(?:code|function|script|program|algorithm|class|module|method|app|"
        rf"middleware)\b[^.?!\n]{{0,40}}\b(?:in|using|with)\s+(?:{_WEAK})(?![\w'-])",
    ),
    # a thing that only programmers write
    re.compile(
        r"\b(?:implement|write|refactor|debug|complete|develop|create|give me|need)\b[^.?!\n]{0,60}"
        r"(?<!inverse )\b(?:function (?:to|that|which|for)|python function|code (?:that|to|for|which)|some code|"
        r"(?:sql|database) (?:code|query|schema)|[a-z]+ module for|middleware|unit test|[\w]+\.(?:py|js|ts|java|cpp))\b"
        r"|\b(?:show|give|write)(?: me| us)? (?:some |the )?code\b",
    ),
    re.compile(
        r"コードを(?:書|作|生成|修正)|プログラムを(?:書|作)|関数を(?:書|作|実装)|写(?:一个|一段|個|段)?.{0,12}(?:代码|代碼|程序|程式|函数)"
        r"|(?:코드|함수)를 ?(?:작성|구현|써)|(?:напиш|реализу)\w* (?:\w+ ){0,2}(?:код|программ|функци|скрипт)"
        rf"|用\s?(?:{_STRONG}|java|rust|go)\s?(?:语言|語言)?(?:来|來)?(?:写|寫|编写|編寫|实现|實現)|\b[\w+#]+-(?:skript|programm|funktion|code)\b"
        r"|\b(?:escrib\w*|implement\w*|écri\w*|schreib\w*|escrev\w*|scriv\w*) (?:\w+ ){0,3}"
        r"(?:función|código|programa|fonction|programme|funktion|programm|função|funzione|scripts?|skript|guión)\b",
    ),
)
# What only a terminal or an interpreter says.
TERMINAL: Final = re.compile(
    r"\b(?:Type|Value|Key|Index|Attribute|Name|Import|ModuleNotFound|Syntax|Reference|Runtime)Error\b|\bNullPointerException\b|\bTraceback\b"
    r"|\bsegmentation fault\b|`[^`\n]*\w[(\[{][^`\n]*`|`(?:git|npm|pip3?|docker|kubectl|sudo|curl|grep|chmod|make|cargo|yarn|ssh) [^`\n]*`"
)
SOURCE: Final = re.compile(
    r"^```[ \t]*(?:python|py|js|javascript|ts|java|cpp|c|cs|go|rust|rb|php|sql|sh|bash|html|css)\b"
    r"|^[ \t]{0,8}(?:def \w+\(|class \w+[({]|class \w+(?:\(\w*\))?:|from [\w.]+ import |import [\w.{*]+(?:;| as |$)|"
    r"public (?:class|static)|package [\w.]+;|function \w*\(|(?:const|let|var) \w+ = |#!/bin/|using namespace |"
    r"fn \w+\(|func \w+\()"
    r"|#include ?<\w|\bSELECT\b[^;]{1,200}\bFROM\b|\bclass \w+\([\w.]+\):"
    r"|^\s*at [\w.$]+\([^)\n]{0,80}:\d+\)|\[PYTHON\]|\);\s*$|^\s*\}\s*$",
    re.MULTILINE,
)

NUMERIC_FORM: Final = re.compile(r"####\s*<?(?:number|answer)|\\+boxed|final (?:numerical|numeric) answer")
MATHEMATICS: Final = re.compile(
    r"\b(?:solve|evaluate|simplify|differentiate|integrate|factor(?:ise|ize)?|prove|proof|compute|calculate|derive|"
    r"express)\b[^.?!\n]{0,120}(?:\w\s?[=^<>]\s?\w|[√∫σ≤≥]|\\[a-z]+|\b(?:integral|derivative|equation|inequality|"
    r"polynomial|eigenvalues?|logarithm|ideal domain)\b)"
    r"|\b(?:prove|proof) that\b|\b(?:solutions?|roots?) of\b[^?\n]{0,40}=|\binequality \|"
    r"|\bgiven that [a-z]\([a-z]\) ?=|\b[fgh]\([a-z]\) = "
    r"|\\begin\{(?:align|equation|[bp]?matrix)|\\(?:frac|int|sum|sqrt|ddot|dot)\b"
    r"|\bprime number\?|\bhappy numbers?\b|\bgreatest common divisor\b|\bremainder when\b"
    r"|\bprobability that\b|\bexpected (?:value|number) of\b|\bconfidence interval for\b"
    r"|\d ?(?:or|and|vs) ?\d+\.\d+"
    r"|\b\d[\d.,]* ?(?:%|percent) of \$?\d|\b\d+ (?:times|plus|minus|divided by|multiplied by|mod(?:ulo)?) \d+\b"
    r"|\b(?:area|volume|perimeter|circumference|hypotenuse|slope|surface area) of (?:an?|the) [^?\n]{0,60}\d",
)
NUMBER: Final = re.compile(r"\d+(?:[.,]\d+)*")
NUMBER_WORD: Final = re.compile(
    r"\b(?:two|three|four|five|six|seven|eight|nine|ten|twelve|dozen|twenty|thirty|fifty|hundred|half|twice|"
    r"quarter|double|triple)\b|%",
)
# Years, dates, ordinals, versions, and limits on the answer ("4 paragraphs", "at least 3 times").
NO_QUANTITY: Final = re.compile(
    r"\b(?:1[0-9]|20)\d\d(?:[-–/]\d+)*\b(?!\s*(?:steps|km|miles|dollars|people|[a-z]+s\b))"
    r"|\b\d{1,2}(?:st|nd|rd|th)\b"
    r"|\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]* \d{1,2}\b"
    r"|\b\d{1,2} (?:january|february|march|april|may|june|july|august|september|october|november|december)\b"
    r"|\b(?:\d+|two|three|four|five|six|seven|eight|nine|ten)[- ](?:or more |or fewer )?(?:words?|sentences?|paragraphs?|bullets?(?: points)?|"
    r"lines?|sections?|letters?|characters?|placeholders?|highlighted|stanzas?|new lines|asterisks|"
    r"(?:mots?|palabras|phrases?|frases|paragraphes?|párrafos))\b"
    r"|\b(?:at least|at most|less than|more than|fewer than|exactly|no more than|minimum of) (?:\d+|\w+) (?:times?|times or more)\b"
    r"|\b\d{1,3}[- ]year[- ]old\b",
)
# "how many", "how much", "what is the total", by language.
QUANTITY: Final = re.compile(
    r"\bhow (?:many|much|long|far|old|tall|fast|heavy|likely)\b|\bwhat(?:'s| is| was| are| will be)\b[^?\n]{0,100}"
    r"\b(?:total|sum|average|difference|number|cost|price|profit|percentage|percent|probability|ratio|area|volume|"
    r"speed|amount|weight|length|distance|median|mean|remainder)\b"
    r"|\b(?:calculate|compute|determine|find) (?:the|how)\b|\bin (?:total|all)\?|\baltogether\b"
    r"|wie ?vie[lr]e?\b|wie (?:lange|alt|hoch|weit)\b|cuánt[oa]s?\b|\bquant[oaie]s?\b|\bcombien\b|\bquel(?:le)? (?:est|somme|âge)\b"
    r"|сколько|скільки|何[個人枚本円歳分時間日年週月冊匹台杯回点袋倍度頭羽軒ド%％キメグリパセポ]|いくつ|いくら|どれ[だく]|多少|几[个只岁天]|幾[個隻歲]|몇|얼마"
    r"|กี่|เท่าไ|เท่าใด|কত|कितन|ఎంత|ఎన్ని|எத்தனை|எவ்வளவு|എത്ര|ಎಷ್ಟು|કેટલ|ਕਿੰਨ|\b\w{0,3}ngapi\b|\bkiasi gani\b|\bkaç\b|ne kadar"
    r"|bao nhiêu|\bberapa\b|\bhoeveel\b|\bile\b|\bكم\b|\bچند\b|\bכמה\b|πόσ[αεο]",
)

# A loop is the right answer to these; repeating the *request* once is not among them. One of the words that no
# match is without, in lower case, is looked for first: that costs a tenth.
REPETITION_WORDS: Final = (
    "times", "over and over", "forever", "endless", "infinite", "again and again",
    "mal", "fois", "veces", "vezes", "volte", "раз", "回", "遍", "次重复", "번 반복",
)  # fmt: skip
WANTS_REPETITION: Final = re.compile(
    r"\b(?:repeat|print|say|write|type|output|spam)\b[^.?!\n]{0,80}(?:\b(?:\d{2,}|hundred|thousand|million)\s+times\b"
    r"|\bover and over\b|\bforever\b|\bendlessly\b|\binfinite(?:ly)?\b|\bagain and again\b)"
    r"|\b(?:\d{2,}|hundert|tausend)\s?(?:mal|fois|veces|vezes|volte|раз)\b|\d{2,}\s?(?:回繰り返|回書|遍|次重复|번 반복)",
)
