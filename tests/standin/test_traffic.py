"""The demo's requests."""

from collections import Counter
from itertools import islice

import pytest

from monitor.errors import UsageError
from monitor.openai_api import mirrorable, parse_request
from monitor.records import Completion, Exchange
from monitor.segments import segments_of
from monitor.standin.traffic import traffic

COUNT = 2000


def counted(segment_share: dict[str, float] | None = None) -> Counter[str]:
    """How many of 2,000 requests fall into each segment."""
    counts: Counter[str] = Counter()
    for plan in islice(traffic(7, segment_share=segment_share), COUNT):
        exchange = Exchange("", 0.0, parse_request("chat", plan.body), Completion())
        counts.update(f"{name}={value}" for name, value in segments_of(exchange).items())
    return counts


def test_the_same_seed_gives_the_same_requests() -> None:
    assert list(islice(traffic(3), 50)) == list(islice(traffic(3), 50))
    assert list(islice(traffic(3), 50)) != list(islice(traffic(4), 50))


def test_requests_hardly_repeat_and_may_be_mirrored() -> None:
    plans = list(islice(traffic(3), COUNT))
    assert len({str(plan.body["messages"]) for plan in plans}) > 0.97 * COUNT
    assert {mirrorable(parse_request("chat", plan.body)) for plan in plans} == {None}


def test_the_segmenters_see_every_tail() -> None:
    counts = counted()
    for segment in ("language=sw", "script=ethiopic", "task=json", "language=th", "task=tools", "turn=4+"):
        assert 0.015 * COUNT < counts[segment] < 0.05 * COUNT, (segment, counts[segment])
    assert counts["task=math"] > 0.08 * COUNT
    assert 0.4 * COUNT < counts["stream=yes"] < 0.6 * COUNT


@pytest.mark.parametrize("segment", ["script=ethiopic", "task=json", "language=sw", "context=4k-8k"])
def test_a_segment_gets_the_share_it_is_given(segment: str) -> None:
    assert 0.08 * COUNT < counted({segment: 0.1})[segment] < 0.12 * COUNT


def test_a_script_is_more_than_one_language() -> None:
    counts = counted({"script=ethiopic": 0.1})
    assert min(counts["language=am"], counts["language=ti"]) > 0.02 * COUNT


def test_unknown_segments_are_refused() -> None:
    with pytest.raises(UsageError, match="no demo traffic"):
        next(traffic(1, segment_share={"language=xx": 0.1}))
