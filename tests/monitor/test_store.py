"""The store: one transaction per batch, one owner, errors that name the fix."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import pytest

from monitor.errors import StoreError
from monitor.store import MIGRATIONS, Batch, Snapshot, Store

LEG = {
    "duration": 1.0,
    "ttft": 0.1,
    "input_tokens": 5,
    "output_tokens": 3,
    "finish_reason": "stop",
    "model": "m",
    "error": None,
    "confidence": 0.9,
    "in_flight": 1,
}


def pair(seq: int, *, block: int = 1, at: float = 100.0, language: str = "en") -> tuple[Any, ...]:
    segments = {"all": "all", "language": language}
    return (seq, block, f"p{seq}", at, at + 1, segments, "chat", "spool", 1.0, "k", None, None, ["model=x"],
            [], [1.0, None, None, None], LEG, LEG, None, None, None)  # fmt: skip


def score(seq: int, signal: str = "answer", x: float = 1.0) -> tuple[Any, ...]:
    return (seq, signal, x, None, "", "", None, None)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "t.duckdb"


def test_a_batch_is_there_after_reopening(path: Path) -> None:
    store = Store(path)
    store.commit(Batch(pairs=[pair(1)], scores=[score(1)], offsets={"w0": "[1,2,3]"}, funnel={"read": 1}))
    store.close()
    again = Store(path)
    assert again.mapping("offsets") == {"w0": "[1,2,3]"}
    assert again.query("SELECT id, received_at FROM pairs") == [("p1", 100.0)]
    again.close()


def test_a_failing_batch_leaves_nothing_behind(path: Path) -> None:
    store = Store(path)
    store.commit(Batch(pairs=[pair(1)]))
    with pytest.raises(StoreError):
        store.commit(Batch(pairs=[pair(2), pair(1)], offsets={"w0": "[9]"}))
    assert store.mapping("offsets") == {}
    assert store.query("SELECT count(*) FROM pairs") == [(1,)]
    store.commit(Batch(pairs=[pair(3)]))
    assert store.query("SELECT count(*) FROM pairs") == [(2,)]
    store.close()


def test_a_value_of_a_failed_batch_is_written_by_the_next_one(path: Path) -> None:
    store = Store(path)
    store.commit(Batch(pairs=[pair(1)], funnel={"read": 1, "sent": 1}))
    counted = {"read": 2, "sent": 1}
    with pytest.raises(StoreError):
        store.commit(Batch(pairs=[pair(1)], funnel=counted))
    store.commit(Batch(funnel=counted))
    store.commit(Batch(funnel={**counted, "sent": 2}))
    assert store.mapping("funnel") == {"read": 2, "sent": 2}
    store.close()


def test_a_snapshot_replaces_the_one_before(path: Path) -> None:
    store = Store(path)
    for block in (1, 2):
        store.commit(Batch(snapshot=Snapshot(block, 5.0, "hash", b"\x00body")))
    assert store.snapshot() == Snapshot(2, 5.0, "hash", b"\x00body")
    assert store.query("SELECT count(*) FROM snapshots") == [(1,)]
    store.close()


def test_many_snapshots_take_the_room_of_a_few(path: Path) -> None:
    store = Store(path)
    for block in range(100):
        store.commit(Batch(snapshot=Snapshot(block, 5.0, "hash", os.urandom(200_000))))
    snapshot = store.snapshot()
    assert snapshot is not None
    assert (snapshot.block, len(snapshot.body)) == (99, 200_000)
    assert store.size_bytes() < 50 * 200_000
    store.close()


REWRITTEN = """
import os, sys
from pathlib import Path
from monitor.store import Batch, Store
from tests.benchmarks.hotpath.process import rss_megabytes
store, names, sizes = Store(Path(sys.argv[1])), [f"n{n}" for n in range(40)], []
for value in range(100):
    counted = {(name, "seen"): value for name in names}
    store.commit(Batch(funnel=dict.fromkeys(names, value), counters=counted))
    sizes.append(rss_megabytes(os.getpid()))
