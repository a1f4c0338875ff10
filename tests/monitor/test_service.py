"""What is handed out of the monitor hangs together, and is made anew as often as it is worth."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from monitor import service as service_module
from monitor.candidate import Leg
from monitor.config import Config
from monitor.forgetting import NAMELESS
from monitor.metrics import Metrics
from monitor.service import Service
from monitor.standing import Standing
from monitor.store import Store


@pytest.fixture
def standing() -> Iterator[Standing]:
    store = Store()
    yield Standing(Config(), store, b"k" * 32)
    store.close()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("r", 5)


@pytest.fixture
def service(standing: Standing, metrics: Metrics) -> Service:
    leg = Leg("candidate", "http://127.0.0.1:1", concurrency=1)
    return Service(Config(), standing, metrics=metrics, candidate=leg, reload=Config)


def test_who_saw_a_newer_funnel_is_not_shown_an_older_verdict(service: Service, standing: Standing) -> None:
    assert service.verdict().funnel.skipped == {}
    standing.tally.count("read")
    standing.tally.skip("expired")
    assert service.funnel().skipped == {"expired": 1}
    assert service.verdict().funnel == service.funnel()


@pytest.mark.parametrize(("share", "anew"), [(1e9, True), (1e-9, False)])
def test_gauges_are_made_anew_unless_that_is_dear(
    service: Service, metrics: Metrics, monkeypatch: pytest.MonkeyPatch, share: float, anew: bool
) -> None:
    monkeypatch.setattr(service_module, "BOARD_SHARE", share)
    service.refresh()
    made = metrics.board
    service.refresh()
    assert (metrics.board is not made) == anew


def test_an_erasure_says_that_pairs_name_no_subject(service: Service) -> None:
    assert service.config.privacy.subject is None
    assert service.erase("ann") == {"pairs": 0, "spool": 0, "note": NAMELESS}
