"""What the HTTP side is told hangs together."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from monitor.candidate import Leg
from monitor.config import Config
from monitor.metrics import Metrics
from monitor.service import Service
from monitor.standing import Standing
from monitor.store import Store


@pytest.fixture
def standing() -> Iterator[Standing]:
    store = Store()
    yield Standing(Config(), store, b"k" * 32)
    store.close()


def test_who_saw_a_newer_funnel_is_not_shown_an_older_verdict(standing: Standing) -> None:
    leg = Leg("candidate", "http://127.0.0.1:1", concurrency=1)
    service = Service(Config(), standing, metrics=Metrics("r", 5), candidate=leg, reload=Config)
    assert service.verdict().funnel.skipped == {}
    standing.tally.count("read")
    standing.tally.skip("expired")
    assert service.funnel().skipped == {"expired": 1}
    assert service.verdict().funnel == service.funnel()
