"""Sampling: a keyed hash, the same everywhere, uniform, and nested in its fraction."""

from __future__ import annotations

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from monitor.sampling import chosen, position, positions, thinned

KEYS = [f"request-{n}".encode() for n in range(20_000)]


def test_positions_are_uniform() -> None:
    tenths = [0] * 10
    for key in KEYS:
        tenths[int(10 * position(key, b"salt"))] += 1
    assert all(1_850 < count < 2_150 for count in tenths), tenths


def test_another_salt_is_another_sample() -> None:
    one = {key for key in KEYS if chosen(key, b"one", 0.1)}
    two = {key for key in KEYS if chosen(key, b"two", 0.1)}
    assert 130 < len(one & two) < 270  # independent: 1 % of 20,000


def test_every_process_draws_the_same_position() -> None:
    code = "from monitor.sampling import position; print(repr(position(b'abc', b'salt')))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert float(other) == position(b"abc", b"salt") == positions(b"salt")(b"abc")


@given(st.binary(max_size=80), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_fraction_only_adds_exchanges(key: bytes, one: float, two: float) -> None:
    small, large = sorted((one, two))
    assert chosen(key, b"salt", large) >= chosen(key, b"salt", small)


@given(st.binary(max_size=80), st.floats(0, 1), st.floats(0, 1))
def test_what_survives_thinning_was_in_the_sample(key: bytes, fraction: float, keep: float) -> None:
    assert chosen(key, b"salt", fraction) >= thinned(key, b"salt", fraction, keep)


def test_nothing_and_everything() -> None:
    assert not any(chosen(key, b"salt", 0.0) for key in KEYS[:100])
    assert all(chosen(key, b"salt", 1.0) for key in KEYS[:100])
