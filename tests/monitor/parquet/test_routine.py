"""What the monitor does once a minute, and what its configuration says about it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from monitor.config_file import load
from monitor.errors import ConfigError
from monitor.metrics import Metrics
from monitor.parquet.layout import DAY, HOUR, parts
from monitor.parquet.places import Directory
from monitor.parquet.reading import Archive
from monitor.parquet.routine import Routine
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
    assert run.erase("aa") == 1
    assert Archive(place).query("SELECT count(*) FROM pairs") == [(0,)]
    store.close()


@pytest.mark.parametrize("key", ["hourly=true", "retention_days=3"])
def test_an_export_that_leads_nowhere_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match=r"export\.directory is missing"):
        load(settings=[f"export.{key}"])
