"""What is handed out of the monitor, and how often it is made anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor import service as service_module
from monitor.metrics import Metrics
from monitor.service import Service
from monitor.shadow import legs_of
from monitor.standing import Standing
from monitor.store import Store
from tests.monitor.test_standing import SECRET, configured


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("r", 5)


@pytest.fixture
def service(tmp_path: Path, metrics: Metrics) -> Iterator[Service]:
    config = configured(tmp_path / "tailgate.duckdb")
    store = Store(config.store.path)
    standing, candidate = Standing(config, store, SECRET), legs_of(config)[0]
    yield Service(config, standing, metrics=metrics, candidate=candidate, reload=lambda: config)
    store.close()


@pytest.mark.parametrize(("share", "anew"), [(1e9, True), (1e-9, False)])
def test_gauges_are_made_anew_unless_that_is_dear(
    service: Service, metrics: Metrics, monkeypatch: pytest.MonkeyPatch, share: float, anew: bool
) -> None:
    monkeypatch.setattr(service_module, "BOARD_SHARE", share)
    service.refresh()
    made = metrics.board
    service.refresh()
    assert (metrics.board is not made) == anew
