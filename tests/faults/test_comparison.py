from __future__ import annotations

import itertools

from tests.faults.comparison import MOST_PAIRS, PAIRS, Report, compare, median_interval, until_clear


def report(ok: int = 200, p50: float = 300.0, p99: float = 1000.0, failed: int = 0) -> Report:
    return {
        "ok": ok, "failed": failed, "refused": 0, "short": 0, "unfinished": 0,
        "latency_us": {"p50": p50, "p99": p99},
    }  # fmt: skip


def test_equal_arms_are_unharmed() -> None:
    assert compare([(report(), report())] * 9).unharmed


def test_one_failed_request_is_harm() -> None:
    assert not compare([(report(), report())] * 8 + [(report(), report(failed=1))]).unharmed


def test_a_slower_median_is_harm() -> None:
    assert not compare([(report(), report(p50=340.0))] * 9).unharmed


def test_fewer_served_is_harm() -> None:
    assert not compare([(report(), report(ok=190))] * 9).unharmed


def test_two_wild_p99s_of_nine_are_noise_and_nine_are_harm() -> None:
    wild = (report(), report(p99=9000.0))
    assert compare([wild] * 2 + [(report(), report())] * 7).unharmed
    assert not compare([wild] * 9).unharmed


def test_interval_of_nine_is_the_second_and_eighth() -> None:
    # 2 * P(Bin(9, 1/2) <= 1) = 0.039, the textbook value
    assert median_interval([float(i) for i in range(1, 10)]) == (2.0, 8.0)


def test_noise_buys_more_pairs_and_harm_does_not_pass() -> None:
    slow = itertools.count()

    def noisy() -> tuple[Report, Report]:
        return report(), report(p50=400.0 if next(slow) < 5 else 300.0)

    taken: list[int] = []

    def harmed() -> tuple[Report, Report]:
        taken.append(1)
        return report(), report(p50=400.0)

    assert until_clear(noisy).unharmed
    assert not until_clear(harmed).unharmed
    assert PAIRS < len(taken) <= MOST_PAIRS
