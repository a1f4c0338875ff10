from __future__ import annotations

from dataclasses import replace

import numpy as np

from monitor.explain import Sample, explain_rows
from monitor.records import ALL, Segment, SegmentVerdict

NULLS = {"degenerate": 0.05, "script": 0.05, "answer": 0.05}
RNG = np.random.default_rng(1)
N = 2_000
TH = np.arange(N) < 120
DE = (np.arange(N) >= 120) & (np.arange(N) < 600)
BAD = np.where(TH, RNG.random(N) < 0.9, RNG.random(N) < 0.005).astype(float)


def sample(members: np.ndarray, x: np.ndarray = BAD, x0: np.ndarray | None = None) -> Sample:
    reference = np.full(N, np.nan) if x0 is None else x0
    return Sample(np.flatnonzero(members), x[members], reference[members])


def rows(samples: dict[tuple[Segment, str], Sample], level: str = "page") -> list[SegmentVerdict]:
    return [
        SegmentVerdict(segment, signal, "directional", "diverged", len(s.x), effect=s.effect, level=level)
        for (segment, signal), s in samples.items()
    ]


def explained(members: dict[str, np.ndarray], x: np.ndarray = BAD) -> dict[str, str | None]:
    samples = {(Segment(name), "degenerate"): sample(mask, x) for name, mask in members.items()}
    return {row.segment: row.explained_by for row in explain_rows(rows(samples), samples, NULLS)}


def test_overall_is_explained_by_the_language_that_broke() -> None:
    found = explained({ALL: np.ones(N, bool), "language=th": TH, "task=chat": np.arange(N) < 1_000})
    assert found == {ALL: "language=th", "language=th": None, "task=chat": "language=th"}


def test_equal_pairs_go_to_the_dimension_that_is_listed_first() -> None:
    assert explained({"script=thai": TH, "language=th": TH}) == {
        "language=th": None,
        "script=thai": "language=th",
    }


def test_a_declared_dimension_comes_before_the_built_in_ones() -> None:
    samples = {(Segment(name), "degenerate"): sample(TH) for name in ("language=th", "tenant=9")}
    found = {
        r.segment: r.explained_by for r in explain_rows(rows(samples), samples, NULLS, declared=["tenant"])
    }
    assert found == {"tenant=9": None, "language=th": "tenant=9"}


def test_nearly_equal_pairs_are_one_fault_even_if_the_later_dimension_looks_a_little_worse() -> None:
    script = TH & (BAD == 1)
    script[np.flatnonzero(TH & (BAD == 0))[2:]] = True
    assert explained({"language=th": TH, "script=thai": script}) == {
        "language=th": None,
        "script=thai": "language=th",
    }


def test_a_lucky_part_of_the_broken_segment_is_explained_by_the_whole() -> None:
    part = TH & (np.arange(N) % 7 == 0)
    assert explained({"language=th": TH, "turn=4+": part})["turn=4+"] == "language=th"


def test_two_independent_faults_both_stay() -> None:
    x = np.where(DE, RNG.random(N) < 0.4, BAD).astype(float)
    found = explained({ALL: np.ones(N, bool), "language=th": TH, "language=de": DE}, x)
    assert (found["language=th"], found["language=de"]) == (None, None)
    assert found[ALL] in {"language=th", "language=de", None}


def test_a_fault_everywhere_leaves_overall_to_itself() -> None:
    x = (RNG.random(N) < 0.5).astype(float)
    assert explained({ALL: np.ones(N, bool), "language=th": TH}, x) == {ALL: None, "language=th": ALL}


def test_a_shadow_in_another_signal_points_to_the_segment_that_broke() -> None:
    samples = {(Segment("language=th"), "degenerate"): sample(TH), (ALL, "script"): sample(np.ones(N, bool))}
    extra = {**samples, (Segment("language=th"), "script"): sample(TH)}
    found = {(r.segment, r.signal): r.explained_by for r in explain_rows(rows(samples), extra, NULLS)}
    assert found == {("language=th", "degenerate"): None, (ALL, "script"): "language=th"}


def test_a_page_is_never_hidden_behind_a_ticket() -> None:
    samples = {
        (Segment("language=th"), "degenerate"): sample(TH),
        (ALL, "degenerate"): sample(np.ones(N, bool)),
    }
    ticket, page = rows(samples, "ticket")[0], rows(samples)[1]
    assert [r.explained_by for r in explain_rows([ticket, page], samples, NULLS)] == [None, None]


def test_rows_come_worst_unexplained_divergence_first() -> None:
    samples = {
        (Segment(n), "degenerate"): sample(m) for n, m in {ALL: np.ones(N, bool), "language=th": TH}.items()
    }
    calm = SegmentVerdict(Segment("language=de"), "degenerate", "directional", "ok", 480)
    waiting = SegmentVerdict(Segment("language=fr"), "degenerate", "directional", "inconclusive", 3)
    ordered = explain_rows([calm, waiting, *rows(samples)], samples, NULLS)
    assert [r.segment for r in ordered] == ["language=th", ALL, "language=fr", "language=de"]


def test_a_slow_segment_explains_overall_against_the_rows_own_bound() -> None:
    samples = {
        (Segment(n), "latency_p50"): sample(m) for n, m in {ALL: np.ones(N, bool), "language=th": TH}.items()
    }
    slow = [replace(r, kind="latency", noise_floor=0.02) for r in rows(samples)]
    found = {r.segment: r.explained_by for r in explain_rows(slow, samples, {"latency_p50": 0.5})}
    assert found == {"language=th": None, ALL: "language=th"}


def test_without_a_sample_a_row_stays_unexplained() -> None:
    row = SegmentVerdict(ALL, "latency_p99", "latency", "diverged", 100, effect=0.5)
    assert explain_rows([row], {}, {})[0].explained_by is None


def test_the_noise_floor_is_allowed_for() -> None:
    noisy = (RNG.random(N) < 0.3).astype(float)
    x = np.where(TH, 1.0, noisy)
    x0 = (RNG.random(N) < 0.3).astype(float)
    samples = {
        (Segment(n), "answer"): sample(m, x, x0)
        for n, m in {ALL: np.ones(N, bool), "language=th": TH}.items()
    }
    found = {r.segment: r.explained_by for r in explain_rows(rows(samples), samples, NULLS)}
    assert found == {"language=th": None, ALL: "language=th"}
