"""The chaos of `make soak-kafka` in small: monitors die, the broker stands still, it comes back empty."""

from __future__ import annotations

import pytest

from tests.benchmarks.kafka_soak import Plan, broker_lost, chaos

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.timeout(400),
]


def test_killed_monitors_and_a_frozen_broker_leave_one_process_s_evidence() -> None:
    found = chaos(Plan(exchanges=600, producers=1, monitors=2, kills=2, freezes=1, rate=100))
    assert found["passed"], found


def test_a_broker_that_lost_everything_gets_it_again_and_nothing_counts_twice() -> None:
    found = broker_lost(Plan(exchanges=600, producers=1, monitors=1, kills=0, freezes=0, rate=60))
    assert (found["passed"], found["segments_kept_when_lost"] > 0) == (True, True), found
