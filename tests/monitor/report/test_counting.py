"""Counting scores by array: what a loop over pairs counts, whatever repeats, gaps and grades."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import numpy as np
import pytest

from monitor.report.counting import Columns, Pairs, first_of, samples_of
from monitor.report.dimensions import dimensions_of
from monitor.report.weekly import Arm, Sample

COMBINATIONS = (
    ("all", "language=en", "task=chat"),
    ("all", "language=sw", "task=chat"),
    ("all", "language=sw"),
    ("all", "language=en", "task=code"),
)
GRADES = (0.0, 1.0, 0.25, 0.3)


class Log:
    """Pairs as rows (number, combination, fit, prompt, turn) and scores (number, x, x0), drawn."""

    def __init__(self, count: int = 400) -> None:
        rng = Random(7)
        self.seqs = rng.sample(range(1, 2 * count), count)
        self.pairs = [
            (seq, rng.randrange(4), rng.random() < 0.9, rng.randrange(count), rng.randrange(count))
            for seq in self.seqs
        ]
        self.scores = [
            (seq, rng.choice(GRADES), rng.choice(GRADES) if rng.random() < 0.5 else None)
            for seq in sorted([*self.seqs, 5 * count])
        ]

    def columns(self, *, parts: int = 1) -> Iterator[Columns]:
        names = ("seq", "combination", "fit", "prompt", "turn")
        types = (np.int64, np.int32, np.bool_, np.uint64, np.uint64)
        for rows in np.array_split(np.arange(len(self.pairs)), parts):
            columns = zip(*(self.pairs[at] for at in rows), strict=True)
            yield {name: np.array(c, t) for name, c, t in zip(names, columns, types, strict=True)}

    def read(self) -> Iterator[Columns]:
        for part in (self.scores[:150], self.scores[150:]):
            seqs, x, x0 = zip(*part, strict=True)
            missing = [value is None for value in x0]
            known = np.ma.masked_array([value or 0.0 for value in x0], missing)
            yield {"seq": np.array(seqs), "x": np.array(x), "x0": known}

    def counted(self, *, agreement: bool) -> set[int]:
        """Numbers of the pairs that are the first of their prompt, or of their turn and fit."""
        seen: set[int] = set()
        found = set()
        for seq, _, fit, prompt, turn in sorted(self.pairs):
            key = turn if agreement else prompt
            if key not in seen and (fit or not agreement):
                found.add(seq)
            seen.add(key)
        return found


def arm(values: list[float], *, fine: bool) -> Arm:
    shown = [value if fine or value in {0.0, 1.0} else 0.5 for value in values]
    counts = {value: shown.count(value) for value in set(shown)}
    return Arm(counts, len(values), sum(values), sum(value * value for value in values))


def close(sample: Sample) -> tuple[Any, ...]:
    return tuple(
        (a.values, a.n, pytest.approx(a.total), pytest.approx(a.squares)) for a in (sample.x, sample.x0)
    )


@pytest.mark.parametrize("agreement", [True, False])
@pytest.mark.parametrize("fine", [True, False])
def test_arrays_count_what_a_loop_counts(agreement: bool, fine: bool) -> None:
    log = Log()
    counted, place = log.counted(agreement=agreement), {seq: row for seq, row, *_ in log.pairs}
    expected: dict[tuple[str, str], tuple[list[float], list[float]]] = {}
    for seq, x, x0 in log.scores:
        for segment in COMBINATIONS[place[seq]] if seq in counted else ():
            xs, x0s = expected.setdefault((segment, "answer"), ([], []))
            xs.append(x)
            x0s += [] if x0 is None else [x0]
    pairs, dimensions = Pairs.of(next(log.columns())), dimensions_of(COMBINATIONS)
    found = samples_of("answer", log.read(), pairs, dimensions, agreement=agreement, fine=fine)
    assert {key: close(sample) for key, sample in found.items()} == {
        key: close(Sample(arm(xs, fine=fine), arm(x0s, fine=fine))) for key, (xs, x0s) in expected.items()
    }


def test_parts_of_a_window_are_one_log_in_order() -> None:
    log = Log()
    pairs = Pairs.joined([Pairs.of(part) for part in log.columns(parts=3)])
    assert pairs.seqs.tolist() == sorted(log.seqs)
    assert dict(zip(pairs.seqs.tolist(), pairs.combinations.tolist(), strict=True)) == {
        seq: combination for seq, combination, *_ in log.pairs
    }


def test_a_key_counts_where_it_comes_first() -> None:
    assert first_of(np.array([5, 7, 5, 5, 9, 7])).tolist() == [True, True, False, False, True, False]
    assert first_of(np.array([], np.uint64)).tolist() == []


def test_runs_cover_the_log_and_leave_wide_gaps_out() -> None:
    seqs = np.array([1, 2, 3, 4, 5, 1_000_001, 1_000_002])
    pairs = Pairs(seqs, seqs, seqs > 0, seqs > 0)
    assert list(pairs.runs(3)) == [(1, 3), (4, 5), (1_000_001, 1_000_001), (1_000_002, 1_000_002)]
    assert list(Pairs(seqs[:0], seqs[:0], seqs[:0] > 0, seqs[:0] > 0).runs(3)) == []
