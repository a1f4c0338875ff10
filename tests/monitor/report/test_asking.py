"""Questions that look at few rows first: the answer is that of looking at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.report.asking import AMONG, Asking
from monitor.report.model import Window
from monitor.store import Batch, Store
from tests.monitor.report.test_report import DAY, NOW, PAIRS, fill, pair, scores


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A day ago 54 broken Swahili answers, and since then more broken English ones than are looked at first."""
    made = Store(tmp_path / "t.duckdb")
    fill(made, start=NOW - DAY)
    newer = range(PAIRS + 1, PAIRS + AMONG + 51)
    made.commit(
        Batch(
            pairs=[pair(seq, at=NOW - 4_000 + seq, language="en") for seq in newer],
            scores=[row for seq in newer for row in scores(seq, bad=True)],
        )
    )
    yield made
    made.close()


@pytest.fixture
def asking(store: Store) -> Asking:
    return Asking(store, Window(NOW - 7 * DAY, NOW), lambda _words: None)


def ids(asking: Asking, segment: str, limit: int) -> list[str]:
    return [row[0] for row in asking.worst(segment, "script", limit)]


def test_the_worst_of_a_quiet_segment_are_found_behind_a_loud_one(asking: Asking) -> None:
    broken = [seq for seq in range(10, PAIRS + 1, 10) if seq % 100]
    assert ids(asking, "language=sw", 3) == [f"p{seq}" for seq in sorted(broken)[:-4:-1]]
    assert len(ids(asking, "language=sw", 1_000)) == len(broken)


def test_the_worst_of_all_are_the_newest(asking: Asking) -> None:
    assert ids(asking, "all", 2) == [f"p{PAIRS + AMONG + 50}", f"p{PAIRS + AMONG + 49}"]


def test_columns_are_the_rows(store: Store) -> None:
    question = "SELECT seq, x0 FROM scores WHERE signal = 'answer' AND seq <= 4 ORDER BY seq"
    columns = store.arrays(question)
    assert list(zip(columns["seq"].tolist(), columns["x0"].tolist(), strict=True)) == store.query(question)
