"""Sealed text: readable with the key at its place, and nowhere else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitor.vault import PREFIX, UNREADABLE, Vault

VAULT = Vault(b"k" * 32)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=500))
def test_what_was_sealed_opens_again(text: str) -> None:
    assert VAULT.open(VAULT.seal(text, "p1", "request"), "p1", "request") == text


def test_sealed_text_shows_nothing_of_itself() -> None:
    sealed = VAULT.seal("the patient's name is Ann", "p1", "request")
    assert sealed.startswith(PREFIX)
    assert "Ann" not in sealed


def test_it_opens_neither_elsewhere_nor_with_another_key() -> None:
    sealed = VAULT.seal("secret", "p1", "request")
    assert VAULT.open(sealed, "p2", "request") == UNREADABLE
    assert VAULT.open(sealed, "p1", "baseline") == UNREADABLE
    assert Vault(b"x" * 32).open(sealed, "p1", "request") == UNREADABLE
    assert VAULT.open(PREFIX + "nonsense", "p1", "request") == UNREADABLE


def test_equal_texts_of_two_pairs_look_different() -> None:
    assert VAULT.seal("same", "p1", "request") != VAULT.seal("same", "p2", "request")


def test_text_that_was_never_sealed_is_what_it_is() -> None:
    assert VAULT.open("plain", "p1", "request") == "plain"
    assert VAULT.seal("", "p1", "request") == ""
