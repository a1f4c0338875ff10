"""What the gauges say of latency is what a plain count of the same pairs says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from monitor.archive import latency, worst_pairs
from monitor.board import Latency
from monitor.store import Batch, Store
from monitor.vault import Vault
from tests.monitor.test_store import LEG, pair, score

Json = dict[str, Any]


def leg(duration: float | None, error: str | None = None) -> Json:
    return {**LEG, "duration": duration, "ttft": duration and duration / 4, "error": error}


def stored(*pairs: tuple[Json | None, Json | None, tuple[str, ...]]) -> Store:
    """Pairs of (candidate, replay, flags), the newest last."""
    store = Store()
    rows = []
    for seq, (candidate, replay, flags) in enumerate(pairs, 1):
        row = list(pair(seq, at=100.0 + seq, language="en" if seq % 2 else "th"))
        row[13], row[16], row[17] = list(flags), candidate, replay
        rows.append(tuple(row))
    store.commit(Batch(pairs=rows))
    return store


def near(value: float) -> Any:
    return pytest.approx(value, rel=1e-12)


def of(*durations: float) -> Latency:
    p50, p99 = np.quantile(durations, [0.5, 0.99])
    return Latency(near(p50), near(p99), near(p50 / 4), near(p99 / 4), near(0.9))


def test_quantiles_are_exact_in_every_segment_and_arm() -> None:
    seconds = [float(number) for number in range(1, 41)]
    store = stored(*((leg(s), leg(2 * s) if s <= 10 else None, ()) for s in seconds))
    found = latency(store, 0.0)
    assert found["all", "candidate"] == of(*seconds)
    assert found["language=th", "candidate"] == of(*seconds[1::2])
    assert found["language=en", "replay"] == of(*(2 * s for s in seconds[:10:2]))


def test_warm_up_failures_and_cached_answers_are_left_out_of_their_arms() -> None:
    store = stored(
        (leg(1.0), leg(1.0), ()),
        (leg(50.0), leg(3.0), ("cached",)),
        (leg(60.0), leg(60.0), ("warmup",)),
        (leg(70.0, "timeout"), leg(5.0), ()),
        (None, leg(None), ()),
    )
    found = latency(store, 0.0)
    assert (found["all", "candidate"], found["all", "replay"]) == (of(1.0), of(1.0, 3.0, 5.0))


def test_an_arm_without_an_answer_has_no_row() -> None:
    assert {arm for _, arm in latency(stored((leg(1.0), None, ())), 0.0)} == {"baseline", "candidate"}


def test_only_the_newest_pairs_of_the_window_are_read() -> None:
    store = stored(*((leg(float(s)), None, ()) for s in range(1, 11)))
    assert latency(store, 0.0, newest=3)["all", "candidate"] == of(8.0, 9.0, 10.0)
    assert latency(store, since=110.0)["all", "candidate"] == of(10.0)


@pytest.mark.parametrize(
    ("segment", "found"),
    [
        (None, ["p6", "p4", "p1", "p5", "p3"]),
        ("language=en", ["p1", "p5", "p3"]),
        ("language=th,all=all", ["p6", "p4"]),
        ("language=th,task=code", []),
        ("all", ["p6", "p4", "p1", "p5", "p3"]),
    ],
)
def test_the_worst_pairs_of_a_segment_are_the_newest_of_the_worst(
    segment: str | None, found: list[str]
) -> None:
    store, values = Store(), {1: 1.0, 2: 1.0, 3: 0.0, 4: 1.0, 5: 0.5, 6: 1.0}
    made = [pair(seq, language="en" if seq % 2 else "th") for seq in values]
    others = [score(seq, "format", 1.0) for seq in values]
    store.commit(
        Batch(pairs=made, scores=[*(score(seq, x=x) for seq, x in values.items() if seq != 2), *others])
    )
    rows = worst_pairs(store, segment, "answer", 5, Vault(b"key"))
    assert [row["id"] for row in rows] == found
