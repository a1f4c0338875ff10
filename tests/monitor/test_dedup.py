from __future__ import annotations

import json
import tracemalloc

from monitor.dedup import HOUR, Repeats

SEGMENTS = ("all", "language=th")


def test_a_first_sight_is_counted_and_a_repeat_is_known() -> None:
    repeats = Repeats()
    assert repeats.counted(0.0, "k", SEGMENTS, 0b11) == {}
    assert repeats.counted(1.0, "k", SEGMENTS, 0b11) == {"all": 0b11, "language=th": 0b11}


def test_without_a_key_nothing_repeats() -> None:
    repeats = Repeats()
    assert [repeats.counted(0.0, None, SEGMENTS, 1) for _ in range(2)] == [{}, {}]


def test_another_segment_or_signal_of_the_same_key_still_counts() -> None:
    repeats = Repeats()
    repeats.counted(0.0, "k", ("all", "turn=1"), 0b01)
    assert repeats.counted(1.0, "k", ("all", "turn=2-3"), 0b11) == {"all": 0b01, "turn=2-3": 0}
    assert repeats.counted(2.0, "k", ("all", "turn=1"), 0b11) == {"all": 0b11, "turn=1": 0b01}


def test_the_next_hour_counts_again() -> None:
    repeats = Repeats()
    repeats.counted(HOUR - 1, "k", SEGMENTS, 1)
    assert repeats.counted(HOUR, "k", SEGMENTS, 1) == {}


def test_memory_is_bounded_and_what_is_forgotten_is_counted() -> None:
    repeats = Repeats(limit=4)
    for key in "abcde":
        repeats.counted(0.0, key, SEGMENTS, 1)
    assert (len(repeats), repeats.forgotten) == (3, 2)
    assert repeats.counted(0.0, "d", SEGMENTS, 1) == {"all": 1, "language=th": 1}
    assert repeats.counted(0.0, "b", SEGMENTS, 1) == {}


def test_a_key_that_counts_more_survives_its_generation() -> None:
    repeats = Repeats(limit=4)
    for key, mask in (("a", 0b01), ("b", 1), ("a", 0b11), ("c", 1), ("d", 1)):
        repeats.counted(0.0, key, SEGMENTS, mask)
    assert repeats.counted(0.0, "a", SEGMENTS, 0) == {"all": 0b11, "language=th": 0b11}


def test_an_hour_of_keys_takes_no_memory_but_what_was_taken_at_once() -> None:
    repeats = Repeats()
    tracemalloc.start()
    for number in range(50_000):
        repeats.counted(0.0, f"p:{number:032x}", SEGMENTS, 1)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(repeats) == 50_000
    assert grown < 50_000


def test_state_survives_a_dump() -> None:
    before, after = Repeats(), Repeats()
    before.counted(7.0, "k", SEGMENTS, 0b101)
    after.load(json.loads(json.dumps(before.dump())))
    assert after.counted(8.0, "k", SEGMENTS, 0b111) == {"all": 0b101, "language=th": 0b101}
