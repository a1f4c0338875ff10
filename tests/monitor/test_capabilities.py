"""What servers can do is found out by asking them, and what they cannot is said."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

import pytest

from monitor.candidate import Leg
from monitor.capabilities import Abilities, Capabilities, capabilities_of, shortcomings, words
from monitor.capability_probe import probe
from monitor.config_file import load
from tests.monitor.loopback import serving
from tests.standin.process import running_standin

EVERYTHING = Abilities(True, True, True, True, True, True)
PLAIN = Abilities(False, False, False, False, False, False)


class _Strict(BaseHTTPRequestHandler):
    """An OpenAI-compatible server that refuses every extension, as some gateways do."""

    def do_GET(self) -> None:
        self._answer(200, {"data": [{"id": "strict"}]} if self.path == "/v1/models" else {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        refused = {"logprobs", "return_token_ids", "prompt_logprobs"} & body.keys()
        if self.path != "/v1/chat/completions" or refused:
            return self._answer(400, {"error": {"message": f"unknown {refused}", "code": 400}})
        choice = {"index": 0, "message": {"role": "assistant", "content": "42"}, "finish_reason": "stop"}
        return self._answer(200, {"model": "strict", "choices": [choice]})

    def _answer(self, status: int, value: object) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_request(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def strict_server() -> Iterator[str]:
    with serving(_Strict) as url:
        yield url


def probed(candidate: str, replay: str) -> Capabilities | None:
    async def run() -> Capabilities | None:
        async with (
            Leg("candidate", candidate, concurrency=2) as one,
            Leg("replay", replay, concurrency=1) as two,
        ):
            identity = await one.identity()
            return await probe(one, two, identity.model if identity else None)

    return asyncio.run(run())


def said(known: Capabilities, *settings: str) -> list[str]:
    return list(shortcomings(load(settings=settings), known))


def test_a_server_in_the_shape_of_vllm_can_do_everything() -> None:
    with running_standin() as url:
        found = probed(url, url)
    assert found == Capabilities(EVERYTHING, Abilities(True, True, None, None, True, True))
    assert found.forcing


def test_a_server_that_refuses_extensions_is_known_to_answer_plainly() -> None:
    with strict_server() as url:
        found = probed(url, url)
    assert found is not None
    assert (found.candidate, found.replay.logprobs, found.forcing) == (PLAIN, False, False)


def test_of_a_server_that_is_down_nothing_is_known() -> None:
    with running_standin() as url:
        gone = url
    assert probed(gone, gone) is None


def test_a_replay_that_is_down_does_not_hold_back_the_candidate() -> None:
    with strict_server() as gone:
        pass
    with running_standin() as url:
        found = probed(url, gone)
    assert found == Capabilities(EVERYTHING, Abilities())


def test_a_failing_server_is_asked_again_later() -> None:
    with running_standin("--fault", "all:shed") as url:
        assert probed(url, url) is None


def test_what_was_not_answered_is_not_settled() -> None:
    assert Capabilities(EVERYTHING, EVERYTHING).settled(replays=True)
    assert Capabilities(PLAIN).settled(replays=False)
    assert not Capabilities(EVERYTHING).settled(replays=True)
    assert not Capabilities().settled(replays=False)


def test_they_survive_the_store() -> None:
    known = Capabilities(EVERYTHING, PLAIN)
    assert capabilities_of(str(known)) == known
    assert capabilities_of("") == Capabilities()


def test_labels_name_what_works() -> None:
    assert words(Abilities(logprobs=True, token_ids=False, tokenize=True)) == "logprobs,tokenize"


def test_what_works_needs_no_words() -> None:
    assert said(Capabilities(EVERYTHING, EVERYTHING), "candidate.mode=both") == []
    assert said(Capabilities(), "candidate.mode=forced") == []


@pytest.mark.parametrize(
    ("known", "settings", "words"),
    [
        (Capabilities(PLAIN), (), "gives no logprobs"),
        (Capabilities(PLAIN), ("candidate.mode=both",), "does not answer prompt_logprobs and tokenize"),
        (Capabilities(PLAIN), ("candidate.mode=forced",), "10 % of pairs) is scored"),
        (Capabilities(EVERYTHING, PLAIN), ("candidate.mode=both",), "no forced_drop"),
        (Capabilities(EVERYTHING), ("candidate.mode=both", "replay.share=0"), "needs replays"),
    ],
)
def test_a_mode_that_cannot_work_is_said(known: Capabilities, settings: tuple[str, ...], words: str) -> None:
    assert words in " ".join(said(known, *settings))
