"""Exports into a real DuckLake on a real PostgreSQL: nothing lost, nothing twice, nothing kept of who asked.

The exports are made by this environment's DuckDB 2.0 and loaded by another's 1.5.5, as users have them.
`make test-ducklake` builds that one (`.cache/ducklake`).
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from monitor.parquet.export import EVERYTHING
from monitor.parquet.layout import DAY, HOUR, Erasure, parts
from monitor.parquet.places import Directory
from monitor.parquet.upkeep import compact, erase, retain
from monitor.store import Batch, Store
from tests.monitor.parquet.test_export import MIDNIGHT, count, exporter
from tests.monitor.test_store import pair, score
from tests.real import postgres, seaweedfs
from tests.real.postgres import Postgres

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".cache" / "ducklake" / "bin" / "python"
pytestmark = [
    pytest.mark.real,
    pytest.mark.full,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        not PYTHON.exists(), reason="no environment with DuckLake: make test-ducklake builds it"
    ),
]
PER_HOUR = 60
ASK = """
import json, sys, time, duckdb
connection = duckdb.connect()
for extension in ("ducklake", "postgres_scanner"):
    connection.load_extension(extension)
connection.execute(f"ATTACH 'ducklake:postgres:' AS lake (METADATA_SCHEMA '{sys.argv[1]}', READ_ONLY)")
connection.execute("USE lake")
while True:
    print(json.dumps(connection.execute(sys.argv[2]).fetchall(), default=str), flush=True)
    if len(sys.argv) < 4:
        break
"""
COUNTS = "SELECT (SELECT count(*) FROM pairs), (SELECT count(*) FROM pairs JOIN scores USING (route, day, store, seq))"


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres.serving() as started:
        yield started


@dataclass(frozen=True, slots=True)
class Setting:
    """One lake in a schema of its own and the export that it shows."""

    server: Postgres
    schema: str
    root: Path
    home: Path

    @property
    def place(self) -> Directory:
        return Directory(self.root / "out")

    @property
    def data(self) -> Path:
        return self.root / "lake"

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | self.server.environment | {"PYTHONPATH": str(ROOT), "HOME": str(self.home)}

    def start(self, *flags: str, **environment: str) -> subprocess.Popen[str]:
        """A loader."""
        places = {"--archive": self.place.location, "--data": str(self.data), "--schema": self.schema}
        given = [word for flag in places.items() if flag[0] not in flags for word in flag]
        return subprocess.Popen(
            [PYTHON, "-m", "monitor", "lake", *given, *flags],
            env=self.environment | environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def load(self, *flags: str, **environment: str) -> dict[str, Any]:
        """What a turn says that it did."""
        out, err = self.fail(*flags, code=0, **environment)
        assert err == ""
        found: dict[str, Any] = json.loads(out)
        return found

    def fail(self, *flags: str, code: int, **environment: str) -> tuple[str, str]:
        loader = self.start(*flags, **environment)
        out, err = loader.communicate(timeout=120)
        assert loader.returncode == code, err
        return out, err

    def reader(self, sql: str, *flags: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [PYTHON, "-c", ASK, self.schema, sql, *flags], env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def ask(self, sql: str) -> list[list[Any]]:
        """What a reader of the lake finds."""
        reader = self.reader(sql)
        out, err = reader.communicate(timeout=60)
        assert reader.returncode == 0, err
        found: list[list[Any]] = json.loads(out)
        return found

    def holding(self, word: str) -> list[str]:
        """Files of the lake, and tables of its catalog, that hold a word."""
        files = [
            path.name
            for path in self.data.rglob("*")
            if path.is_file() and word.encode() in path.read_bytes()
        ]
        tables = self.server.ask(
            f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{self.schema}'"
        )
        return files + [
            table
            for table in tables.splitlines()
            if self.server.ask(f"SELECT count(*) FROM {self.schema}.{table} t WHERE t::text LIKE '%{word}%'")
            != "0"
        ]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """DuckDB copies its extensions into it."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def lake(server: Postgres, tmp_path: Path, home: Path) -> Setting:
    return Setting(server, f"lake_{tmp_path.name[-20:].lower()}".replace("-", "_"), tmp_path, home)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "t.duckdb")
    yield opened
    opened.close()


def fill(store: Store, hour: int) -> None:
    """One hour of a store; every tenth pair is subject `5ab1ec7e`'s, and its id says so."""
    rows = []
    for seq in range(hour * PER_HOUR + 1, (hour + 1) * PER_HOUR + 1):
        row = list(pair(seq, at=MIDNIGHT + hour * HOUR + seq % PER_HOUR * 60))
        if seq % 10 == 0:
            row[2], row[9], row[11] = f"theirs-{seq}", "5e5510n", "5ab1ec7e"
        rows.append(tuple(row))
    store.commit(
        Batch(pairs=rows, scores=[score(row[0], signal) for row in rows for signal in ("answer", "script")])
    )


