"""What has to change in a lake, from what is there and what should be."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.lake.plan import Change, plan
from monitor.parquet.layout import Part

KNOWN = {("default", "ab12")}


def part(first: int, last: int, store: str = "ab12") -> Part:
    return Part("default", "2026-11-22", store, first, last)


def test_what_is_new_is_loaded_and_what_is_there_is_left_alone() -> None:
    found = {part(1, 9): "a", part(10, 19): "b"}
    assert plan(found, {part(1, 9): "a"}, known=KNOWN) == [Change(part(10, 19), "b")]


def test_a_part_that_was_written_anew_replaces_itself() -> None:
    (change,) = plan({part(1, 9): "b"}, {part(1, 9): "a"}, known=KNOWN)
    assert (change, change.in_place) == (Change(part(1, 9), "b", (part(1, 9),)), True)


def test_a_day_takes_the_place_of_its_hours_in_one_change() -> None:
    hours = {part(1, 9): "a", part(10, 19): "b"}
    (change,) = plan({**hours, part(1, 19): "c"}, hours, known=KNOWN)
    assert (change, change.in_place) == (Change(part(1, 19), "c", (*hours,)), False)


def test_what_is_gone_is_forgotten_and_an_unmounted_export_forgets_nothing() -> None:
    loaded = {part(1, 9): "a", part(1, 9, store="cd34"): "a"}
    assert plan({}, loaded, known=KNOWN) == [Change(None, old=(part(1, 9),))]
    assert plan({}, loaded, known=()) == []


def test_a_part_that_holds_somebody_who_asked_is_loaded_again() -> None:
    same = {part(1, 9): "a"}
    assert plan(same, same, known=KNOWN, stale=[part(1, 9)]) == [Change(part(1, 9), "a", (part(1, 9),))]


# As an export has them: next to each other or one in the other.
PARTS = [part(1, 2), part(3, 4), part(5, 6), part(7, 8), part(1, 4), part(5, 8), part(1, 8)]
SPANS = st.dictionaries(st.sampled_from(PARTS), st.sampled_from("ab"))


@settings(max_examples=30)
@given(SPANS, SPANS)
def test_done_once_there_is_nothing_left_to_do(found: dict[Part, str], loaded: dict[Part, str]) -> None:
    after = dict(loaded)
    for change in plan(found, loaded, known=KNOWN):
        for old in change.old:
            del after[old]
        if change.part:
            after[change.part] = change.version
    assert plan(found, after, known=KNOWN) == []
