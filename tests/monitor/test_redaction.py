"""Redaction: secrets become typed, keyed tokens; everything else stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.redaction import found, keyed, luhn, redact

TOKEN = keyed(b"k" * 32)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("email", "write to jane.doe+news@example.co.uk now"),
        ("email", "почта: имя@пример.рф"),
        ("card", "card 4111 1111 1111 1111 please"),
        ("card", "5500-0000-0000-0004"),
        ("iban", "IBAN DE89 3704 0044 0532 0130 00"),
        ("ssn", "SSN 123-45-6789."),
        ("phone", "call +49 30 1234567 or later"),
        ("phone", "(415) 555-2671"),
        ("ipv4", "host 192.168.10.254 is down"),
        ("api_key", "key sk-abcdefghijklmnopqrstuvwx"),
        ("api_key", "AKIAIOSFODNN7EXAMPLE"),
        ("bearer", "Authorization: Bearer abcdefghijklmnop123"),
        ("jwt", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"),
    ],
)
def test_each_kind_is_replaced_by_its_token(kind: str, text: str) -> None:
    assert found(text) == {kind: 1}
    assert f"<{kind}:" in redact(text, TOKEN)


@pytest.mark.parametrize(
    "text",
    [
        "The answer is 1,250,000 dollars.",
        "Order 1234 5678 9012 3456 is not a card",
        "version 1.2.3 of 2026-11-22 at 10:30",
        "3.14159265358979 and 299792458",
        "a @ b, C@ and @home",
        "pages 100-200-300",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    assert redact(text, TOKEN) == text


def test_equal_values_get_equal_tokens_and_other_keys_other_tokens() -> None:
    text = "a@b.com a@b.com c@d.com"
    first, second, third = redact(text, TOKEN).split()
    assert first == second
    assert first != third
    assert redact(text, keyed(b"x" * 32)) != redact(text, TOKEN)


def test_luhn_accepts_the_standard_example_only() -> None:
    assert luhn("4539578763621486")
    assert not luhn("4539578763621487")


@given(st.text(max_size=300))
def test_redaction_never_raises_and_is_stable(text: str) -> None:
    once = redact(text, TOKEN)
    assert redact(once, TOKEN) == once