def export(store: Store, place: Directory, hours: range) -> None:
    for hour in hours:
        fill(store, hour)
        exporter(store, place).turn(EVERYTHING)


def shown(lake: Setting) -> tuple[int, int]:
    ((pairs, scores),) = lake.ask(COUNTS)
    return pairs, scores


def test_what_was_exported_is_loaded_once(lake: Setting, store: Store) -> None:
    export(store, lake.place, range(3))
    first = lake.load()
    assert [first[name] for name in ("loaded", "pairs", "scores")] == [3, 3 * PER_HOUR, 6 * PER_HOUR]
    again = lake.load("--once")
    assert [again[name] for name in ("loaded", "replaced", "removed", "pairs")] == [0, 0, 0, 0]
    assert shown(lake) == count(lake.place) == (3 * PER_HOUR, 6 * PER_HOUR)
    ((seqs, ids, segments),) = lake.ask(
        "SELECT sum(seq), count(DISTINCT id), any_value(segments['language']) FROM pairs"
    )
    assert (seqs, ids, segments) == (sum(range(1, 3 * PER_HOUR + 1)), 3 * PER_HOUR, "en")


def test_a_day_replaces_its_hours_and_days_that_are_gone_take_their_rows(lake: Setting, store: Store) -> None:
    export(store, lake.place, range(3))
    lake.load()
    assert compact(lake.place, store.id, MIDNIGHT + 9 * DAY) == 1
    told = lake.load()
    assert (told["loaded"], told["replaced"]) == (1, 1)
    assert shown(lake) == (3 * PER_HOUR, 6 * PER_HOUR)
    assert lake.ask("SELECT first, last, pairs FROM loader.parts") == [[1, 3 * PER_HOUR, 3 * PER_HOUR]]
    unmounted = Path(lake.place.location).rename(lake.root / "elsewhere")
    assert lake.load()["removed"] == 0
    unmounted.rename(lake.place.location)
    retain(lake.place, "default", MIDNIGHT + 9 * DAY)
    assert lake.load()["removed"] == 1
    assert (shown(lake), lake.ask("SELECT count(*) FROM loader.parts")) == ((0, 0), [[0]])


