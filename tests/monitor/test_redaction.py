"""Redaction: secrets become typed, keyed tokens; everything else stays."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import ConfigError
from monitor.redaction import Cleaning, found, keyed, redact
from monitor.reference import scanner_of
from monitor.secret_patterns import luhn
from tests.benchmarks.labelled_texts import Labelled, ours, theirs
from tests.benchmarks.redaction import PRECISION, RECALL, SPEED, judged, seconds, unguarded
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
    ratios = {texts: each["ratio"] for texts, each in measured["speed"].items()}
    assert min(ratios["the labelled set"], ratios["its harmless texts"]) >= SPEED


def letters(kind: str, _value: str) -> str:
    """A token without digits, in which no pattern can see anything."""
    return f"<{kind}:token>"


PIECES = [labelled.text[start:end] for labelled in ours(60) for start, end, _ in labelled.spans]
GLUE = ["+", "(0", "00", "1-", "9", "-", "@", "_", ".", "<", ">", "é", "：", "٣", "１", "A", "x", " ext 5", "tel ", "CALL ", "ſms ",
        "mobıle ", "Téléphone ", "sk-", "AKIA", "eyJ", "Bearer ", "-----BEGIN ", "PRIVATE KEY-----", "DE", "030/"]  # fmt: skip


@given(
    st.lists(
        st.one_of(
            st.sampled_from(PIECES),
            st.sampled_from(GLUE),
            st.text("0123456789 .-/()+@:,xeAz_\n", max_size=14),
            st.text(max_size=5),
        ),
        max_size=9,
    )
)
def test_a_text_is_redacted_as_by_every_pattern_over_the_whole_of_it(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert redact(text, letters) == unguarded(text, letters)


@pytest.mark.parametrize("texts", [ours, theirs])
def test_labelled_texts_are_redacted_as_by_every_pattern_over_the_whole_of_them(
    texts: Callable[[int], Iterator[Labelled]],
) -> None:
    assert [
        each.text for each in texts(300) if redact(each.text, letters) != unguarded(each.text, letters)
    ] == []


def test_a_tokens_digest_is_not_a_telephone_number() -> None:
    text = "<iban:00493012> Tel. <card:00493012>"
    assert redact(text, TOKEN) == text


@pytest.mark.parametrize(
    "piece",
    ["eyJ-", "eyJ.", "-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----END PRIVATE KEY-----", "@", "a@", "@a.", "1", "1 ",
     "+1", "0049 ", "+111111111111111a ", "+1 11 11 11 11 11x ", "call ", "AA11 ", "1.1.1.", "sk-", "Bearer ", "4111-"],
)  # fmt: skip
def test_time_grows_with_the_length_of_a_hostile_text_and_no_faster(piece: str) -> None:
    short, long = (piece * (size // len(piece)) for size in (20_000, 160_000))
    redact(short, letters)
    assert (
        seconds(partial(redact, token=letters), [long], 3)
        < 40 * seconds(partial(redact, token=letters), [short], 3) + 0.1
    )  # eight times the length; squared it would be 64 times
