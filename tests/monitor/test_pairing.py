"""Asking both legs, against real servers: refusals are counted, failures are answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import TypeVar

import pytest

from monitor.candidate import Ask, Breaker, Leg, Refused
from monitor.config import Config
from monitor.config_file import load
from monitor.openai_api import parse_request
from monitor.pairing import Paired, Pairing
from monitor.records import Completion, Exchange
from monitor.server_load import Load, parse_load
from tests.monitor.loopback import serving
from tests.standin.process import running_standin

T = TypeVar("T")


def exchange(text: str = "What is 12 + 30?", *, stream: bool = False, number: int = 0) -> Exchange:
    body = {"model": "standin", "messages": [{"role": "user", "content": text}], "stream": stream}
    baseline = Completion(text="42", duration_seconds=0.1)
    return Exchange(f"x{number}", 1.0, parse_request("chat", body), baseline)


@contextmanager
def answering(status: int) -> Iterator[str]:
    """A server that says this to everything, to /health too."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.do_GET()

        def log_request(self, *_: object) -> None:
            """Quiet."""

    with serving(Handler) as url:
        yield url


def with_leg(url: str, use: Callable[[Leg], Awaitable[T]]) -> T:
    async def run() -> T:
        async with Leg("candidate", url, concurrency=2) as leg:
            return await use(leg)

    return asyncio.run(run())


def configured(url: str, *settings: str) -> Config:
    return load(overrides={"candidate.url": url, "baseline.url": url}, settings=settings)


def paired(config: Config, url: str, *exchanges: Exchange) -> list[Paired]:
    async def run() -> list[Paired]:
        async with (
            Leg("candidate", url, concurrency=4) as candidate,
            Leg("replay", url, concurrency=1) as replay,
        ):
            pairing = Pairing(config, candidate, replay, lambda: 1000, lambda: None)
            return [await pairing.pair(each) for each in exchanges]

    return asyncio.run(run())


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_comes_back_with_its_timings_and_logprobs(stream: bool) -> None:
    with running_standin() as url:
        answer, rewrites = with_leg(
            url, lambda leg: leg.send(exchange(stream=stream).request, "x", 10, Ask(logprobs=True))
        )
    assert answer.error_type is None
    assert "42" in answer.text
    assert answer.logprobs
    assert answer.duration_seconds is not None
    assert (answer.time_to_first_token_seconds is not None) == stream
    assert "logprobs=true" in rewrites


def test_a_hanging_server_is_a_timeout_with_what_had_arrived() -> None:
    with running_standin("--fault", "all:hang") as url:
        answer, _ = with_leg(url, lambda leg: leg.send(exchange().request, "x", 0.3, Ask()))
    assert answer.error_type == "timeout"
    assert answer.duration_seconds == pytest.approx(0.3, abs=0.25)


def test_a_server_error_is_an_answer() -> None:
    with running_standin("--fault", "all:error") as url:
        answer, _ = with_leg(url, lambda leg: leg.send(exchange().request, "x", 5, Ask()))
    assert answer.error_type == "http_500"


def test_shed_load_is_refused_not_scored() -> None:
    with running_standin("--fault", "all:shed") as url, pytest.raises(Refused) as refused:
        with_leg(url, lambda leg: leg.send(exchange().request, "x", 5, Ask()))
    assert refused.value.reason == "candidate_shed"


def test_an_unknown_model_is_a_misconfiguration() -> None:
    with running_standin() as url, pytest.raises(Refused) as refused:
        with_leg(url, lambda leg: leg.send(exchange().request, "x", 5, Ask(model="nope")))
    assert refused.value.reason == "candidate_misconfigured"


def test_nobody_listening_is_refused_as_down() -> None:
    with running_standin() as url:
        gone = url
    with pytest.raises(Refused) as refused:
        with_leg(gone, lambda leg: leg.send(exchange().request, "x", 5, Ask()))
    assert refused.value.reason == "candidate_down"


def test_identity_names_model_weights_and_version() -> None:
    with running_standin("--root", "weights-7") as url:
        identity = with_leg(url, lambda leg: leg.identity())
    assert identity is not None
    assert (identity.model, identity.root) == ("standin", "weights-7")


def test_load_reads_the_servers_queue() -> None:
    with running_standin() as url:
        assert with_leg(url, lambda leg: leg.load()) == Load(0.0, 0.0)


def test_load_of_a_page_that_is_no_metrics_page_is_unknown() -> None:
    assert parse_load("<html>hello</html>") == Load()


