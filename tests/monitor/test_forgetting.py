"""Retention and compaction on a store of its own: rows, texts and bytes go when they should."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from monitor import archive, forgetting
from monitor.errors import StoreError
from monitor.standing import end_of
from monitor.store import Batch, Store
from tests.monitor.test_store import pair, score

TEXTS = {"request": "r", "baseline": "b", "candidate": "c", "replay": None}


def row(seq: int, at: float, *, subject: str | None = None, text: str | None = None) -> tuple[Any, ...]:
    values = list(pair(seq, at=at))
    values[11] = subject
    values[18] = {**TEXTS, "request": text} if text else None
    return tuple(values)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "t.duckdb")
    rows = [row(n, 100.0 * n, subject=f"s{n % 2}", text=f"planted-{n:04d}-text") for n in range(1, 11)]
    explained = [(n, "answer", 1.0, None, "", "because", None, None) for n in range(1, 11)]
    store.commit(Batch(pairs=rows, scores=explained, trail=[(100.0, "all", "answer", 0.5)]))
    return store


def test_text_goes_before_the_rows_do(store: Store) -> None:
    assert forgetting.oldest(store) == (100.0, 100.0)
    assert forgetting.purge(store, pairs_before=250.0, text_before=650.0) == 6
    assert forgetting.oldest(store) == (300.0, 700.0)
    kept = store.query("SELECT explanation <> '' FROM scores ORDER BY seq")
    assert kept == [(False,)] * 4 + [(True,)] * 4
    assert store.query("SELECT count(*) FROM trail") == [(0,)]
    store.close()


def test_probe_results_are_kept_as_long_as_pairs(store: Store) -> None:
    archive.store_probes(store, [(at, "smoke", f"p{at:g}", "ok", "", "4 steps", "") for at in (100.0, 300.0)])
    forgetting.purge(store, pairs_before=250.0, text_before=650.0)
    assert [row[2] for row in archive.probes(store, 1000.0)] == ["p300"]
    store.close()


def test_nothing_old_is_nothing_to_purge(store: Store) -> None:
    assert forgetting.purge(store, pairs_before=50.0, text_before=50.0) == 0
    store.close()


def test_an_erased_subjects_bytes_leave_the_files(store: Store, tmp_path: Path) -> None:
    assert forgetting.erase(store, "s1", 1.0) == 5
    assert forgetting.erase(store, "s1", 2.0) == 0
    left = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert not any(f"planted-{n:04d}-text".encode() in left for n in (1, 3, 5, 7, 9))
    assert store.query("SELECT count(*), min(seq) FROM pairs") == [(5, 2)]
    assert store.query("SELECT action, detail FROM audit ORDER BY time") == [
        ("erase", "5 pairs"),
        ("erase", "0 pairs"),
    ]
    store.close()


def test_a_compacted_store_takes_batches_and_opens_again(store: Store, tmp_path: Path) -> None:
    store.compact()
    with pytest.raises(Exception, match="Duplicate key"):
        store.commit(Batch(pairs=[pair(1)]))
    store.commit(Batch(pairs=[pair(11)], scores=[score(11)]))
    store.close()
    again = Store(tmp_path / "t.duckdb")
    assert again.query("SELECT count(*) FROM pairs") == [(11,)]
    assert not (tmp_path / "t.duckdb.fresh").exists()
    again.close()


def test_readers_and_writers_go_on_around_a_compaction(store: Store) -> None:
    done = threading.Event()

    def read() -> set[int]:
        counts = set()
        while not done.is_set():
            counts |= {row[0] for row in store.query("SELECT count(*) FROM pairs")}
        return counts

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        for number in range(11, 16):
            store.compact()
            store.commit(Batch(pairs=[pair(number)]))
        done.set()
        seen = set[int]().union(*(reader.result() for reader in readers))
    assert seen <= set(range(10, 16))
    assert store.query("SELECT count(*) FROM pairs") == [(15,)]
    store.close()


class Dying(Store):
    """A store that fails at one of its writes, as a kill or a full disk ends an erasure."""

    at = ""

    def write(self, name_or_sql: str, parameters: Mapping[str, Any] | None = None) -> None:
        if name_or_sql.startswith(self.at):
            raise StoreError("no space left on device")
        super().write(name_or_sql, parameters)


@pytest.mark.parametrize("at", ["DELETE FROM labels", "DELETE FROM scores", "DELETE FROM pairs"])
def test_an_erasure_that_died_is_finished_when_asked_again(store: Store, tmp_path: Path, at: str) -> None:
    store.close()
    dying = Dying(tmp_path / "t.duckdb")
    dying.at = at
    with pytest.raises(StoreError):
        forgetting.erase(dying, "s1", 1.0)
    dying.close()
    again = Store(tmp_path / "t.duckdb")
    assert forgetting.erase(again, "s1", 2.0) == 5
    again.close()
    assert holding(tmp_path, 1) == []


def test_bytes_that_a_died_compaction_left_go_with_the_next_one(store: Store, tmp_path: Path) -> None:
    blocked = tmp_path / "t.duckdb.fresh"
    blocked.mkdir()
    with pytest.raises(StoreError, match="cannot be compacted"):
        forgetting.erase(store, "s1", 1.0)
    store.close()
    assert holding(tmp_path, 1) == ["t.duckdb"]  # rows are deleted, bytes are not
    blocked.rmdir()
    again = Store(tmp_path / "t.duckdb")
    assert forgetting.erase(again, "s1", 2.0) == 0
    assert not again.compaction_due
    again.close()
    assert (holding(tmp_path, 1), holding(tmp_path, 2)) == ([], ["t.duckdb"])


def test_what_a_killed_process_left_beside_the_file_goes_too(store: Store, tmp_path: Path) -> None:
    spilled = tmp_path / "t.duckdb.tmp" / "duckdb_temp_storage-0.tmp"
    spilled.parent.mkdir()
    spilled.write_text("planted-0001-text")
    shutil.copy(tmp_path / "t.duckdb", tmp_path / "t.duckdb.fresh")
    assert forgetting.erase(store, "s1", 1.0) == 5
    assert holding(tmp_path, 1) == []
    store.close()


def holding(directory: Path, number: int) -> list[str]:
    needle = f"planted-{number:04d}-text".encode()
    return sorted(p.name for p in directory.rglob("*") if p.is_file() and needle in p.read_bytes())


@pytest.mark.parametrize("forget", ["erase", "purge"])
def test_numbers_of_deleted_rows_are_never_given_out_again(store: Store, tmp_path: Path, forget: str) -> None:
    if forget == "erase":
        forgetting.erase(store, "s0", 1.0)  # has the newest pair
    else:
        forgetting.purge(store, pairs_before=2000.0, text_before=2000.0)
    store.close()
    again = Store(tmp_path / "t.duckdb")
    assert end_of(again) == (10, 1000.0)
    again.close()


def test_who_was_erased_is_remembered_for_as_long_as_a_topic_may_hold_them(store: Store) -> None:
    forgetting.mark(store, "s1", 100.0)
    forgetting.purge(store, pairs_before=100.0 + 7 * 86_400, text_before=0.0)
    assert forgetting.marks(store) == {"s1": 100.0}
    forgetting.purge(store, pairs_before=100.0 + 9 * 86_400, text_before=0.0)
    assert forgetting.marks(store) == {}
    store.close()
