"""Names: what they say is read back, and what counts does not depend on who was interrupted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitor.parquet.layout import Erasure, Part, closed_until, day_of, erasures, parts, standing, start_of


def part(first: int, last: int, day: str = "2026-11-22", store: str = "ab12") -> Part:
    return Part("default", day, store, first, last)


def test_a_name_says_what_is_in_the_file() -> None:
    assert parts([part(3, 9).name("pairs"), "pairs/route=default/day=2026-11-22/.part"]) == [part(3, 9)]
    assert part(3, 9).name("scores") == (
        "scores/route=default/day=2026-11-22/ab12-000000000003-000000000009.parquet"
    )


def test_a_request_to_forget_is_read_back() -> None:
    assert erasures([Erasure("0a", 7).name, "erased/odd"]) == [Erasure("0a", 7)]


def test_a_day_supersedes_its_hours_and_no_other_days_or_stores() -> None:
    hours = [part(1, 10), part(11, 20)]
    others = [part(1, 10, day="2026-11-23"), part(1, 10, store="cd34")]
    counting, superseded = standing([*hours, part(1, 20), *others])
    assert sorted(counting) == sorted([part(1, 20), *others])
    assert superseded == hours


def test_an_export_repeated_after_a_crash_supersedes_the_one_cut_short() -> None:
    assert standing([part(1, 10), part(1, 14)]) == ([part(1, 14)], [part(1, 10)])


@given(st.lists(st.integers(1, 30), min_size=1, max_size=12), st.data())
def test_every_row_counts_once_whatever_was_merged_or_repeated(sizes: list[int], data: st.DataObject) -> None:
    found, first = [], 1
    for size in sizes:
        found.append(part(first, first + size - 1))
        first += size
    merged = list(found)
    for _ in range(data.draw(st.integers(0, 4))):
        low, high = sorted(
            data.draw(st.tuples(st.integers(0, len(found) - 1), st.integers(0, len(found) - 1)))
        )
        span = part(found[low].first, found[high].last)
        if all(
            p.covers(span) or span.covers(p) or p == span or p.last < span.first or p.first > span.last
            for p in merged
        ):
            merged.append(span)
    counting, _ = standing(set(merged))
    covered = [seq for p in counting for seq in range(p.first, p.last + 1)]
    assert sorted(covered) == list(range(1, first))


def test_a_period_is_closed_by_what_came_after_it_or_by_patience() -> None:
    assert closed_until(newest=7300, now=7301, unit=3600, patience=60) == 7200
    assert closed_until(newest=3500, now=7259, unit=3600, patience=60) == 3600
    assert closed_until(newest=3500, now=7261, unit=3600, patience=60) == 7200


def test_days_are_utc() -> None:
    assert (day_of(86_399), day_of(86_400), start_of("1970-01-02")) == ("1970-01-01", "1970-01-02", 86_400.0)
