"""A real store to real files and back: nothing lost, nothing twice, nothing remembered that was erased."""

from __future__ import annotations

import json
import math
import os
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from monitor.errors import ConfigError, StoreError
from monitor.parquet.export import EVERYTHING, Exporter
from monitor.parquet.layout import DAY, HOUR, parts
from monitor.parquet.places import Directory, place_of
from monitor.parquet.reading import Archive
from monitor.parquet.upkeep import GRACE_SECONDS, compact, erase, retain
from monitor.report.gather import gather
from monitor.report.model import Window
from monitor.report.render import to_json
from monitor.store import Batch, Store
from tests.monitor.report.test_report import fill
from tests.monitor.test_store import pair, score
from tests.standin.process import TAILGATE

MIDNIGHT = 20_000 * 86_400.0
PATIENCE = 3660.0


def made(path: Path, ats: Sequence[float], subject: str | None = None, first: int = 1) -> Store:
    store = Store(path)
    append(store, ats, subject, first)
    return store


def append(store: Store, ats: Sequence[float], subject: str | None = None, first: int = 1) -> None:
    rows = [list(pair(seq, at=at)) for seq, at in enumerate(ats, first)]
    for row in rows:
        row[11] = subject if row[0] % 2 else None
    scores = [score(row[0], signal) for row in rows for signal in ("answer", "script")]
    store.commit(Batch(pairs=[tuple(row) for row in rows], scores=scores))


def exporter(store: Store, place: Directory, unit: int = HOUR) -> Exporter:
    return Exporter(store, place, "default", unit=unit, patience=PATIENCE)


def count(place: Directory) -> tuple[int, int]:
    """Pairs and scores that a reader sees."""
    archive = Archive(place)
    ((pairs,),) = archive.query("SELECT count(*) FROM pairs")
    ((scores,),) = archive.query("SELECT count(*) FROM scores JOIN pairs USING (seq)")
    archive.close()
    return pairs, scores


def alike(found: dict[str, Any], expected: dict[str, Any]) -> bool:
    """Equal, numbers to nine digits."""
    same = [
        a == b or (isinstance(a, float) and math.isclose(a, b, rel_tol=1e-9))
        for a, b in ((found[name], value) for name, value in expected.items())
    ]
    return found.keys() == expected.keys() and all(same)


@pytest.fixture
def place(tmp_path: Path) -> Directory:
    return Directory(tmp_path / "out")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = made(tmp_path / "t.duckdb", [MIDNIGHT + 600 * n for n in range(20)], "aa")  # 00:00 to 03:10
    yield opened
    opened.close()


def test_closed_hours_are_exported_and_the_open_one_waits(store: Store, place: Directory) -> None:
    export = exporter(store, place)
    assert export.turn(MIDNIGHT + 3.2 * HOUR) == 18
    assert count(place) == (18, 36)
    assert export.turn(MIDNIGHT + 3.2 * HOUR) == 0
    assert export.turn(MIDNIGHT + 4 * HOUR + PATIENCE) == 2
    assert count(place) == (20, 40)


def test_days_wait_until_they_are_over(store: Store, place: Directory) -> None:
    export = exporter(store, place, unit=DAY)
    assert export.turn(MIDNIGHT + 23 * HOUR) == 0
    assert export.turn(MIDNIGHT + 24 * HOUR + PATIENCE) == 20


def test_an_export_across_midnight_makes_one_file_per_day(tmp_path: Path, place: Directory) -> None:
    store = made(tmp_path / "t.duckdb", [MIDNIGHT - 10, MIDNIGHT - 5, MIDNIGHT + 5])
    exporter(store, place).turn(EVERYTHING)
    store.close()
    assert [(p.day, p.first, p.last) for p in parts(place.names())] == [
        ("2024-10-03", 1, 2),
        ("2024-10-04", 3, 3),
    ]
    assert count(place) == (3, 6)


def test_a_crash_between_file_and_mark_counts_nothing_twice(store: Store, place: Directory) -> None:
    exporter(store, place).turn(MIDNIGHT + 3.2 * HOUR)
    store.remember(f"exported:{place.location}", "0")  # as if the process had died before it
    append(store, [MIDNIGHT + 3.5 * HOUR], first=21)
    exporter(store, place).turn(MIDNIGHT + 9 * HOUR)
    assert count(place) == (21, 42)


