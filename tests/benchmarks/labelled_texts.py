"""Texts whose secrets are known: half of our own making, half from Faker's idea of the world.

The patterns were written beside the first generator. The second takes its values from Faker (ten
locales) and was not looked at when they were; both put decoys beside the secrets that must stay:
prices, dates, versions, ISBNs, UUIDs, coordinates, order numbers.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from string import ascii_letters, digits

from faker import Faker

from monitor.secret_patterns import luhn

LOCALES = ("en_US", "en_GB", "de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "pl_PL", "pt_BR", "sv_SE")


@dataclass(frozen=True, slots=True)
class Labelled:
    """One text and where its secrets are: (start, end, kind)."""

    text: str
    spans: tuple[tuple[int, int, str], ...]


def _filled(template: str, values: dict[str, tuple[str, str]]) -> Labelled:
    """`template` with every `{name}` replaced; values are (kind, text), kind "" for decoys."""
    text, spans = "", []
    for piece in template.split("{"):
        name, closed, rest = piece.partition("}")
        if not closed:
            text += piece
            continue
        kind, value = values[name]
        if kind:
            spans.append((len(text), len(text) + len(value), kind))
        text += value + rest
    return Labelled(text, tuple(spans))


def _some(rng: Random, alphabet: str, count: int) -> str:
    return "".join(rng.choices(alphabet, k=count))


def _card(rng: Random) -> str:
    prefix = rng.choice(("4", "51", "55", "37", "6011"))
    length = 15 if prefix == "37" else 16
    body = prefix + _some(rng, digits, length - len(prefix) - 1)
    number = next(body + d for d in digits if luhn(body + d))
    gap = rng.choice(("", " ", "-"))
    return gap.join(number[i : i + 4] for i in range(0, length, 4))


def _iban(rng: Random) -> str:
    country, length = rng.choice((("DE", 22), ("FR", 27), ("NL", 18), ("ES", 24), ("BE", 16)))
    body = _some(rng, digits, length - 4) if country != "NL" else "ABNA" + _some(rng, digits, 10)
    check = 98 - int("".join(str(int(c, 36)) for c in body + country + "00")) % 97
    number = f"{country}{check:02d}{body}"
    return " ".join(number[i : i + 4] for i in range(0, length, 4)) if rng.random() < 0.5 else number


def _phone(rng: Random) -> str:
    shape = rng.choice(
        (
            "+49 30 #######",
            "+1 415-555-####",
            "(212) 555-####",
            "415.555.####",
            "030/#######",
            "+81 3-####-####",
            "+44 20 #### ####",
        )
    )
    return "".join(rng.choice(digits) if c == "#" else c for c in shape)  # fmt: skip


def _key(rng: Random) -> str:
    letters = ascii_letters + digits
    return rng.choice(("sk-" + _some(rng, letters, 40), "AKIA" + _some(rng, "ABCDEFGHIJ234567", 16), "ghp_" + _some(rng, letters, 36), "hf_" + _some(rng, letters, 34), "glpat-" + _some(rng, letters, 20)))  # fmt: skip


def _jwt(rng: Random) -> str:
    parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": _some(rng, digits, 8), "name": "x"})
    head = [urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*head, _some(rng, ascii_letters + digits + "-_", 43)])


def _pem(rng: Random) -> str:
    lines = "\n".join(_some(rng, ascii_letters + digits + "+/", 64) for _ in range(4))
    kind = rng.choice(("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"))
    return f"-----BEGIN {kind}-----\n{lines}\n-----END {kind}-----"


def _ssn(rng: Random) -> str:
    return f"{rng.randint(1, 665):03d}-{rng.randint(1, 99):02d}-{rng.randint(1, 9999):04d}"


def _ip(rng: Random) -> str:
    return ".".join(str(rng.randint(0, 255)) for _ in range(4))


OURS: dict[str, Callable[[Random], str]] = {
    "email": lambda rng: (
        f"{rng.choice(('ann', 'li.wei', 'o_neil', 'k+tag'))}{rng.randint(1, 99)}@{rng.choice(('example.com', 'mail.example.co.uk', 'firma.de'))}"
    ),
    "card": _card,
    "iban": _iban,
    "ssn": _ssn,
    "phone": _phone,
    "ipv4": _ip,
    "api_key": _key,
    "jwt": _jwt,
    "bearer": lambda rng: _some(rng, ascii_letters + digits + "._~-", 32) + "a",
    "pem": _pem,
}
_FRAMES = {
    "bearer": "curl -H 'Authorization: Bearer {x}' {decoy}",
    "pem": "My key is:\n{x}\nand version {decoy}",
}
_OURS_FRAMES = ("Please send it to {x}, order {decoy}.", "{decoy}: my data is {x}. Thanks!", "以下です：{x} （{decoy}）", "Kontakt: {x}\nRef {decoy}", "SELECT '{x}' -- {decoy}")  # fmt: skip


def _decoy(rng: Random) -> str:
    return rng.choice((
        f"{rng.randint(1, 9)},{rng.randint(100, 999)}.{rng.randint(10, 99)}", f"2026-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}T10:15:30Z",
        f"v{rng.randint(0, 9)}.{rng.randint(0, 20)}.{rng.randint(0, 9)}", f"#{rng.randint(10**5, 10**6)}", f"{rng.random():.12f}", f"{rng.randint(1000, 9999)}x{rng.randint(1000, 9999)}",
    ))  # fmt: skip


def ours(count: int, seed: int = 1) -> Iterator[Labelled]:
    """Texts of our own making, the kinds in turn."""
    rng = Random(seed)
    kinds = list(OURS)
    for number in range(count):
        kind = kinds[number % len(kinds)]
        frame = _FRAMES.get(kind) or rng.choice(_OURS_FRAMES)
        yield _filled(frame, {"x": (kind, OURS[kind](rng)), "decoy": ("", _decoy(rng))})


def _theirs(fake: Faker, us: Faker, rng: Random) -> dict[str, Callable[[], str]]:
    return {
        "email": lambda: str(rng.choice((fake.email, fake.company_email, fake.ascii_free_email))()),
        "card": lambda: str(fake.credit_card_number()),
        "iban": lambda: str(fake.iban()),
        "ssn": lambda: str(us.ssn()),
        "phone": lambda: str(fake.phone_number()),
        "ipv4": lambda: str(fake.ipv4()),
        "api_key": lambda: str(rng.choice((fake.bothify("sk-proj-????####????####????", ascii_letters), fake.lexify("xoxb-????????????????????", digits), "AIza" + fake.lexify("?" * 35, ascii_letters), "github_pat_" + fake.lexify("?" * 60, ascii_letters)))),
        "jwt": lambda: _jwt(rng),
        "bearer": lambda: str(fake.sha256()),
        "pem": lambda: _pem(rng),
    }  # fmt: skip


_THEIR_FRAMES = {
    "phone": (
        "You can reach me by phone: {x}.",
        "Tel. {x}",
        "{name} ({x}) called twice.",
        "Please call {x} today",
    ),
    "bearer": ("Authorization: Bearer {x}", "the header was `authorization: bearer {x}`"),
}
_ANY_FRAME = ("{name} wrote: {x}", "It is {x}, I think.", "[{x}]", '{{"value": "{x}"}}'.replace("{{", "").replace("}}", ""), "- {x}")  # fmt: skip


def theirs(count: int, seed: int = 2) -> Iterator[Labelled]:
    """Texts around Faker's values, the kinds in turn; with Faker's own prose and decoys beside them."""
    rng = Random(seed)
    Faker.seed(seed)
    fakers = [Faker(locale) for locale in LOCALES]
    us = Faker("en_US")
    for number in range(count):
        fake = rng.choice(fakers)
        makers = _theirs(fake, us, rng)
        kind = list(makers)[number % len(makers)]
        frame = rng.choice(_THEIR_FRAMES.get(kind, _ANY_FRAME))
        prose = [_plain(fake.paragraph(2)), _plain(str(rng.choice(_decoys(us))()))]
        values = {
            "x": (kind, makers[kind]()),
            "name": ("", fake.last_name()),
            "a": ("", prose[0]),
            "b": ("", prose[1]),
        }
        yield _filled("{a} " + frame + " {b}", values)


def _plain(text: str) -> str:
    return text.replace("{", "(").replace("}", ")")


def _decoys(fake: Faker) -> tuple[Callable[[], object], ...]:
    return (fake.isbn13, fake.uuid4, fake.iso8601, fake.pricetag, fake.latitude, fake.pyfloat, fake.license_plate, fake.postcode, fake.date, fake.md5, lambda: fake.numerify("Order %#####"), lambda: fake.numerify("%.#.##"))  # fmt: skip


def harmless(count: int, seed: int = 3) -> list[str]:
    """Prose and numbers without a secret, as most answers are."""
    rng = Random(seed)
    Faker.seed(seed)
    fakers = [Faker(locale) for locale in LOCALES]
    us = Faker("en_US")
    return [
        " ".join(
            [
                rng.choice(fakers).paragraph(12),
                str(rng.choice(_decoys(us))()),
                rng.choice(fakers).paragraph(12),
            ]
        )
        for _ in range(count)
    ]
