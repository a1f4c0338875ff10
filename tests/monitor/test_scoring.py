"""Scorers run on a pair, their exceptions are counted, the replay takes the candidate's place."""

from __future__ import annotations

from dataclasses import replace

from monitor.records import Completion, Exchange, Message, Pair, Request, Score
from monitor.scoring import Failure, score_pair
from monitor.signals import Level


def _pair(baseline: str, candidate: str, replay: str | None = None) -> Pair:
    request = Request("chat", {}, (Message("user", "hi"),))
    exchange = Exchange("p1", 0.0, request, Completion(baseline))
    return Pair(exchange, Completion(candidate), Completion(replay) if replay is not None else None)


def _differs(pair: Pair) -> Score | None:
    return Score("answer", float(pair.baseline.text != pair.candidate.text))


def _silent(_pair: Pair) -> Score | None:
    return None


def _broken(pair: Pair) -> Score | None:
    raise ValueError(pair.id)


def _page(_signal: str) -> Level:
    return "page"


def test_a_signal_that_does_not_apply_has_no_score() -> None:
    scored = score_pair(_pair("a", "b"), {"answer": _differs, "code": _silent}, _page)
    assert list(scored.scores) == ["answer"]


def test_the_replay_takes_the_candidates_place() -> None:
    scored = score_pair(_pair("a", "b", replay="a"), {"answer": _differs}, _page)
    assert (scored.scores["answer"].value, scored.references["answer"]) == (1.0, 0.0)


def test_without_a_replay_there_are_no_references() -> None:
    assert score_pair(_pair("a", "b"), {"answer": _differs}, _page).references == {}


def test_the_replay_is_scored_with_its_own_forced_view() -> None:
    def forced(pair: Pair) -> Score | None:
        return Score("forced_drop", 1.0 if pair.forced else 0.0)

    pair = replace(_pair("a", "b", replay="a"), forced_replay=None)
    assert score_pair(pair, {"forced_drop": forced}, _page).references["forced_drop"] == 0.0


def test_a_scorer_that_raises_is_counted_and_the_others_go_on() -> None:
    scored = score_pair(_pair("a", "b"), {"code": _broken, "answer": _differs}, _page)
    assert (Failure("code", "ValueError"),) == scored.failures
    assert list(scored.scores) == ["answer"]


def test_a_signal_that_is_off_is_not_computed() -> None:
    assert score_pair(_pair("a", "b"), {"code": _broken}, lambda _: "off").failures == ()
