"""Teacher forcing over the wire: which pairs carry a view, and what a candidate's refusal becomes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest

from monitor.candidate import Ask, Leg, Refused
from monitor.config_file import load
from monitor.errors import BadInput
from monitor.forced_views import with_forced
from monitor.openai_api import parse_request
from monitor.pairing import Paired
from monitor.records import Completion, Exchange, Pair, Score
from monitor.scorers import SCORERS
from monitor.scoring import score_pair
from monitor.shadow import shadow
from tests.monitor.test_capabilities import strict_server
from tests.standin.process import running_standin

EVERY_REPLAY = ("replay.share=1", "replay.max_share_of_traffic=1", "replay.concurrency=4")


@pytest.fixture(scope="module")
def standin() -> Iterator[str]:
    with running_standin() as url:
        yield url


def exchanges(count: int, answer: str = "") -> list[Exchange]:
    made = []
    for number in range(count):
        text = f"What is {number} + 30? Explain your reasoning."
        body = {"model": "standin", "messages": [{"role": "user", "content": text}], "temperature": 0}
        baseline = Completion(answer or f"It is {number + 30}.", finish_reason="stop", duration_seconds=0.1)
        made.append(Exchange(f"x{number}", 1.0, parse_request("chat", body), baseline))
    return made


def shadowed(baseline: str, candidate: str, *settings: str, count: int = 6, answer: str = "") -> list[Paired]:
    config = load(overrides={"candidate.url": candidate, "baseline.url": baseline}, settings=settings)

    async def run() -> list[Paired]:
        return [paired async for paired in shadow(exchanges(count, answer), config)]

    return asyncio.run(run())


def drops(found: list[Paired]) -> list[Score]:
    scored = [score_pair(each.pair, SCORERS, load().level).scores for each in found if each.pair]
    return [scores["forced_drop"] for scores in scored if "forced_drop" in scores]


def test_the_same_model_drops_nothing(standin: str) -> None:
    found = shadowed(standin, standin, "candidate.mode=both", *EVERY_REPLAY)
    assert [score.value for score in drops(found)] == [pytest.approx(0.0, abs=1e-9)] * 6
    assert all(each.pair and each.pair.generated and each.pair.candidate.text for each in found)


def test_a_healthy_candidate_drops_little_and_a_broken_one_much(standin: str) -> None:
    role, fault = ("--role", "candidate"), ("--fault", "all:wrong_number")
    with running_standin(*role) as candidate, running_standin(*role, *fault) as damaged:
        healthy = drops(shadowed(standin, candidate, "candidate.mode=both", *EVERY_REPLAY))
        broken = drops(shadowed(standin, damaged, "candidate.mode=both", *EVERY_REPLAY))
    assert (len(healthy), len(broken)) == (6, 6)
    assert max(score.value for score in healthy) < 0.12 < min(score.value for score in broken)


def test_mode_generate_forces_nothing(standin: str) -> None:
    found = shadowed(standin, standin, *EVERY_REPLAY)
    assert [each.pair.forced_replay for each in found if each.pair] == [None] * 6
    assert {each.forced_skipped for each in found} == {None}


def test_mode_forced_generates_on_a_share_only(standin: str) -> None:
    settings = ("candidate.mode=forced", "candidate.generated_share=0.5", "replay.share=0")
    found = shadowed(standin, standin, *settings, count=20)
    again = shadowed(standin, standin, *settings, count=20)
    pairs = [each.pair for each in found if each.pair]
    generated = [pair.generated for pair in pairs]
    assert 4 <= sum(generated) <= 16
    assert [bool(pair.candidate.text) for pair in pairs] == generated
    assert generated == [each.pair.generated for each in again if each.pair]


def test_what_is_generated_is_also_replayed(standin: str) -> None:
    settings = ("candidate.mode=forced", "candidate.generated_share=0.2", "replay.share=0.4")
    found = shadowed(standin, standin, *settings, *EVERY_REPLAY[1:2], "replay.concurrency=40", count=40)
    kinds = Counter((each.pair.generated, each.pair.replay is not None) for each in found if each.pair)
    assert set(kinds) == {(True, True), (False, True), (False, False)}


def test_without_a_replay_the_baselines_words_are_scored_and_have_no_drop(standin: str) -> None:
    found = shadowed(
        standin, standin, "candidate.mode=forced", "candidate.generated_share=0", "replay.share=0"
    )
    views = [each.pair.forced for each in found if each.pair]
    assert [(view.of, view.drop_absolute) for view in views if view] == [("baseline", None)] * 6
    assert all(view and view.nll > 0 and view.bits_per_byte for view in views)
    assert all(view and view.engine_seconds is not None for view in views)


def test_a_server_that_cannot_score_is_not_asked_to() -> None:
    settings = ("candidate.mode=forced", "candidate.generated_share=0.5", "replay.share=0")
    with strict_server() as url:
        found = shadowed(url, url, *settings, count=20)
    assert set(Counter(each.skipped for each in found)) == {None, "forced_unavailable"}
    answers = [each.pair.candidate for each in found if each.pair]
    assert {answer.error_type for answer in answers} == {None}
    assert {each.forced_skipped for each in found if each.pair} == {"unavailable"}


def test_refused_logprobs_are_no_errors_of_the_candidate() -> None:
    with strict_server() as url:
        found = shadowed(url, url, "replay.share=0")
    assert [each.pair.candidate.error_type for each in found if each.pair] == [None] * 6
    assert {each.rewrites for each in found} == {("model=strict",)}


def test_an_answer_that_is_not_fit_is_a_counted_reason(standin: str) -> None:
    settings = ("candidate.mode=forced", "candidate.generated_share=0", "replay.share=0")
    (found,) = shadowed(standin, standin, *settings, count=1, answer="on and on and " * 80)
    assert (found.pair, found.skipped) == (None, "forced_degenerate")


@pytest.mark.parametrize(("fault", "reasons"), [("error", {"http_500", "breaker_open"}), ("shed", {"shed"})])
def test_a_leg_that_fails_on_scoring_is_left_in_peace(fault: str, reasons: set[str]) -> None:
    async def forced(leg: Leg) -> str:
        answer = Completion("ab", prompt_token_ids=(1, 2), token_ids=(3, 4))
        try:
            await leg.force(answer, "x", 5, Ask())
        except Refused as refused:
            return refused.reason
        return "scored"

    async def run(url: str) -> list[str]:
        async with Leg("candidate", url, concurrency=2) as leg:
            return [await forced(leg) for _ in range(5)]

    with running_standin("--fault", f"all:{fault}") as url:
        assert set(asyncio.run(run(url))) == reasons


def test_an_answer_that_another_template_wrote_is_not_compared(standin: str) -> None:
    async def run(url: str) -> Pair:
        one = exchanges(1)[0]
        replay = Completion("ab", prompt_token_ids=(9, 9), token_ids=(3, 4), logprobs=(-0.1, -0.1))
        async with Leg("candidate", url, concurrency=2) as leg:
            return await with_forced(Pair(one, Completion(), replay, generated=False), leg, Ask(), 5)

    with pytest.raises(BadInput) as caught:
        asyncio.run(run(standin))
    assert caught.value.reason == "prompt_differs"
