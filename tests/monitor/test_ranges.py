"""What is settled of a stream, whatever order it is settled in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitor.ranges import START, Ranges

PLACES = [START, *((1 + n // 10, 100 * (n % 10) + 50, n + 1) for n in range(30))]
ORDER = st.permutations(range(30))


@given(ORDER)
def test_any_order_of_all_records_is_one_range(order: list[int]) -> None:
    ranges = Ranges()
    for number in order:
        ranges.add(PLACES[number], PLACES[number + 1])
    assert list(ranges) == [(START, PLACES[-1])]


@given(ORDER, st.integers(0, 30))
def test_a_record_is_in_it_exactly_when_it_was_added(order: list[int], count: int) -> None:
    ranges = Ranges()
    for number in order[:count]:
        ranges.add(PLACES[number], PLACES[number + 1])
    assert {n for n in range(30) if PLACES[n + 1] in ranges} == set(order[:count])
    assert ranges.missing(1, 30) == 30 - count
    assert list(Ranges.load(ranges.dump())) == list(ranges)


def test_reading_goes_on_behind_the_first_range() -> None:
    ranges = Ranges([(START, PLACES[3]), (PLACES[5], PLACES[9])])
    assert ranges.resume() == PLACES[3]


def test_the_position_of_a_monitor_without_kafka_is_a_range() -> None:
    assert list(Ranges.load("[2, 400, 17]")) == [(START, (2, 400, 17))]


def test_a_gap_counts_what_no_other_range_holds() -> None:
    ranges = Ranges([(PLACES[4], PLACES[6])])
    assert ranges.missing(3, 10) == 6


def test_what_two_readers_know_is_joined() -> None:
    left, right = Ranges([(START, PLACES[3])]), Ranges([(PLACES[3], PLACES[5])])
    assert list(left.merged(right)) == [(START, PLACES[5])]