print(sizes[-1] - sizes[len(sizes) // 4])
"""


def test_counters_that_are_written_again_and_again_take_no_memory(path: Path) -> None:
    command = [sys.executable, "-c", REWRITTEN, str(path)]
    grown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert float(grown) < 1.5


def kept(store: Store, tag: str) -> int:
    """Bytes that DuckDB holds in memory under a tag."""
    return sum(
        held for (held,) in store.query(f"SELECT memory_usage_bytes FROM duckdb_memory() WHERE tag = '{tag}'")
    )


def test_what_was_read_from_the_file_is_given_back(path: Path) -> None:
    store = Store(path)
    store.commit(Batch(scores=[score(seq, x=seq / 7) for seq in range(50_000)]))
    store.close()
    store = Store(path)
    assert store.query("SELECT count(x) FROM scores WHERE x > 0") == [(49_999,)]
    before = kept(store, "BASE_TABLE")
    store.trim()
    assert kept(store, "BASE_TABLE") < before / 2
    assert store.query("SELECT count(x) FROM scores WHERE x > 0") == [(49_999,)]
    store.close()


def test_rows_of_no_checkpoint_yet_are_not_written_beside_the_file(path: Path) -> None:
    store = Store(path)
    store.commit(Batch(scores=[score(seq, x=seq / 7) for seq in range(5_000)]))
    before = kept(store, "IN_MEMORY_TABLE")
    store.trim()
    assert before > 0
    assert kept(store, "IN_MEMORY_TABLE") == before
    assert sum(size for (size,) in store.query("SELECT size FROM duckdb_temporary_files()")) == 0
    store.close()


def test_what_is_spilled_already_hinders_nobody(path: Path) -> None:
    store = Store(path)
    store.commit(Batch(scores=[score(seq, x=seq / 7) for seq in range(20_000)]))
    store.write("SET memory_limit = '1MB'")
    store.write("RESET memory_limit")
    # The bound of what is spilled follows the disk's free space, which other programs change at any moment.
    limits = "SELECT current_setting('memory_limit'), current_setting('max_temp_directory_size') = '0 bytes'"
    before = store.query(limits)
    assert before[0][1] is False
    assert store.query("SELECT sum(size) > 0 FROM duckdb_temporary_files()") == [(True,)]
    store.trim()
    assert store.query(limits) == before
    assert store.query("SELECT count(*) FROM scores") == [(20_000,)]
    store.close()


def test_a_second_process_is_told_who_owns_the_file(path: Path) -> None:
    store = Store(path)
    code = f"from monitor.store import Store; Store({str(path)!r})"
    second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "another process has the database open" in second.stderr
    store.close()


def test_a_file_that_is_no_database_is_an_error_with_the_fix(path: Path) -> None:
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError, match="move it aside"):
        Store(path)


def test_a_database_of_another_program_is_left_alone(path: Path) -> None:
    connection = duckdb.connect(str(path))
    connection.execute("CREATE TABLE customers (id INT)")
    connection.close()
    with pytest.raises(StoreError, match="another program"):
        Store(path)


def test_a_newer_schema_is_refused(path: Path) -> None:
    store = Store(path)
    store.write("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    store.close()
    with pytest.raises(StoreError, match="newer than this Tailgate"):
        Store(path)


def test_a_missing_directory_names_the_key(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"store\.path"):
        Store(tmp_path / "nowhere" / "t.duckdb")


def test_older_command_lines_can_open_the_file(path: Path) -> None:
    """Bytes 12 to 19 of a DuckDB file hold its storage version; 69 is the first that 1.5 cannot read."""
    Store(path).close()
    version = int.from_bytes(path.read_bytes()[12:20], "little")
    assert version < 69


def test_a_database_of_the_first_version_is_upgraded_with_its_rows(path: Path) -> None:
    with duckdb.connect(str(path)) as old:
        old.execute((files("monitor") / "sql" / MIGRATIONS[0]).read_text())
        old.execute("INSERT INTO meta VALUES ('schema_version', '1'), ('store_id', 'x')")
        old.execute(f"INSERT INTO pairs VALUES ({', '.join('?' * 19)})", list(pair(1)[:19]))
        old.execute("INSERT INTO snapshots VALUES (7, 5.0, 'hash', 'body')")
    store = Store(path)
    assert store.snapshot() == Snapshot(7, 5.0, "hash", b"body")
    store.commit(Batch(pairs=[pair(2)]))
    assert store.query("SELECT id, forced FROM pairs ORDER BY seq") == [("p1", None), ("p2", None)]
    store.close()
