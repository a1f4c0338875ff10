"""Blocks are affine maps: any grouping, any owner, one result; a restart changes no bit."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from monitor.affine import Affine
from monitor.detector import BETS, Bank

unit = st.floats(0, 1, allow_subnormal=False)
scores = arrays.arrays(np.float64, st.integers(1, 60), elements=unit)
INVERSE = np.array([1 / 0.12, 1 / 0.05])


def block(x: np.ndarray) -> Affine:
    return Affine.of(x, np.full(len(x), 1e-7), INVERSE, BETS)


@given(scores, st.data())
def test_uncapped_blocks_compose_in_any_grouping(x: np.ndarray, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(x)), max_size=6)))
    parts = [block(part) for part in np.split(x, cuts)]
    left = parts[0]
    for part in parts[1:]:
        left = left.then(part)
    right = parts[-1]
    for part in reversed(parts[:-1]):
        right = part.then(right)

    wealth = np.full((6, 2), 1e-3)
    np.testing.assert_allclose(left(wealth), block(x)(wealth), rtol=1e-12)
    np.testing.assert_allclose(right(wealth), block(x)(wealth), rtol=1e-12)


@given(scores)
def test_a_composed_block_equals_its_observations(x: np.ndarray) -> None:
    direct, composed = (Bank(two_stream=False) for _ in range(2))
    for bank in (direct, composed):
        bank.add(np.array([0.12]), 0.0, 1e-6)
    crossings = direct.feed(np.zeros(len(x), np.int64), np.arange(1.0, len(x) + 1), x)
    paid = np.full(len(x), 1e-6)
    halves = [
        Affine.of(x[part], paid[part], np.array([1 / 0.12]), BETS) for part in (slice(0, 9), slice(9, None))
    ]
    crossing = composed.compose(0, halves[0].then(halves[1]), float(paid.sum()), float(len(x)))

    np.testing.assert_allclose(composed.cells.wealth, direct.cells.wealth, rtol=1e-12)
    assert composed.cells.firing[0] == direct.cells.firing[0]
    assert (crossing is not None) == bool(crossings)


def log_of(seed: int, rows: int, length: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    x0 = np.where(rng.random(length) < 0.3, rng.random(length), np.nan)
    return rng.integers(0, rows, length), np.sort(rng.random(length) * 400), rng.random(length), x0


def bank_of(rows: int, *, two_stream: bool) -> Bank:
    bank = Bank(two_stream=two_stream)
    bank.add(np.full(rows, 0.1), 0.0, 1e-4)
    return bank


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_rows_owned_by_two_replicas_have_the_bits_of_one_process(seed: int, two_stream: bool) -> None:
    rows, times, x, x0 = log_of(seed, 6, 300)
    blocks = (times // 1).astype(np.int64)
    whole = bank_of(6, two_stream=two_stream)
    whole.feed(rows, times, x, x0, blocks)
    for owner in (0, 1):
        part = bank_of(6, two_stream=two_stream)
        mine = rows % 2 == owner
        part.feed(rows[mine], times[mine], x[mine], x0[mine], blocks[mine])
        np.testing.assert_array_equal(part.cells.wealth[owner::2], whole.cells.wealth[owner::2])
        np.testing.assert_array_equal(part.cells.evidence[owner::2], whole.cells.evidence[owner::2])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_block_by_block_equals_one_call(seed: int, two_stream: bool) -> None:
    rows, times, x, x0 = log_of(seed, 5, 300)
    blocks = (times // 1).astype(np.int64)
    whole, stepwise = (bank_of(5, two_stream=two_stream) for _ in range(2))
    expected = whole.feed(rows, times, x, x0, blocks)
    found = []
    for number in np.unique(blocks):
        now = blocks == number
        offset = int(np.flatnonzero(now)[0])
        found += [
            (c.index + offset, c.row, c.alarm) for c in stepwise.feed(rows[now], times[now], x[now], x0[now])
        ]

    assert found == [(c.index, c.row, c.alarm) for c in expected]
    np.testing.assert_array_equal(stepwise.cells.wealth, whole.cells.wealth)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40))
def test_row_after_row_has_the_bits_of_all_rows_at_once(seed: int, width: int) -> None:
    """Padding with silent rows changes which of the two ways a log is read, never its result."""
    rows, times, x, _ = log_of(seed, 3, 300)
    x = np.where(np.random.default_rng(seed).random(len(x)) < 0.1, np.nan, x)
    blocks = (times // 1).astype(np.int64)
    quick = bank_of(3, two_stream=False)
    expected = quick.feed(rows, times, x, None, blocks)

    padded = bank_of(3 + 200 * width, two_stream=False)
    silent = np.arange(3, 3 + 200 * width)
    log = [
        np.concatenate(pair)
        for pair in ((rows, silent), (times, np.full(len(silent), 1e3)), (x, np.zeros(len(silent))))
    ]
    found = padded.feed(log[0], log[1], log[2], None, np.concatenate([blocks, np.full(len(silent), 10**6)]))

    assert found == expected
    for name in ("wealth", "evidence", "firing", "last", "since"):
        np.testing.assert_array_equal(getattr(padded.cells, name)[:3], getattr(quick.cells, name))