def test_late_rows_of_a_closed_hour_come_as_a_part_of_their_own(store: Store, place: Directory) -> None:
    export = exporter(store, place)
    export.turn(MIDNIGHT + 9 * HOUR)
    append(store, [MIDNIGHT + 3.4 * HOUR], first=21)
    assert export.turn(MIDNIGHT + 9 * HOUR) == 1
    assert count(place) == (21, 42)


def test_hours_become_days_and_readers_see_the_same(store: Store, place: Directory, tmp_path: Path) -> None:
    export = exporter(store, place)
    for hour in range(1, 6):
        append(store, [MIDNIGHT + (3 + hour) * HOUR], first=20 + hour)
        export.turn(MIDNIGHT + (3 + hour) * HOUR + 60)
    append(store, [MIDNIGHT + 25 * HOUR], first=26)
    export.turn(MIDNIGHT + 25 * HOUR)
    before = count(place)
    files = len(parts(place.names("pairs")))
    assert compact(place, store.id, MIDNIGHT + 23 * HOUR) == 0
    assert compact(place, store.id, MIDNIGHT + 25 * HOUR) == 1
    assert count(place) == before == (25, 50)
    for path in (tmp_path / "out").rglob("*.parquet"):
        os.utime(path, (0, time.time() - GRACE_SECONDS - 60))
    compact(place, store.id, MIDNIGHT + 25 * HOUR)
    assert (count(place), len(parts(place.names("pairs")))) == (before, 1)
    assert files > 3


def test_whole_days_beyond_the_retention_go(store: Store, place: Directory) -> None:
    exporter(store, place).turn(EVERYTHING)
    assert retain(place, "default", MIDNIGHT + 24 * HOUR - 1) == 0
    assert retain(place, "other", MIDNIGHT + 24 * HOUR) == 0
    assert retain(place, "default", MIDNIGHT + 24 * HOUR) == 1
    assert parts(place.names()) == []


def test_erasing_reaches_files_of_every_store(store: Store, place: Directory, tmp_path: Path) -> None:
    other = made(tmp_path / "u.duckdb", [MIDNIGHT, MIDNIGHT + 1], "aa")
    other.write("INSERT INTO labels VALUES ('p1', 0, 'api', true, true), ('p2', 0, 'api', true, true)")
    for each in (store, other):
        exporter(each, place).turn(EVERYTHING)
    assert count(place) == (22, 44)
    assert erase(place, "aa", MIDNIGHT + DAY) == 11
    assert count(place) == (11, 22)
    archive = Archive(place)
    assert archive.query("SELECT DISTINCT subject_key FROM pairs") == [(None,)]
    assert archive.query("SELECT id FROM labels") == [("p2",)]
    assert erase(place, "aa", MIDNIGHT + DAY) == 0
    other.close()


def test_what_a_replica_exports_after_an_erasure_is_free_of_the_subject(
    store: Store, place: Directory
) -> None:
    erase(place, "aa", MIDNIGHT + DAY)
    exporter(store, place).turn(EVERYTHING)
    assert count(place) == (10, 20)


def test_what_a_subject_sends_after_an_erasure_is_kept(store: Store, place: Directory) -> None:
    erase(place, "aa", MIDNIGHT + 900)
    exporter(store, place).turn(EVERYTHING)
    assert count(place) == (19, 38)


def test_drafts_of_a_killed_export_go_with_the_erasure_and_others_stay(
    store: Store, place: Directory
) -> None:
    """A draft holds rows that no reader sees: an erasure that left it would have erased nothing."""
    exporter(store, place).turn(EVERYTHING)
    drafts = Path(place.location) / ".drafts"
    killed = drafts / "1-dead" / "1"
    killed.parent.mkdir()
    for path in (killed, drafts / "1-7"):  # as this version and the one before it leave them
        path.write_bytes(b"rows of somebody")
    busy = Directory(Path(place.location))
    busy.draft().write_bytes(b"rows of a living export")
    erase(place, "nobody", 1.0)
    assert not killed.exists()
    assert not (drafts / "1-7").exists()
    assert [path.read_bytes() for path in drafts.glob("*/*")] == [b"rows of a living export"]