def test_engines_waiting_are_summed_and_the_fullest_cache_counts() -> None:
    page = (
        'vllm:num_requests_waiting{engine="0"} 2\nvllm:num_requests_waiting{engine="1"} 3\n'
        'vllm:kv_cache_usage_perc{engine="0"} 0.2\nvllm:kv_cache_usage_perc{engine="1"} 0.9\n'
    )
    assert parse_load(page) == Load(5.0, 0.9)


def test_a_chosen_share_is_replayed() -> None:
    with running_standin() as url:
        config = configured(url, "replay.share=0.5", "replay.max_share_of_traffic=1")
        found = paired(config, url, *(exchange(number=n) for n in range(20)))
    replays = [each for each in found if each.pair and each.pair.replay]
    assert 4 <= len(replays) <= 16
    assert {each.replay_skipped for each in found} == {None, "not_chosen"}


def test_the_traffic_cap_stops_replays() -> None:
    with running_standin() as url:
        config = configured(url, "replay.share=1", "replay.max_share_of_traffic=0.002")
        found = paired(config, url, *(exchange(number=n) for n in range(5)))
    assert [each.replay_skipped for each in found] == [None, None, *["traffic_cap"] * 3]


def test_the_first_answers_are_flagged_as_warm_up() -> None:
    with running_standin() as url:
        found = paired(
            configured(url, "replay.share=0"),
            url,
            *(exchange(f"What is {n} + 1?", number=n) for n in range(4)),
        )
    assert [each.flags for each in found] == [("warmup",)] * 3 + [()]


def test_a_dead_candidate_is_a_counted_reason_not_a_pair() -> None:
    with running_standin() as url:
        gone = url
    (found,) = paired(configured(gone, "replay.share=0"), gone, exchange())
    assert (found.pair, found.skipped) == (None, "candidate_down")


@pytest.mark.parametrize(
    ("load", "reason"),
    [
        (Load(waiting=3.0), "candidate_busy"),
        (Load(waiting=0.0, kv_cache=0.95), "candidate_kv_cache_full"),
        (Load(), None),
    ],
)
def test_a_loaded_candidate_is_left_in_peace_before_anything_is_asked(load: Load, reason: str | None) -> None:
    async def run(url: str) -> Paired:
        async with Leg("candidate", url, concurrency=2) as leg:
            config = configured(
                url, "replay.share=0", "candidate.max_waiting=2", "candidate.max_kv_cache=0.9"
            )
            pairing = Pairing(config, leg, None, lambda: 1, lambda: None)
            pairing.pressure.candidate = load
            return await pairing.pair(exchange())

    with running_standin() as url:
        found = asyncio.run(run(url))
    assert (found.skipped, found.sent) == (reason, reason is None)


def test_a_lost_candidate_is_asked_nothing_until_it_says_who_it_is() -> None:
    async def run(gone: str, url: str) -> list[str | None]:
        async with Leg("candidate", gone, concurrency=2) as dead, Leg("candidate", url, concurrency=2) as leg:
            pairing = Pairing(configured(url, "replay.share=0"), leg, None, lambda: 1, lambda: None)
            pairing.watched = True
            with pytest.raises(Refused):
                await dead.send(exchange().request, "x", 5, Ask())
            leg.lost = dead.lost
            before = await pairing.pair(exchange())
            await leg.identity()
            return [before.skipped, (await pairing.pair(exchange())).skipped]

    with running_standin() as gone:
        pass
    with running_standin() as url:
        assert asyncio.run(run(gone, url)) == ["candidate_down", None]


def test_priority_is_sent_and_recorded() -> None:
    with running_standin() as url:
        (found,) = paired(configured(url, "replay.share=0", "candidate.priority=7"), url, exchange())
    assert "priority=7" in found.rewrites


@pytest.mark.parametrize("status", [429, 502, 503])
def test_a_gateway_without_a_server_behind_it_says_nothing_about_the_model(status: int) -> None:
    with answering(status) as url, pytest.raises(Refused) as refused:
        with_leg(url, lambda leg: leg.send(exchange().request, "x", 5, Ask()))
    assert refused.value.reason == "candidate_unavailable"


def test_a_server_error_of_an_engine_that_died_is_a_crash() -> None:
    with answering(500) as url, pytest.raises(Refused) as refused:
        with_leg(url, lambda leg: leg.send(exchange().request, "x", 5, Ask()))
    assert refused.value.reason == "candidate_crashed"


def test_the_breaker_lets_one_trial_through_per_pause() -> None:
    breaker = Breaker(failures=2, pause_seconds=5)
    breaker.record(0.0, failed=True)
    breaker.check(0.0)
    breaker.record(0.0, failed=True)
    with pytest.raises(Refused):
        breaker.check(4.9)
    breaker.check(5.1)
    with pytest.raises(Refused):
        breaker.check(5.2)
    breaker.record(6.0, failed=False)
    breaker.check(6.1)