def test_who_asked_is_in_no_file_and_no_snapshot(lake: Setting, store: Store) -> None:
    export(store, lake.place, range(3))
    lake.load()
    assert lake.holding("theirs-") != []
    assert erase(lake.place, "5ab1ec7e", MIDNIGHT + DAY) == 3 * PER_HOUR // 10
    told = lake.load()
    assert [told[name] for name in ("replaced", "erasures", "purged")] == [3, 1, True]
    assert shown(lake) == count(lake.place) == (3 * PER_HOUR * 9 // 10, 6 * PER_HOUR * 9 // 10)
    assert [lake.holding(word) for word in ("theirs-", "5e5510n", "5ab1ec7e")] == [[], [], []]
    assert len(lake.ask("SELECT * FROM ducklake_snapshots('lake')")) <= 3
    again = lake.load()
    assert (again["erasures"], again["replaced"], again["purged"]) == (0, 0, False)


def test_a_request_is_heeded_before_the_files_are_rewritten_and_ever_after(
    lake: Setting, store: Store
) -> None:
    """The request comes first, the files follow; what other monitors export later may still hold the subject."""
    export(store, lake.place, range(2))
    lake.load()
    place = lake.place
    draft = place.draft()
    draft.write_bytes(b"")
    place.put(draft, Erasure("5ab1ec7e", int(MIDNIGHT + DAY)).name)
    assert lake.load()["erasures"] == 1
    fill(store, 2)
    unheeding = Directory(lake.root / "unheeding")
    exporter(store, unheeding).turn(EVERYTHING)
    for table in ("scores", "pairs"):
        (name,) = [p.name(table) for p in parts(unheeding.names("pairs")) if p.last == 3 * PER_HOUR]
        shutil.copy(Path(unheeding.location) / name, Path(lake.place.location) / name)
    lake.load()
    assert shown(lake) == (3 * PER_HOUR * 9 // 10, 6 * PER_HOUR * 9 // 10)
    assert lake.holding("theirs-") == []


def test_many_loaders_at_once_load_everything_once(lake: Setting, store: Store, tmp_path: Path) -> None:
    export(store, lake.place, range(6))
    with closing(Store(tmp_path / "u.duckdb")) as other:
        export(other, lake.place, range(6))
    loaders = [lake.start() for _ in range(4)]
    said = [loader.communicate(timeout=200) for loader in loaders]
    assert ([loader.returncode for loader in loaders], [err for _, err in said]) == ([0] * 4, [""] * 4)
    done = [json.loads(out) for out, _ in said]
    assert sum(each.get("loaded", 0) for each in done) == 12
    assert shown(lake) == (12 * PER_HOUR, 24 * PER_HOUR)


def test_what_killed_loaders_left_is_taken_up_and_swept(lake: Setting, store: Store) -> None:
    export(store, lake.place, range(24))
    lake.fail("--archive", str(lake.root / "nothing"), code=0)  # creates the lake
    dice = random.Random(7)
    for _ in range(6):
        loader = lake.start()
        time.sleep(dice.uniform(1, 4))
        loader.kill()
        loader.communicate()
        pairs, scores = shown(lake)
        assert (pairs % PER_HOUR, scores) == (0, 2 * pairs)
    lake.load()
    assert shown(lake) == (24 * PER_HOUR, 48 * PER_HOUR)
    erase(lake.place, "5ab1ec7e", MIDNIGHT + DAY)
    lake.load()
    assert lake.holding("theirs-") == []
    known = {row[0] for row in lake.ask("SELECT data_file FROM ducklake_list_files('lake', 'pairs')")}
    assert {str(path) for path in (lake.data / "main" / "pairs").rglob("*.parquet")} == known


def test_a_killed_purge_is_finished(lake: Setting, store: Store) -> None:
    export(store, lake.place, range(4))
    lake.load()
    erase(lake.place, "5ab1ec7e", MIDNIGHT + DAY)
    for seconds in (1.0, 1.5, 2.0, 2.5, 3.0):
        loader = lake.start()
        time.sleep(seconds)
        loader.kill()
        loader.communicate()
    lake.load()
    assert (lake.holding("theirs-"), shown(lake)) == ([], (4 * PER_HOUR * 9 // 10, 8 * PER_HOUR * 9 // 10))


def test_a_reader_never_errs_and_never_sees_half_a_part(lake: Setting, store: Store) -> None:
    export(store, lake.place, range(2))
    lake.load()
    reader = lake.reader(COUNTS, "forever")
    seen: list[list[list[int]]] = []
    assert reader.stdout is not None
    listener = threading.Thread(target=lambda out: seen.extend(map(json.loads, out)), args=(reader.stdout,))
    listener.start()
    for hour in range(2, 8):
        export(store, lake.place, range(hour, hour + 1))
        if hour == 5:
            compact(lake.place, store.id, MIDNIGHT + 9 * DAY)
        lake.load()
    alive = reader.poll() is None
    reader.kill()
    listener.join()
    _, err = reader.communicate()
    counts = [pairs for ((pairs, _),) in seen]
    assert alive, err
    assert (counts, [scores for ((_, scores),) in seen]) == (sorted(counts), [2 * pairs for pairs in counts])
    assert (counts[0], counts[-1]) == (2 * PER_HOUR, 8 * PER_HOUR)


# The lock's connection is cut while its holder writes, and another loader comes.
CUT_OFF = """
import sys
from monitor.errors import StoreError
from monitor.lake.catalog import opened
from monitor.demo import free_ports
schema, data = sys.argv[1:]
row = "INSERT INTO pairs (route, day, store, seq) VALUES ('r', DATE '2026-01-01', 's', 1)"
with opened("", schema, data) as first:
    with opened("", schema, data) as second:
        assert second is None
    first.query("SELECT * FROM postgres_query('postgres', 'SELECT count(pg_terminate_backend(pid)) FROM pg_locks"
                " WHERE locktype = ''advisory''')")
    try:
        with first.transaction():
            first.query(row)
            with opened("", schema, data) as second, second.transaction():
                second.query(row)
    except StoreError as error:
        print(error)
"""


def test_a_loader_that_lost_its_lock_cannot_commit(lake: Setting) -> None:
    done = subprocess.run(
        [PYTHON, "-c", CUT_OFF, lake.schema, str(lake.data)], env=lake.environment, capture_output=True, text=True,
        timeout=60, check=True,
    )  # fmt: skip
    assert "conflict" in done.stdout, done.stderr
    assert lake.ask("SELECT count(*) FROM pairs") == [[1]]


def test_columns_of_a_newer_monitor_are_added(lake: Setting, store: Store) -> None:
    export(store, lake.place, range(1))
    lake.load()
    store.write("ALTER TABLE scores ADD COLUMN newest DOUBLE")
    store.write(
        "INSERT INTO scores (seq, signal, x, label, explanation, newest) VALUES (61, 's', 1, '', '', 0.5)"
    )
    store.commit(Batch(pairs=[pair(61, at=MIDNIGHT + HOUR)]))
    exporter(store, lake.place).turn(EVERYTHING)
    lake.load()
    assert lake.ask("SELECT count(*), count(newest), max(newest) FROM scores") == [[121, 1, 0.5]]


def test_on_s3_both_ways(lake: Setting, store: Store, tmp_path: Path) -> None:
    from pyarrow.fs import FileSystem

    from monitor.parquet.places import place_of

    with seaweedfs.serving(tmp_path) as address, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", seaweedfs.KEY)
        patch.setenv("AWS_SECRET_ACCESS_KEY", seaweedfs.SECRET)
        query = f"scheme=http&endpoint_override={address}&region=us-east-1&allow_bucket_creation=true"
        FileSystem.from_uri(f"s3://tailgate?{query}")[0].create_dir("tailgate")
        exports, files = place_of(f"s3://tailgate/exports?{query}"), place_of(f"s3://tailgate/lake?{query}")
        fill(store, 0)
        exporter(store, exports).turn(EVERYTHING)  # type: ignore[arg-type]
        flags = ("--archive", exports.location, "--data", files.location)
        assert lake.load(*flags)["pairs"] == PER_HOUR
        erase(exports, "5ab1ec7e", MIDNIGHT + DAY)
        assert lake.load(*flags)["pairs"] == PER_HOUR * 9 // 10
        held = [path.read_bytes() for path in files.fetch(files.names())]
        assert (len(held), any(b"theirs-" in body for body in held)) == (2, False)


def test_every_so_often_through_an_outage_until_told_to_stop(lake: Setting, store: Store) -> None:
    export(store, lake.place, range(1))
    lake.load()
    loader = lake.start("--every", "1")
    assert loader.stdout is not None
    assert loader.stderr is not None
    assert json.loads(loader.stdout.readline())["loaded"] == 0
    lake.server.stop()
    while "--catalog: PostgreSQL does not answer: " not in (said := loader.stderr.readline()):
        assert said.endswith("; again in 1 s\n")  # it was in the middle of a turn
    lake.server.start()
    export(store, lake.place, range(1, 2))
    while json.loads(loader.stdout.readline())["loaded"] == 0:
        pass
    loader.send_signal(signal.SIGTERM)
    loader.communicate(timeout=60)
    assert (loader.returncode, shown(lake)) == (0, (2 * PER_HOUR, 4 * PER_HOUR))


@pytest.mark.parametrize(
    ("flags", "environment", "code", "words"),
    [
        (
            (),
            {"PGPORT": "1"},
            4,
            "--catalog: PostgreSQL does not answer: .*port 1 failed: Connection refused",
        ),
        ((), {"PGPASSWORD": "wrong"}, 4, "--catalog: .*password authentication failed"),
        (("--data", str(ROOT / "deploy")), {}, 2, "--data: .*deploy is not empty; choose a place of its own"),
        ((), {"HOME": "/proc"}, 2, "HOME: DuckDB keeps its extensions in ~/.duckdb, which must be writable"),
        (("--archive", "s3://u:secret@bucket/x"), {}, 2, ".*no secrets in the URL"),
    ],
)
def test_errors_name_key_and_fix(
    lake: Setting, flags: tuple[str, ...], environment: dict[str, str], code: int, words: str
) -> None:
    out, err = lake.fail(*flags, code=code, **environment)
    assert out == ""
    assert re.match(f"tailgate: {words}", err), err
    assert len(err.splitlines()) == 1


def test_other_versions_than_the_extensions_are_refused(lake: Setting) -> None:
    """A DuckDB that pretends to be the next one."""
    script = "import duckdb; duckdb.__version__ = '2.0.1'; from monitor.__main__ import main; main()"
    done = subprocess.run(
        [PYTHON, "-c", script, "lake", "--archive", str(lake.root / "x"), "--data", str(lake.data)],
        env=lake.environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("tailgate: duckdb is 2.0.1, duckdb-extension-ducklake is for 1.5.5; ")


def test_an_environment_of_a_monitor_is_told_what_to_do(lake: Setting) -> None:
    from tests.standin.process import TAILGATE

    done = subprocess.run(
        [TAILGATE, "lake", "--archive", str(lake.root / "x"), "--data", str(lake.data)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert re.match(
        r"tailgate: duckdb-extension-ducklake is missing .*pip install 'tailgate\[ducklake\]'", done.stderr
    )
