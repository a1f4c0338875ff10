"""What the monitor does once a minute, and what its configuration says about it."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from monitor.config_file import load
from monitor.errors import ConfigError
from monitor.metrics import Metrics
from monitor.parquet.export import EVERYTHING, Exporter, exported_to
from monitor.parquet.layout import DAY, HOUR, parts
from monitor.parquet.places import Directory
from monitor.parquet.reading import Archive
from monitor.parquet.routine import Routine, erase_exported
from monitor.store import Store
from tests.monitor.parquet.test_export import made


def routine(store: Store, place: Directory, metrics: Metrics, **export: object) -> Routine:
    config = load(overrides={f"export.{name}": value for name, value in export.items()})
    return Routine(config, store, place, metrics.exported)


def test_closed_hours_are_exported_counted_and_aged(tmp_path: Path) -> None:
    now = time.time() // DAY * DAY
    store = made(tmp_path / "t.duckdb", [now - 9 * DAY, now - 9 * DAY + HOUR, now - DAY], "aa")
    place, metrics = Directory(tmp_path / "out"), Metrics("r", 5)
    run = routine(store, place, metrics, directory=place.location, hourly=True, retention_days=3)
    run.turn()
    assert 'tailgate_exported_pairs_total{route="r"} 3.0' in metrics.render(openmetrics=False).decode()
    assert "tailgate_export_last_success_timestamp_seconds" in metrics.render(openmetrics=False).decode()
    assert [part.first for part in parts(place.names("pairs"))] == [3]
    assert erase_exported(store, place, "aa") == {"exported": 1}
    assert Archive(place).query("SELECT count(*) FROM pairs") == [(0,)]
    store.close()


def test_a_route_that_went_quiet_ages_too(tmp_path: Path) -> None:
    now = time.time() // DAY * DAY
    store, place = made(tmp_path / "t.duckdb", [now - 9 * DAY]), Directory(tmp_path / "out")
    Exporter(store, place, "default", unit=DAY, patience=0).turn(now)
    routine(store, place, Metrics("default", 5), directory=place.location, retention_days=3).turn()
    assert parts(place.names("pairs")) == []
    store.close()


def test_an_erasure_reaches_exports_that_were_made_by_hand(tmp_path: Path) -> None:
    store = made(tmp_path / "t.duckdb", [100.0, 200.0, 300.0], "aa")
    by_hand = [Directory(tmp_path / name) for name in ("one", "two")]
    for place in by_hand:
        Exporter(store, place, "r", unit=DAY, patience=0).turn(EVERYTHING)
    shutil.rmtree(by_hand[1].location)
    assert exported_to(store) == [str(tmp_path / "one"), str(tmp_path / "two")]
    assert erase_exported(store, None, "aa") == {"exported": 2}
    assert Archive(by_hand[0]).query("SELECT count(*) FROM pairs") == [(1,)]
    assert not (tmp_path / "two").exists()
    store.close()


def test_an_earlier_export_that_does_not_answer_is_named(tmp_path: Path) -> None:
    store = made(tmp_path / "t.duckdb", [100.0])
    store.remember("exported:s3://gone/x?endpoint_override=127.0.0.1:1&scheme=http&region=r", "1")
    store.remember("exported:ftp://nowhere", "1")
    found = erase_exported(store, None, "aa")
    assert found["exported"] == 0
    assert any("ftp://nowhere" in words for words in found["unreached"])
    store.close()


@pytest.mark.parametrize("key", ["hourly=true", "retention_days=3"])
def test_an_export_that_leads_nowhere_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match=r"export\.directory is missing"):
        load(settings=[f"export.{key}"])
