from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.benchmarks.soak import Growth, growth, write_trace


def test_a_leak_is_seen_through_noise() -> None:
    rng = random.Random(1)
    points = [(t * 2.0, 30 + t * 2.0 * 50 / 3600 + rng.gauss(0, 0.3)) for t in range(900)]
    assert growth(points).low > 5


def test_memory_that_never_moves_does_not_grow() -> None:
    assert growth([(t * 2.0, 22.0) for t in range(900)]) == Growth(0.0, 0.0, 0.0, 22.0, 22.0)


def test_a_warm_up_and_noise_are_no_leak() -> None:
    rng = random.Random(1)
    points = [(t * 2.0, 30 + min(t, 200) * 0.1 + rng.gauss(0, 0.5)) for t in range(900)]
    assert growth(points).low < 0 < growth(points).high


def test_memory_that_a_burst_takes_and_gives_back_is_no_growth() -> None:
    rng = random.Random(1)
    points = [(t * 2.0, 190 + rng.choice((0, 0, 0, 5, 40)) + t / 450) for t in range(900)]
    assert (growth(points).low, growth(points).high) == pytest.approx((4, 4), abs=0.3)


def test_a_trace_is_sped_up_begun_again_and_cut(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(
        '{"t": 0.0, "in": 10, "out": 1}\n{"t": 3.0, "in": 500, "out": 1}\n{"t": 9.0, "in": 1, "out": 1}\n'
    )
    assert write_trace(tmp_path / "in.jsonl", tmp_path / "out", speed=2, seconds=6.5) == 5
    assert (tmp_path / "out").read_text().splitlines() == [
        "0 200",
        "1500000 2000",
        "4500000 200",
        "4500000 200",
        "6000000 2000",
    ]