def test_two_stores_are_one_report(tmp_path: Path, place: Directory) -> None:
    """The sum of two halves is the whole: same rates, same list."""
    now = MIDNIGHT + DAY
    whole = Store(tmp_path / "whole.duckdb")
    fill(whole, start=now - HOUR)
    half = tmp_path / "half.duckdb"
    first, second = Store(half), Store(tmp_path / "other.duckdb")
    for number, each in enumerate((first, second)):
        rows = whole.query(f"SELECT * FROM pairs WHERE seq % 2 = {number} ORDER BY seq")
        scores = whole.query(f"SELECT * FROM scores WHERE seq % 2 = {number}")
        each.commit(Batch(pairs=rows, scores=scores))
        exporter(each, place).turn(EVERYTHING)
        each.close()
    window = Window(now - 7 * DAY, now)
    archived = to_json(gather(Archive(place), window, now))
    stored = to_json(gather(whole, window, now))
    whole.close()
    assert archived["pairs"] == stored["pairs"] == 600
    weeks = {(line["segment"], line["signal"]): line["week"] for line in stored["lines"]}
    found = {(line["segment"], line["signal"]): line["week"] for line in archived["lines"]}
    assert found.keys() == weeks.keys()
    # Counts come in another order, hence another order of summation.
    assert all(alike(found[key], week) for key, week in weeks.items())
    assert archived["ladders"] == stored["ladders"]


def test_a_reader_never_errs_while_files_are_written_merged_and_erased(
    tmp_path: Path, place: Directory
) -> None:
    store = made(tmp_path / "t.duckdb", [MIDNIGHT], None)
    export = exporter(store, place)
    export.turn(EVERYTHING)
    seen: list[int] = []
    stop = threading.Event()

    def read() -> None:
        archive = Archive(place)
        while not stop.is_set():
            seen.append(archive.query("SELECT count(*) FROM scores JOIN pairs USING (seq)")[0][0])
            archive.refresh()

    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(20):
        append(store, [MIDNIGHT + turn * 3000], None, first=2 + turn)
        export.turn(EVERYTHING)
        if turn % 10 == 9:
            compact(place, store.id, MIDNIGHT + 99 * DAY)
            erase(place, "ff", MIDNIGHT)
    stop.set()
    reader.join()
    store.close()
    assert seen == sorted(seen)
    assert count(place) == (21, 42)


def test_a_file_that_went_while_it_was_read_is_looked_up_again(store: Store, place: Directory) -> None:
    exporter(store, place).turn(EVERYTHING)
    archive = Archive(place)
    retain(place, "default", MIDNIGHT + DAY)
    assert archive.query("SELECT count(*) FROM pairs") == [(0,)]


def test_files_of_an_older_version_lack_columns_and_are_read(store: Store, place: Directory) -> None:
    store.write("ALTER TABLE pairs DROP COLUMN forced")
    exporter(store, place).turn(EVERYTHING)
    assert Archive(place).query("SELECT count(forced), count(*) FROM pairs") == [(0, 20)]


def test_two_routes_must_be_told_apart(store: Store, place: Directory) -> None:
    for route in ("a", "b"):
        Exporter(store, place, route, unit=HOUR, patience=0).turn(EVERYTHING)
        store.remember(f"exported:{place.location}", "0")
    with pytest.raises(StoreError, match="found: a, b; choose with --route"):
        Archive(place)
    assert Archive(place, "a").query("SELECT count(*) FROM pairs") == [(20,)]


def test_secrets_in_the_address_are_refused() -> None:
    with pytest.raises(ConfigError, match="no secrets in the URL"):
        place_of("s3://key:secret@bucket/x")


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file"):
        Directory(tmp_path / "file").draft()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([TAILGATE, *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_export_report_discover_and_sql_on_the_command_line(tmp_path: Path) -> None:
    database, out = tmp_path / "t.duckdb", str(tmp_path / "out")
    store = Store(database)
    fill(store, start=time.time() - HOUR)
    store.close()
    assert run("export", "--db", str(database), "--to", out).stderr == f"600 pairs exported to {out}\n"
    report = json.loads(run("report", "--archive", out, "--format", "json").stdout)
    assert report["lines"][0]["segment"] == "language=sw"
    found: Any = json.loads(run("discover", "--archive", out, "--least", "10", "--format", "json").stdout)
    assert {slice_["segment"] for slice_ in found["slices"] if slice_["confirmed"]} == {"language=sw"}
    counted = run("sql", "--archive", out, "SELECT count(*) AS n FROM pairs", "--format", "json")
    assert json.loads(counted.stdout) == {"n": 600}
    assert run("sql", "--archive", out, "SELECT nothing").returncode == 4
