"""Teacher forcing: what is asked, and what is read."""

import json
from typing import Any

import pytest

from monitor.errors import BadInput
from monitor.openai_api import TokenScore, decode_forced, engine_seconds, forced_request
from monitor.records import Completion

# Recorded from vLLM 0.32.0 for three ids.
ENTRIES: list[Any] = [
    None,
    {"111": {"logprob": -13.5, "rank": 215, "decoded_token": "i"}},
    {
        "112": {"logprob": -0.25, "rank": 1, "decoded_token": "j"},
        "7": {"logprob": -2.0, "rank": 2, "decoded_token": "x"},
    },
]


def scored(entries: Any) -> bytes:
    return json.dumps({"choices": [{"index": 0, "text": "", "prompt_logprobs": entries}]}).encode()


def test_the_prompt_is_the_other_arms_ids() -> None:
    body = forced_request(Completion(prompt_token_ids=(1, 2), token_ids=(3,)), "m", priority=9)
    assert (body["prompt"], body["prompt_logprobs"], body["max_tokens"], body["priority"]) == (
        [1, 2, 3],
        0,
        1,
        9,
    )
    assert "priority" not in forced_request(Completion(prompt_token_ids=(1,), token_ids=(3,)), "m")


def test_an_answer_without_ids_cannot_be_scored() -> None:
    with pytest.raises(BadInput) as caught:
        forced_request(Completion(text="x"), "m")
    assert caught.value.reason == "no_token_ids"


def test_only_the_answers_tokens_are_read() -> None:
    assert decode_forced(scored(ENTRIES), [112]) == (TokenScore(-0.25, 1),)
    assert decode_forced(scored(ENTRIES), [111, 112]) == (TokenScore(-13.5, 215), TokenScore(-0.25, 1))


@pytest.mark.parametrize(
    "body", [b"", b"{}", scored(None), scored([]), scored([None]), scored([{"9": {"logprob": 0, "rank": 1}}])]
)
def test_a_server_that_did_not_score_says_so(body: bytes) -> None:
    with pytest.raises(BadInput) as caught:
        decode_forced(body, [112])
    assert caught.value.reason == "no_prompt_logprobs"


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ({"time_to_first_token_ms": 240.0, "generation_time_ms": 10.0, "queue_time_ms": 900.0}, 0.25),
        ({"time_to_first_token_ms": 240.0}, None),
        (None, None),
    ],
)
def test_seconds_in_the_engine_leave_its_queue_out(metrics: Any, expected: float | None) -> None:
    assert engine_seconds(json.dumps({"choices": [], "metrics": metrics}).encode()) == expected


@pytest.mark.parametrize("body", [b"", b"[]", b'{"metrics": 3}'])
def test_a_body_without_timings_has_no_seconds(body: bytes) -> None:
    assert engine_seconds(body) is None
