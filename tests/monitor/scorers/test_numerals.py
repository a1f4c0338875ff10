"""Numbers as models write them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.scorers.numerals import last_number, same_number, whole_number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("The total is $1,250,000.", "1250000"),
        ("1.234.567,89 €", "1234567.89"),
        ("1 234,5", "1234.5"),
        ("1,00,000 rupees", "100000"),
        ("it costs 3.50.", "3.50"),
        ("about 40%", "40"),
        ("1.5 million people", "1500000"),
        ("5k", "5000"),
        ("3万円", "30000"),
        ("答えは15個です", "15"),
        ("उत्तर ४२ है", "42"),
        ("الجواب ١٢٫٥", "12.5"),
        (r"\frac{3}{4}", "0.75"),
        ("so 1/2", "0.5"),
        ("-7 degrees", "-7"),
        ("2.5 × 10^3", "2500"),
    ],
)
def test_the_last_number_is_read_as_people_read_it(text: str, value: str) -> None:
    number = last_number(text)
    assert number is not None
    assert Decimal(value) == number.value


@pytest.mark.parametrize("text", ["version 1.2.3", "no digits", "", "²", "1,2,3"])
def test_what_is_no_number_gives_none(text: str) -> None:
    assert last_number(text) is None


@pytest.mark.parametrize("text", ["42", "$42", "# 42", "42 dollars", "15個"])
def test_a_field_may_carry_a_unit(text: str) -> None:
    assert whole_number(text) is not None


@pytest.mark.parametrize("text", ["0aabbaa0b", "from 3 to 5", "the year in which all of it began was 1999"])
def test_a_field_of_words_is_no_number(text: str) -> None:
    assert whole_number(text) is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("33.33", "33.3333", True),
        ("40%", "0.4", True),
        ("1.234", "1234", True),
        ("33", "33.33", False),
        ("42", "420", False),
        ("1250", "1,250.00", True),
    ],
)
def test_rounding_percent_and_separators_do_not_make_a_difference(one: str, other: str, same: bool) -> None:
    a, b = last_number(one), last_number(other)
    assert a is not None
    assert b is not None
    assert same == same_number(a, b) == same_number(b, a)


@given(st.integers(-(10**15), 10**15))
def test_integers_survive_thousand_separators(value: int) -> None:
    number = last_number(f"It is {value:,}.")
    assert number is not None
    assert value == number.value
