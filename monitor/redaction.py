"""Personal data and secrets in text become typed, keyed tokens: `<email:3f2a91c0>`. Pure.

Equal values get equal tokens under one key, so agreement between the arms survives redaction, and
destroying the key makes the rest unlinkable. Each pattern stands behind a cheap guard (a substring
or a digit run), because patterns without one dominate the cost on text that holds no personal data.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pattern:
    """One kind of secret: a guard that must hold before the regex runs, and a check of each hit."""

    kind: str
    guard: Callable[[str], bool]
    regex: re.Pattern[str]
    valid: Callable[[str], bool] = bool


_LONG_DIGITS = re.compile(r"\d[\d .()/-]{6,}\d")
_DOTTED = re.compile(r"\d\.\d")


def _has(*needles: str) -> Callable[[str], bool]:
    return lambda text: any(needle in text for needle in needles)


def luhn(text: str) -> bool:
    """Whether the digits pass the Luhn check (ISO/IEC 7812-1), 13 to 19 of them."""
    digits = [int(c) for c in text if c.isdigit()]
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    doubled = (sum(divmod(2 * d, 10)) for d in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def iban(text: str) -> bool:
    """Whether the text is an IBAN by ISO 13616 (mod 97)."""
    compact = re.sub(r"\s", "", text)
    if not 15 <= len(compact) <= 34:
        return False
    rearranged = compact[4:] + compact[:4]
    return int("".join(str(int(c, 36)) for c in rearranged)) % 97 == 1


def _ipv4(text: str) -> bool:
    return all(int(part) < 256 for part in text.split("."))


def _phone(text: str) -> bool:
    digits = sum(c.isdigit() for c in text)
    return 8 <= digits <= 15


def _ssn(text: str) -> bool:
    area, group, serial = text.split("-")
    return area not in {"000", "666"} and area < "900" and group != "00" and serial != "0000"


# Order matters: the more specific kind first, a token is never matched again.
PATTERNS: tuple[Pattern, ...] = (
    Pattern("pem", _has("-----BEGIN"), re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[\s\S]{1,8000}?-----END [A-Z ]{0,30}PRIVATE KEY-----")),
    Pattern("jwt", _has("eyJ"), re.compile(r"\beyJ[\w-]{8,2000}\.[\w-]{8,4000}\.[\w-]{8,1000}")),
    Pattern("bearer", _has("earer "), re.compile(r"(?<=[Bb]earer )[\w.~+/=-]{16,2000}")),
    Pattern(
        "api_key",
        _has("sk-", "AKIA", "ASIA", "ghp_", "gho_", "github_pat_", "xox", "AIza", "hf_", "glpat-", "sk_live_", "rk_live_", "pypi-"),
        re.compile(
            r"\b(?:sk-[\w-]{16,200}|(?:AKIA|ASIA)[A-Z0-9]{16}|gh[pousr]_\w{30,100}|github_pat_\w{30,120}"
            r"|xox[abprs]-[\w-]{10,200}|AIza[\w-]{35}|hf_\w{20,60}|glpat-[\w-]{20,60}|[sr]k_live_\w{16,120}|pypi-[\w-]{40,250})"
        ),
    ),
    Pattern("email", _has("@"), re.compile(r"(?<![\w.+%-])[\w.+%-]{1,64}@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}\b")),
    Pattern("iban", lambda t: bool(_LONG_DIGITS.search(t)), re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"), iban),
    Pattern("card", lambda t: bool(_LONG_DIGITS.search(t)), re.compile(r"(?<![\d.-])\d(?:[ -]?\d){12,18}(?![\d.-]\d)"), luhn),
    Pattern("ssn", lambda t: bool(_LONG_DIGITS.search(t)), re.compile(r"(?<![\d-])\d{3}-\d{2}-\d{4}(?![\d-])"), _ssn),
    Pattern(
        "phone",
        lambda t: bool(_LONG_DIGITS.search(t)),
        re.compile(r"(?<![\w.,/-])(?:\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]?\d{2,4}){1,5}|\(\d{3}\) ?\d{3}-\d{4}|\d{3}[-.]\d{3}[-.]\d{4}|0\d{2,4}[ /-]\d{3,8}(?:[ -]\d{2,5})?)(?![\w/-]|[.,]\d)"),
        _phone,
    ),
    Pattern("ipv4", lambda t: bool(_DOTTED.search(t)), re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.]\d|\d)"), _ipv4),
)  # fmt: skip

Token = Callable[[str, str], str]


def keyed(key: bytes) -> Token:
    """A token maker: `<kind:8 hex digits of HMAC-SHA256(key, kind and value)>`."""

    def token(kind: str, value: str) -> str:
        digest = hmac.new(key, f"{kind}\0{value}".encode("utf-8", "surrogatepass"), hashlib.sha256)
        return f"<{kind}:{digest.hexdigest()[:8]}>"

    return token


def redact(text: str, token: Token) -> str:
    """`text` with every recognised secret replaced by its token."""
    for pattern in PATTERNS:
        if pattern.guard(text):
            text = pattern.regex.sub(_replacement(pattern, token), text)
    return text


def _replacement(pattern: Pattern, token: Token) -> Callable[[re.Match[str]], str]:
    def replace(match: re.Match[str]) -> str:
        value = match.group()
        return token(pattern.kind, value) if pattern.valid(value) else value

    return replace


def found(text: str) -> dict[str, int]:
    """How many of each kind `redact` would replace (for metrics and tests)."""
    counts: dict[str, int] = {}

    def count(kind: str, value: str) -> str:
        counts[kind] = counts.get(kind, 0) + 1
        return f"<{kind}:{len(value)}>"

    redact(text, count)
    return counts
