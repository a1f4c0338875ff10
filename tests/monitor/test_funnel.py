"""The funnel reconciles: every eligible request is in exactly one counted state."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from monitor.funnel import Tally, reconciles, restored

REASONS = st.sampled_from(["timeout", "not_json", "candidate_busy"])


@given(
    st.lists(REASONS, max_size=30),
    st.integers(0, 30),
    st.integers(0, 9),
    st.dictionaries(st.sampled_from(["not_sampled", "queue_full"]), st.integers(0, 50)),
)
def test_eligible_is_scored_plus_skipped_plus_pending(
    skips: list[str], scored: int, in_flight: int, capture: dict[str, int]
) -> None:
    tally = Tally()
    for reason in skips:
        tally.count("read")
        tally.skip(reason)
    tally.count("read", scored)
    tally.count("scored", scored)
    tally.captured("w0", capture, {"endpoint_unsupported": 3})
    tally.in_flight = in_flight
    funnel = tally.funnel()
    assert reconciles(funnel)
    assert funnel.pending == in_flight
    assert funnel.eligible == len(skips) + scored + in_flight + sum(capture.values())


def test_an_older_counter_record_never_lowers_a_newer_one() -> None:
    tally = Tally()
    tally.captured("w0", {"not_sampled": 9}, {})
    tally.captured("w0", {"not_sampled": 4}, {})
    assert tally.funnel().skipped == {"not_sampled": 9}


def test_streams_add_up_and_excluded_requests_were_never_eligible() -> None:
    tally = Tally()
    tally.captured("w0", {"not_sampled": 2}, {"marked": 1})
    tally.captured("w1", {"not_sampled": 3}, {"marked": 4})
    funnel = tally.funnel()
    assert funnel.eligible == 5
    assert funnel.excluded == {"marked": 5}


def test_a_restored_tally_shows_the_same_funnel() -> None:
    tally = Tally()
    tally.count("read", 2)
    tally.skip("expired")
    tally.count("scored")
    tally.captured("w0", {"not_sampled": 2}, {})
    rows = [(stream, name, value) for (stream, name), value in tally.capture.items()]
    assert restored(tally.names, rows).funnel() == tally.funnel()
