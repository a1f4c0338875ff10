"""Redaction: secrets become typed, keyed tokens; everything else stays."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import ConfigError
from monitor.redaction import Cleaning, found, keyed, luhn, redact
from monitor.reference import scanner_of
from tests.benchmarks.labelled_texts import Labelled, ours, theirs
from tests.benchmarks.redaction import PRECISION, RECALL, SPEED, hits, judged
from tests.benchmarks.results import RESULTS

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


def name_scanner(text: str) -> list[tuple[int, int, str]]:
    at = text.find("Ann Lee")
    return [(at, at + 7, "PERSON")] if at >= 0 else []


def test_a_companys_scanner_adds_kinds_of_its_own() -> None:
    cleaning = Cleaning(TOKEN, name_scanner)
    clean = cleaning.clean("Ann Lee <ann@example.com>")
    assert re.fullmatch(r"<person:[0-9a-f]{8}> <<email:[0-9a-f]{8}>>", clean)
    assert cleaning.counts == {"person": 1, "email": 1}


def test_overlapping_and_unordered_finds_leave_nothing_of_either() -> None:
    cleaning = Cleaning(TOKEN, lambda _: [(4, 9, "b"), (0, 6, "a")])
    assert re.fullmatch(r"<a:[0-9a-f]{8}><b:[0-9a-f]{8}>9", cleaning.clean("0123456789"))


@pytest.mark.parametrize("name", ["nowhere:f", "json:nothing", "json", "json:__doc__"])
def test_a_scanner_that_cannot_be_imported_is_a_config_error(name: str) -> None:
    with pytest.raises(ConfigError, match=r"privacy\.scanner"):
        scanner_of(name)


@pytest.mark.parametrize("texts", [ours, theirs])
def test_recall_and_precision_per_kind_hold_on_labelled_texts(
    texts: Callable[[int], Iterator[Labelled]],
) -> None:
    found = judged(texts(600))
    assert {kind for kind, shares in found.items() if shares["recall"] < 0.9} == set()
    assert {kind for kind, shares in found.items() if shares["precision"] < 0.85} == set()


def test_the_published_figures_meet_the_targets() -> None:
    measured = json.loads((RESULTS / "redaction.json").read_text())
    for half in ("ours", "held_out"):
        assert {kind for kind, v in measured[half].items() if v["recall"] < RECALL} == set()
        assert {kind for kind, v in measured[half].items() if v["precision"] < PRECISION} == set()
    assert measured["speed"]["one secret in twenty"]["ratio"] >= SPEED


def test_what_a_window_shows_is_what_the_whole_text_shows() -> None:
    padding = "Nothing to see here, and nothing there. " * 40
    for labelled in ours(60):
        assert hits(padding + labelled.text + padding) == [
            (start + len(padding), end + len(padding), kind) for start, end, kind in hits(labelled.text)
        ]
