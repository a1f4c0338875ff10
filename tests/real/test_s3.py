"""Parquet on a real S3 server: three replicas export at once, one report reads them all, nobody waits."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.errors import StoreError
from monitor.parquet.export import EVERYTHING, Exporter
from monitor.parquet.layout import DAY, HOUR, parts
from monitor.parquet.places import Place, place_of
from monitor.parquet.reading import Archive
from monitor.parquet.upkeep import compact, erase
from monitor.store import Batch, Store
from tests.monitor.report.test_report import pair, scores
from tests.real import seaweedfs
from tests.standin.process import TAILGATE

pytestmark = pytest.mark.real
REPLICAS, TURNS, PAIRS = 3, 6, 300
NOW = time.time() // DAY * DAY
START = NOW - DAY


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a fresh bucket; the credentials are in the environment, as anywhere else."""
    with seaweedfs.serving(tmp_path_factory.mktemp("weed")) as address:
        os.environ |= {"AWS_ACCESS_KEY_ID": seaweedfs.KEY, "AWS_SECRET_ACCESS_KEY": seaweedfs.SECRET}
        query = f"scheme=http&endpoint_override={address}&region=us-east-1&allow_bucket_creation=true"
        from pyarrow.fs import FileSystem

        FileSystem.from_uri(f"s3://tailgate?{query}")[0].create_dir("tailgate")
        yield f"s3://tailgate/exports?{query}"


def fill(store: Store, turn: int, number: int) -> None:
    """One hour of one replica's traffic; Swahili is broken, and every tenth pair is subject `aa`'s."""
    rows, found = [], []
    for seq in range(turn * PAIRS + 1, (turn + 1) * PAIRS + 1):
        sw = seq % 10 == 0
        row = list(pair(seq, at=START + turn * HOUR + seq % PAIRS, language="sw" if sw else "en"))
        row[2], row[9], row[11] = f"{number}-{seq}", f"k{number}-{seq}", "aa" if seq % 10 == 1 else None
        rows.append(tuple(row))
        found += scores(seq, bad=sw)
    store.commit(Batch(pairs=rows, scores=found))


def export(store: Store, location: str, number: int) -> None:
    place = place_of(location)
    exporter = Exporter(store, place, "default", unit=HOUR, patience=0)
    for turn in range(TURNS):
        fill(store, turn, number)
        exporter.turn(START + (turn + 1) * HOUR)
    compact(place, store.id, NOW)


def test_three_replicas_one_report_and_a_reader_that_never_errs(bucket: str, tmp_path: Path) -> None:
    failures, seen = exported(bucket, tmp_path)
    assert (failures, seen) == ([], sorted(seen))
    command = [TAILGATE, "report", "--archive", bucket, "--since", "3d", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    report = json.loads(done.stdout)
    assert report["pairs"] == REPLICAS * TURNS * PAIRS
    assert report["lines"][0]["segment"] == "language=sw"
    merged_and_forgotten(place_of(bucket))


def exported(bucket: str, directory: Path) -> tuple[list[str], list[int]]:
    """What a reader met, errors and counts, while three replicas exported and merged."""
    stores = [Store(directory / f"{number}.duckdb") for number in range(REPLICAS)]
    writers = [
        threading.Thread(target=export, args=(store, bucket, number)) for number, store in enumerate(stores)
    ]
    for writer in writers:
        writer.start()
    seen, failures = [0], []
    while any(writer.is_alive() for writer in writers):
        try:
            archive = Archive(place_of(bucket), "default")
            seen.append(archive.query("SELECT count(*) FROM scores JOIN pairs USING (seq)")[0][0])
            archive.close()
        except StoreError as error:
            failures.append(str(error))
    for writer in writers:
        writer.join()
    for store in stores:
        store.close()
    return failures, seen


def merged_and_forgotten(place: Place) -> None:
    """A day's hours are one file per replica, and a subject that asked is gone from all of them."""
    found = parts(place.names("pairs"))
    assert len({part.store for part in found if part.last - part.first + 1 == TURNS * PAIRS}) == REPLICAS
    assert erase(place, "aa", NOW) > 0
    archive = Archive(place, "default")
    assert archive.query("SELECT count(*), count(subject_key) FROM pairs") == [
        (REPLICAS * TURNS * PAIRS * 9 // 10, 0)
    ]
    archive.close()


def test_a_bucket_that_does_not_answer_is_named(tmp_path: Path) -> None:
    store = Store(tmp_path / "t.duckdb")
    fill(store, 0, 0)
    place = place_of("s3://tailgate/x?scheme=http&endpoint_override=127.0.0.1:9&region=us-east-1")
    with pytest.raises(StoreError, match="s3://tailgate/x"):
        Exporter(store, place, "default", unit=HOUR, patience=0).turn(EVERYTHING)
    store.close()
