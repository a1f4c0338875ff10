"""The candidate's view of another arm's words: what is asked for it, and what is made of it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config import Config
from monitor.errors import BadInput
from monitor.forcing import MAX_TOKENS, forced_view, sampled_logprobs, unfit
from monitor.openai_api import TokenScore, decode_token_ids, parse_request, tokenize_prompt
from monitor.records import Completion, Forced, Pair
from monitor.scorers import SCORERS
from monitor.scorers.forced import forced_drop
from monitor.scoring import score_pair
from tests.monitor.made import exchange

ANSWER = Completion("ab", prompt_token_ids=(1, 2), token_ids=(3, 4), logprobs=(-0.1, -0.2))
SEEN = (TokenScore(-0.3, 1), TokenScore(-0.1, 2))
logprobs = st.lists(st.floats(-30, 0), min_size=1, max_size=20)


def view(own: list[float], other: list[float]) -> Forced:
    answer = replace(ANSWER, token_ids=tuple(range(len(own))), logprobs=tuple(own))
    return forced_view(answer, [TokenScore(value, 1) for value in other], "replay")


def pair(forced: Forced | None = None, *, generated: bool = True) -> Pair:
    made = exchange(answer="an answer")
    candidate = made.baseline if generated else Completion()
    return Pair(made, candidate, made.baseline, forced_replay=forced, generated=generated)


def test_a_view_is_summarised_per_token() -> None:
    found = forced_view(ANSWER, SEEN, "replay")
    assert (found.tokens, found.prefilled, found.top1, found.of) == (2, 4, 0.5, "replay")
    assert (found.nll, found.drop_mean, found.drop_absolute) == pytest.approx((0.2, 0.05, 0.15))
    assert found.drop_largest == pytest.approx(0.2)
    assert found.drop_position == 0


def test_bits_per_byte_count_the_answers_bytes() -> None:
    found = forced_view(replace(ANSWER, text="é"), SEEN, "baseline")
    assert found.bits_per_byte == pytest.approx(0.4 / math.log(2) / 2)


def test_without_the_writers_logprobs_there_is_no_drop() -> None:
    found = forced_view(replace(ANSWER, logprobs=()), SEEN, "baseline")
    assert (found.drop_mean, found.drop_absolute, found.drop_largest) == (None, None, None)


@given(logprobs)
def test_the_same_model_drops_nothing(own: list[float]) -> None:
    found = view(own, own)
    assert (found.drop_mean, found.drop_absolute, found.drop_largest) == (0.0, 0.0, 0.0)


@given(st.lists(st.tuples(st.floats(-30, 0), st.floats(-30, 0)), min_size=1, max_size=20))
def test_the_mean_lies_between_its_bounds(values: list[tuple[float, float]]) -> None:
    found = view([one for one, _ in values], [other for _, other in values])
    assert found.drop_mean is not None
    assert found.drop_absolute is not None
    assert abs(found.drop_mean) <= found.drop_absolute + 1e-12
    assert found.drop_mean <= (found.drop_largest or 0.0) + 1e-12


def test_an_impossible_token_does_not_drown_the_mean() -> None:
    assert view([-0.1, -0.1], [-9999.0, -0.1]).drop_absolute == pytest.approx(99.9 / 2)


@pytest.mark.parametrize("broken", [{"logprobs": (-0.1,)}, {"logprobs": (math.nan, -0.1)}, {"token_ids": ()}])
def test_a_drop_needs_the_logprob_of_every_token(broken: dict[str, tuple[float, ...]]) -> None:
    assert sampled_logprobs(ANSWER)
    assert not sampled_logprobs(replace(ANSWER, **broken))  # type: ignore[arg-type]  # one field of three types


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (ANSWER, None),
        (replace(ANSWER, error_type="timeout"), "answer_failed"),
        (replace(ANSWER, token_ids=()), "no_token_ids"),
        (replace(ANSWER, prompt_token_ids=(0, 1, 2)), "prompt_differs"),
        (replace(ANSWER, token_ids=(7,) * MAX_TOKENS), "too_long"),
        (replace(ANSWER, text="over and over again " * 60), "degenerate"),
    ],
)
def test_what_is_unfit_for_scoring_has_a_reason(answer: Completion, reason: str | None) -> None:
    assert reason == unfit(answer, (1, 2))


def test_the_prompt_is_rendered_with_what_shapes_it() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    body = {
        "messages": [{"role": "user", "content": "hi"}],
        "tools": tools,
        "temperature": 1,
        "max_tokens": 5,
    }
    asked = tokenize_prompt(parse_request("chat", body), "m")
    assert {"model": "m", "messages": body["messages"], "tools": tools} == asked


@pytest.mark.parametrize(
    "body",
    [
        {"prompt": [1, 2, 3]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
    ],
)
def test_what_has_no_text_is_not_rendered(body: dict[str, object]) -> None:
    request = parse_request("chat" if "messages" in body else "text_completion", body)
    with pytest.raises(BadInput) as caught:
        tokenize_prompt(request, "m")
    assert caught.value.reason == "not_renderable"


def test_an_answer_without_ids_is_no_tokenization() -> None:
    assert decode_token_ids(b'{"count": 2, "tokens": [5, 6]}') == (5, 6)
    with pytest.raises(BadInput):
        decode_token_ids(b'{"detail": "Not Found"}')


def test_the_score_is_the_mean_absolute_drop_in_nats() -> None:
    score = forced_drop(pair(view([-0.1, -0.2], [-0.3, -0.1])))
    assert score is not None
    assert [score.value, score.candidate] == pytest.approx([0.15, 0.15])
    assert score.explanation == "0.15 nats per token over 2 tokens, largest drop 0.2 at token 0"


def test_a_score_never_exceeds_one() -> None:
    score = forced_drop(pair(view([0.0], [-5.0])))
    assert score is not None
    assert (score.value, score.candidate) == (1.0, 5.0)


def test_without_a_drop_there_is_no_score() -> None:
    assert forced_drop(pair()) is None
    assert forced_drop(pair(forced_view(replace(ANSWER, logprobs=()), SEEN, "replay"))) is None


def test_the_drop_belongs_to_the_pair_and_not_to_its_reference() -> None:
    scored = score_pair(pair(view([-0.1], [-0.4])), SCORERS, Config().level)
    assert "forced_drop" in scored.scores
    assert "forced_drop" not in scored.references


def test_a_candidate_that_did_not_answer_gets_no_score_of_an_answer() -> None:
    scored = score_pair(pair(view([-0.1], [-0.4]), generated=False), SCORERS, Config().level)
    assert (list(scored.scores), scored.references) == (["forced_drop"], {})
