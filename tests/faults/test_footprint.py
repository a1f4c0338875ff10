"""What the sidecar takes: memory at rest, under 200 mirrored streams and under pressure; start-up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks.hotpath import native, process
from tests.benchmarks.hotpath.native import Load, read_load, run_load, start_load, upstream
from tests.faults.breakages import remove_spool
from tests.faults.comparison import not_served
from tests.faults.rig import tailgate

pytestmark = pytest.mark.skipif(native.missing() is not None, reason=str(native.missing()))

CAP_MB = 8.0


@pytest.fixture(scope="module")
def baseline() -> Iterator[int]:
    with upstream(chunks=150, interval_us=20_000) as port:
        yield port


def test_the_sidecar_is_small_at_rest(baseline: int, tmp_path: Path) -> None:
    with tailgate("sidecar", tmp_path, baseline) as rig:
        time.sleep(1)
        memory = {pid: process.pss_megabytes(pid) for pid in process.tree(rig.process.pid)}
    assert len(memory) >= 3, "a parent and two workers"
    assert max(memory.values()) <= 25
    assert sum(memory.values()) <= 90


def test_it_starts_with_less_than_a_second_of_work(baseline: int, tmp_path: Path) -> None:
    # CPU seconds of all its processes until it listens: on a busy machine the clock measures neighbours
    with tailgate("sidecar", tmp_path, baseline) as rig:
        assert process.cpu_seconds(rig.process.pid) < 1


def test_two_hundred_mirrored_streams_fit_into_sixty_megabytes(baseline: int, tmp_path: Path) -> None:
    streams = Load(seconds=2, warm_up=3.2, grace=5, connections=200, chunks=150, spread_us=3_000_000)
    # with the default of 256, 200 at once would be thinned
    with tailgate("sidecar", tmp_path, baseline, sidecar_workers=1, sidecar_max_in_flight=1024) as rig:
        load = start_load(streams, rig.port)
        time.sleep(4.5)
        largest = max(process.pss_megabytes(pid) for pid in process.tree(rig.process.pid))
        report = read_load(load, streams)
        assert rig.dropped() == 0
    assert not_served(report) == 0
    assert largest <= 60


def test_memory_is_bounded_when_nothing_can_be_handed_over(baseline: int, tmp_path: Path) -> None:
    large = Load(seconds=3, warm_up=0, grace=5, connections=32, rate=400, body_bytes=200_000)
    cap = int(CAP_MB * 1e6)
    with tailgate("sidecar", tmp_path, baseline, sidecar_max_queue_bytes=cap, sidecar_workers=1) as rig:
        remove_spool(rig)
        before = {pid: process.rss_megabytes(pid) for pid in process.tree(rig.process.pid)}
        load, grown = start_load(large, rig.port), 0.0
        while load.poll() is None:
            grown = max(grown, *(process.rss_megabytes(pid) - rss for pid, rss in before.items()))
            time.sleep(0.05)
        report = read_load(load, large)
    assert not_served(report) == 0
    assert grown <= CAP_MB + 20


def test_a_large_body_is_not_kept(baseline: int, tmp_path: Path) -> None:
    large = Load(seconds=2, warm_up=0, grace=20, connections=1, rate=1, body_bytes=100_000_000)
    with tailgate("sidecar", tmp_path, baseline, sidecar_workers=1) as rig:
        report = run_load(large, rig.port)
        largest = max(process.rss_megabytes(pid) for pid in process.tree(rig.process.pid))
        assert rig.dropped() == report["sent"] > 0
    assert not_served(report) == 0
    assert largest <= 60
