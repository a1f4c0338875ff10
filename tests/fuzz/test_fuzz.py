"""A reduced, repeatable count of every fuzz target; `make fuzz` runs the full one."""

from __future__ import annotations

import itertools

import pytest

from tests.fuzz.engine import covers, inputs, load, names

COUNT = 1_000


@pytest.mark.parametrize("name", names())
def test_target_finds_nothing(name: str) -> None:
    target = load(name)
    for number, data in enumerate(inputs(target.seeds, COUNT, seed=20261122)):
        try:
            target.run(data)
        except Exception as error:
            error.add_note(f"input {number} of seed 20261122: {data!r}")
            raise


@pytest.mark.parametrize("name", names())
def test_what_a_target_covers_is_known_before_it_is_imported(name: str) -> None:
    assert covers(name) == load(name).covers != ()


def test_inputs_are_the_same_for_the_same_seed() -> None:
    assert list(inputs([b"a: b\r\n"], 50, seed=3)) == list(inputs([b"a: b\r\n"], 50, seed=3))


def test_inputs_start_with_the_seeds_and_then_differ() -> None:
    made = list(inputs([b"GET / HTTP/1.1\r\n\r\n"], 200, seed=1))
    assert made[0] == b"GET / HTTP/1.1\r\n\r\n"
    assert len(set(made)) > 100


def test_no_seed_is_too_many_for_the_count() -> None:
    assert list(itertools.islice(inputs([b"a", b"b", b"c"], 2, seed=1), 5)) == [b"a", b"b"]
