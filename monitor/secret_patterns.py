"""What personal data and secrets look like. Pure.

`PATTERNS`, each in turn over the whole text with `regex.sub`, say what is recognised: that is the reference
that the tests hold `redact` to. `leads` are weaker expressions, one character ahead of where a match starts,
for `monitor.secret_places` to find where a pattern is worth a try: every match starts behind a lead. A byte
of theirs is a character of the text; what Latin-1 lacks is a question mark, digits of other scripts a nine.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

Starts = Callable[[str, Sequence[int]], Iterable[int]]
"""From a text and the places behind its leads to where a match can start, ascending."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One kind of secret, where to try it, and a check of each hit; `group` is the part that is replaced."""

    kind: str
    regex: re.Pattern[str]
    leads: tuple[str, ...]
    valid: Callable[[str], bool] = bool
    starts: Starts | None = None
    group: int = 0


_DOUBLED = bytes.maketrans(b"0123456789", b"0246813579")
_LETTERS = str.maketrans({chr(55 + value): str(value) for value in range(10, 36)})


def luhn(text: str) -> bool:
    """Whether the digits pass the Luhn check (ISO/IEC 7812-1): 13 to 19 of them, or Maestro's 12."""
    compact = text.replace(" ", "").replace("-", "")
    digits = (compact if compact.isascii() else "".join(str(int(c)) for c in compact)).encode()
    shortest = 12 if digits[0] in b"56" else 13
    if not shortest <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    total = sum(digits[-1::-2]) + sum(digits[-2::-2].translate(_DOUBLED))
    return (total - len(digits) * ord("0")) % 10 == 0


def iban(text: str) -> bool:
    """Whether the text is an IBAN by ISO 13616 (mod 97)."""
    compact = text.replace(" ", "")
    return 15 <= len(compact) <= 34 and int((compact[4:] + compact[:4]).translate(_LETTERS)) % 97 == 1


def _ipv4(text: str) -> bool:
    return max(map(int, text.split("."))) < 256


def _phone(text: str) -> bool:
    """Eight to fifteen digits (E.164), an extension not counted."""
    return 8 <= sum(map(str.isdigit, text.partition("x")[0].partition("e")[0])) <= 15


def _ssn(text: str) -> bool:
    area, group, serial = text.split("-")
    return area not in {"000", "666"} and area < "900" and group != "00" and serial != "0000"


_FEW = 8
"""Places that cost least when they are just tried; among many, most could be tried in vain for thousands of characters."""
_PEM_END = re.compile(r"-----END(?= [A-Z ]{0,30}PRIVATE KEY-----)")
_PEM_LENGTH = 8100


def _pems(text: str, places: Sequence[int]) -> Iterable[int]:
    return places if len(places) <= _FEW else _pem_among(text, places)


def _pem_among(text: str, places: Sequence[int]) -> Iterator[int]:
    """Those that have an end within reach, so that no search for one is in vain."""
    ends = [found.start() for found in _PEM_END.finditer(text)]
    for at in places:
        following = bisect_right(ends, at)
        if following < len(ends) and ends[following] - at <= _PEM_LENGTH:
            yield at


_JOINED = re.compile(r"[\w-]*")
_JWT_REST = re.compile(r"\.[\w-]{8,4000}\.[\w-]{8}")
_JWT_HEADER = 2003


def _jwts(text: str, places: Sequence[int]) -> Iterable[int]:
    return places if len(places) <= _FEW else _jwt_among(text, places)


def _jwt_among(text: str, places: Sequence[int]) -> Iterator[int]:
    """Headers whose run of characters ends at a point with the two other parts behind it: looked for once a run,
    for one run can hold very many beginnings."""
    end, whole = -1, False
    for at in places:
        if at >= end:
            run = _JOINED.match(text, at)
            end = run.end() if run else at
            whole = _JWT_REST.match(text, end) is not None
        if whole and end - at <= _JWT_HEADER:
            yield at


