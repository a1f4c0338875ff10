"""One contract, two servers: every request we send and every field we read, on stand-in and vLLM.

Recorded with vLLM 0.32.0. A failure on vLLM alone means that its API moved; a failure on the
stand-in alone means that the demo and the fast tests no longer stand for it.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from monitor.openai_api import (
    StreamDecoder,
    decode_forced,
    decode_response,
    forced_request,
    operation_of,
    parse_request,
    rewrite,
)
from monitor.records import Completion
from monitor.server_load import parse_load
from tests.real.vllm_server import Server

PATHS = {"chat": "/v1/chat/completions", "text_completion": "/v1/completions", "responses": "/v1/responses"}
ASKED = "I am Mia and I want to spend 7 days in Bristol. What should I plan?"
LONG = "The harbour office keeps a register of every ship. " * 12


@pytest.fixture(params=["standin_server", pytest.param("vllm_tiny", marks=pytest.mark.real)])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


def chat(text: str = ASKED, **fields: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {"model": "as-sent", "messages": messages, "max_tokens": 8, "temperature": 0, **fields}


def text(prompt: str | list[int] = ASKED, **fields: Any) -> dict[str, Any]:
    return {"model": "as-sent", "prompt": prompt, "max_tokens": 8, "temperature": 0, **fields}


def mirrored(server: Server, body: dict[str, Any], **changes: Any) -> Completion:
    """The answer to a request as our client sends it: rewritten, and read by our decoder."""
    request = parse_request(operation_of(body), body)
    wanted = {"logprobs": True, "stream_usage": True, "token_ids": True, "priority": 5} | changes
    sent, _ = rewrite(request, model=server.model, **wanted)
    path, headers = server.url + PATHS[request.operation], {"x-request-id": "abc-1"}
    with httpx.stream("POST", path, json=sent, headers=headers, timeout=60) as response:
        decoder = StreamDecoder(request.operation, response.headers, response.status_code)
        for number, chunk in enumerate(response.iter_raw()):
            decoder.feed(chunk, float(number))
        return decoder.finish()


def raw(server: Server, body: dict[str, Any], path: str = PATHS["chat"]) -> httpx.Response:
    return httpx.post(f"{server.url}{path}", json={**body, "model": server.model}, timeout=60)


def failure(response: httpx.Response) -> str | None:
    found = decode_response("chat", response.headers, response.content, status=response.status_code)
    return found.error_type


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("make", [chat, text])
def test_every_field_of_an_answer_is_read(server: Server, make: Any, stream: bool) -> None:
    answer = mirrored(server, make(stream=stream))
    assert (answer.error_type, answer.status, answer.finish_reason) == (None, 200, "length")
    assert answer.model == server.model
    assert answer.output_tokens == len(answer.token_ids) == len(answer.logprobs) == len(answer.tokens) == 8
    assert answer.input_tokens == len(answer.prompt_token_ids)
    assert max(answer.logprobs) <= 0.0
    assert (answer.response_id or "").startswith(("chatcmpl-abc-1", "cmpl-abc-1"))
    assert (answer.system_fingerprint or "").startswith("vllm-0.32.0")


@pytest.mark.parametrize("stream", [False, True])
def test_the_servers_own_timings_are_read(server: Server, stream: bool) -> None:
    answer = mirrored(server, chat(stream=stream))
    assert answer.server_time_to_first_token_seconds is not None
    assert answer.server_duration_seconds is not None
    assert answer.server_queue_seconds is not None
    assert 0 < answer.server_time_to_first_token_seconds <= answer.server_duration_seconds


@pytest.mark.parametrize("make", [chat, text])
def test_a_streamed_answer_is_the_plain_one(server: Server, make: Any) -> None:
    plain, streamed = mirrored(server, make()), mirrored(server, make(stream=True))
    assert streamed.token_ids == plain.token_ids
    assert streamed.logprobs == pytest.approx(plain.logprobs, abs=1e-3)
    assert streamed.prompt_token_ids == plain.prompt_token_ids
    assert streamed.time_to_first_token_seconds is not None
    assert streamed.gaps is not None


def test_production_gets_nothing_that_it_did_not_ask_for(server: Server) -> None:
    answer = mirrored(server, chat(), logprobs=False, token_ids=False, priority=None)
    assert (answer.logprobs, answer.token_ids, answer.prompt_token_ids) == ((), (), ())


def test_an_answer_is_scored_by_its_ids_with_one_prefill(server: Server) -> None:
    answer = mirrored(server, chat())
    response = raw(server, forced_request(answer, server.model, priority=5), PATHS["text_completion"])
    scores = decode_forced(response.content, answer.token_ids)
    assert [score.logprob for score in scores] == pytest.approx(list(answer.logprobs), abs=1e-3)
    assert min(score.rank for score in scores) >= 1


def test_prompt_scores_are_keyed_by_token_id(server: Server) -> None:
    ids = [111, 112, 113]
    answer = raw(server, text(ids, max_tokens=1, prompt_logprobs=0), PATHS["text_completion"]).json()
    first, *rest = answer["choices"][0]["prompt_logprobs"]
    assert (first, [list(entry) for entry in rest]) == (None, [["112"], ["113"]])
    assert {frozenset(value) for entry in rest for value in entry.values()} == {
        frozenset({"logprob", "rank", "decoded_token"})
    }


def test_scoring_wants_at_least_one_new_token_and_no_stream(server: Server) -> None:
    streamed = raw(server, text(max_tokens=1, prompt_logprobs=1, stream=True), PATHS["text_completion"])
    assert (streamed.status_code, "prompt_logprobs" in streamed.text) == (400, True)


def test_two_choices_need_sampling(server: Server) -> None:
    assert len(raw(server, chat(n=2, temperature=1, seed=7)).json()["choices"]) == 2
    assert raw(server, chat(n=2)).status_code == 400


def test_a_repeated_prompt_comes_from_the_cache(server: Server) -> None:
    mirrored(server, chat(LONG))
    assert (mirrored(server, chat(LONG)).cached_tokens or 0) >= 64


def test_requests_that_do_not_fit_are_not_comparable(server: Server) -> None:
    assert failure(raw(server, chat("Ω " * 4000))) == "context_length"
    assert failure(raw(server, chat(max_tokens=5000))) == "context_length"


def test_bad_requests_are_refused_with_an_error_object(server: Server) -> None:
    url = server.url + PATHS["chat"]
    unknown = httpx.post(url, json={**chat(), "model": "nope"})
    broken = httpx.post(url, content=b"{", headers={"content-type": "application/json"})
    negative = raw(server, chat(temperature=-1))
    assert [failure(each) for each in (unknown, broken, negative)] == ["http_404", "http_400", "http_400"]
    assert unknown.json()["error"]["type"] == "NotFoundError"
    assert set(broken.json()["error"]) == {"message", "type", "param", "code"}


def test_unknown_fields_are_accepted(server: Server) -> None:
    assert raw(server, chat(no_such_field=1, store=False)).status_code == 200


def test_the_request_id_comes_back_as_a_header(server: Server) -> None:
    response = httpx.post(
        server.url + PATHS["chat"], json={**chat(), "model": server.model}, headers={"x-request-id": "abc-2"}
    )
    assert (response.headers["x-request-id"], response.json()["id"]) == ("abc-2", "chatcmpl-abc-2")


def test_tools_are_accepted(server: Server) -> None:
    tool = {
        "type": "function",
        "function": {
            "name": "f",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
    for stream in (False, True):
        assert mirrored(server, chat(tools=[tool], stream=stream)).error_type is None


@pytest.mark.parametrize("stream", [False, True])
def test_the_responses_api_answers(server: Server, stream: bool) -> None:
    answer = mirrored(
        server, {"model": "x", "input": ASKED, "max_output_tokens": 8, "temperature": 0, "stream": stream}
    )
    assert (answer.error_type, answer.finish_reason, answer.output_tokens) == (None, "length", 8)


def test_a_full_queue_sheds_at_once(server: Server) -> None:
    async def burst() -> list[httpx.Response]:
        body = {**chat(max_tokens=200), "model": server.model}
        limits = httpx.Limits(max_connections=24)
        async with httpx.AsyncClient(timeout=60, limits=limits) as client:
            return await asyncio.gather(
                *(client.post(server.url + PATHS["chat"], json=body) for _ in range(24))
            )

    answers = asyncio.run(burst())
    outcomes = {failure(answer) for answer in answers}
    assert outcomes == {None, "shed"}


def test_the_server_says_what_it_is_and_how_busy(server: Server) -> None:
    card = httpx.get(f"{server.url}/v1/models").json()["data"][0]
    assert (card["id"], card["max_model_len"], bool(card["root"])) == (
        server.model,
        server.max_model_len,
        True,
    )
    assert httpx.get(f"{server.url}/version").json() == {"version": "0.32.0"}
    assert httpx.get(f"{server.url}/health").status_code == 200
    load = parse_load(httpx.get(f"{server.url}/metrics").text)
    assert (load.waiting, load.kv_cache is not None) == (0.0, True)


def test_text_survives_tokenizing(server: Server) -> None:
    asked = {"model": server.model, "prompt": "ሰላም, world"}
    counted = httpx.post(f"{server.url}/tokenize", json=asked).json()
    assert counted["count"] == len(counted["tokens"])
    back = httpx.post(f"{server.url}/detokenize", json={"model": server.model, "tokens": counted["tokens"]})
    assert back.json() == {"prompt": "ሰላም, world"}


def keys(value: Any, where: str = "") -> set[str]:
    """Paths of all object keys, list items folded."""
    if isinstance(value, dict):
        return (
            set().union(*({f"{where}.{key}"} | keys(inner, f"{where}.{key}") for key, inner in value.items()))
            if value
            else set()
        )
    return set().union(*(keys(item, where) for item in value)) if isinstance(value, list) and value else set()


@pytest.mark.real
@pytest.mark.parametrize(
    ("path", "body"),
    [
        (PATHS["chat"], chat(logprobs=True, top_logprobs=1, return_token_ids=True)),
        (PATHS["text_completion"], text(logprobs=1, return_token_ids=True)),
        ("/tokenize", {"prompt": "hi", "return_token_strs": True}),
    ],
)
def test_the_stand_in_invents_no_fields(
    standin_server: Server, vllm_tiny: Server, path: str, body: dict[str, Any]
) -> None:
    invented = keys(raw(standin_server, body, path).json()) - keys(raw(vllm_tiny, body, path).json())
    assert {key for key in invented if ".top_logprobs." not in key} == set()