def _bearers(_text: str, places: Sequence[int]) -> Iterator[int]:
    """Behind the word."""
    return (at + len("bearer ") for at in places)


_LOCAL = re.compile(r"[\w.+%-]+")
_LOCAL_LENGTH = 64


def _emails(text: str, places: Sequence[int]) -> list[int]:
    """Where the name before an @ begins, which is read backwards: no name holds an @, so nothing is read twice."""
    starts, before = [], 0
    for at in places:
        name = _LOCAL.match(text[max(before, at - _LOCAL_LENGTH - 1) : at][::-1])
        if name and name.end() <= _LOCAL_LENGTH:
            starts.append(at - name.end())
        before = at + 1
    return starts


# Of the classes: what may stand before a word or a telephone number, and what a word may consist of.
_NO_WORD = r"[^0-9A-Za-z_]"
_NO_NUMBER = r"[^0-9A-Za-z_.,/-]"
_WORD = r"0-9A-Za-z_?\x80-\xff"


# Looked at before a number in international form is taken apart, for there are hundreds of ways to do that in vain.
_NUMBER_END = r"(?:[ ,]{0,2}(?:x|ext\.?|extension) ?\d{1,6})?(?![\w/-]|[.,]\d)"
_CALLS = (
    "tel", "phone", "telephone", "mobile", "cell", "call", "text", "whatsapp", "sms", "fax", "telefon", "handy",
    "téléphone", "teléfono", "móvil", "cellulare",
)  # fmt: skip
_CALLED_BY = "|".join(_CALLS)
_IN_ANY_CASE = str.maketrans({"s": "[s?]", "i": "[i?]", "é": r"[\xe9\xc9]", "ó": r"[\xf3\xd3]"})
PEM: Final = Pattern(
    "pem",
    re.compile(
        r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[\s\S]{1,8000}?-----END [A-Z ]{0,30}PRIVATE KEY-----"
    ),
    (".-----BEGIN ",),
    starts=_pems,
)
JWT: Final = Pattern(
    "jwt", re.compile(r"\beyJ[\w-]{8,2000}\.[\w-]{8,4000}\.[\w-]{8,1000}"), (_NO_WORD + "eyJ",), starts=_jwts
)
BEARER: Final = Pattern(
    "bearer",
    re.compile(r"(?<=[Bb]earer )[\w.~+/=-]{16,2000}|(?<=BEARER )[\w.~+/=-]{16,2000}"),
    (rf".[Bb]earer [{_WORD}.~+/=-]{{16}}", rf".BEARER [{_WORD}.~+/=-]{{16}}"),
    starts=_bearers,
)
API_KEY: Final = Pattern(
    "api_key",
    re.compile(
        r"\b(?:sk-[\w-]{16,200}|(?:AKIA|ASIA)[A-Z0-9]{16}|gh[pousr]_\w{30,100}|github_pat_\w{30,120}"
        r"|xox[abprs]-[\w-]{10,200}|AIza[\w-]{35}|hf_\w{20,60}|glpat-[\w-]{20,60}|[sr]k_live_\w{16,120}|pypi-[\w-]{40,250})"
    ),
    tuple(
        _NO_WORD + key.replace("W", _WORD)
        for key in (
            "sk-[W-]{16}",
            "(?:AKIA|ASIA)[A-Z0-9]{16}",
            "gh[pousr]_[W]{30}",
            "github_pat_[W]{30}",
            "xox[abprs]-[W-]{10}",
            "AIza[W-]{35}",
            "hf_[W]{20}",
            "glpat-[W-]{20}",
            "[sr]k_live_[W]{16}",
            "pypi-[W-]{40}",
        )
    ),
)
EMAIL: Final = Pattern(
    "email",
    re.compile(r"(?<![\w.+%-])[\w.+%-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}\b"),
    (rf"[{_WORD}.+%-]@[{_WORD}-]",),
    starts=_emails,
)
IBAN: Final = Pattern(
    "iban",
    re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])"),
    (".[A-Z]{2}[0-9]{2} ?[A-Z0-9]{4}",),
    iban,
)
# In one grouping from end to end: what stands behind the number, in another one, is not part of it.
CARD: Final = Pattern(
    "card",
    re.compile(
        r"(?<![\d.-])(?:\d{12,19}|\d{4}([ -])\d{4}\1\d{4}\1\d{1,4}(?:\1\d{1,3})?|\d{4}([ -])\d{6}\2\d{4,5})(?![.-]?\d)"
    ),
    (
        "[^0-9.-][0-9]{12}",
        "[^0-9.-][0-9]{4}[ -][0-9]{4}[ -][0-9]{4}[ -][0-9]",
        "[^0-9.-][0-9]{4}[ -][0-9]{6}[ -][0-9]{4}",
    ),
    luhn,
)
SSN: Final = Pattern(
    "ssn", re.compile(r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])"), ("[^0-9-][0-9]{3}-[0-9]{2}-[0-9]{4}",), _ssn
)
PHONE: Final = Pattern(
    "phone",
    re.compile(
        rf"(?<![\w.,/-])(?:(?:\+|00)(?!\d{{0,3}}[ .-]?(?:\(\d{{1,4}}\)[ .-]?)?\d{{16}}|\d++(?![ .(-]|{_NUMBER_END}))"
        r"\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,5}(?:[ .-]?\d{2,4}){1,5}"
        r"|(?:1[ .-])?\(\d{3}\) ?\d{3}[ .-]\d{4}|(?:1[ .-])?\d{3}[-.]\d{3}[-.]\d{4}"
        r"|\(0\d{1,5}\) ?\d{2,8}(?:[ -]?\d{2,5}){0,3}|0\d{1,5}(?:[ /-]\d{2,8}){1,4}|0[1-9]\d{7,9}"
        r"|(?:\(?\d{2,3}\)? )9?\d{4}-\d{4})" + _NUMBER_END
    ),
    tuple(
        _NO_NUMBER + number.replace("D", "[0-9]")
        for number in (
            r"\+D[0-9 .()-]{3}",
            r"00D[0-9 .()-]{3}",
            r"\(D{3}\) ?D{3}[ .-]D{4}",
            r"1[ .-]\(D{3}\) ?D{3}[ .-]D{4}",
            r"D{3}[-.]D{3}[-.]D{4}",
            r"1[ .-]D{3}[-.]D{3}[-.]D{4}",
            r"\(0D{1,5}\) ?D{2}",
            r"0D{1,5}[ /-]D{2}",
            r"0[1-9]D{7}",
            r"\(D{2,3}\)? 9?D{4}-D{4}",
            r"D{2,3}\)? 9?D{4}-D{4}",
        )
    ),
    _phone,
)
# Digits in any other grouping are a telephone number only where the words before them say so.
CALLED: Final = Pattern(
    "phone",
    re.compile(
        rf"(?i)\b(?:{_CALLED_BY})\b[^\d\n<>]{{1,20}}(?<![\d.,+-])(\(?\+?\d[\d ().-]{{5,17}}\d(?:x\d{{1,6}})?)(?![\w>-]|[.,]\d)"
    ),
    # `(?i)` takes ſ for s, and dotted or dotless letters for i, which Latin-1 lacks
    tuple(f"{_NO_WORD}(?i:{word.translate(_IN_ANY_CASE)}){_NO_WORD}" for word in _CALLS),
    _phone,
    group=1,
)
IPV4: Final = Pattern(
    "ipv4",
    re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.]\d|\d)"),
    (r"[^0-9.][0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]",),
    _ipv4,
)
PATTERNS: Final = (PEM, JWT, BEARER, API_KEY, EMAIL, IBAN, CARD, SSN, PHONE, CALLED, IPV4)
"""In this order: the more specific kind first, what became a token is not matched again."""
