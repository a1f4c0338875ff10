"""Teacher forcing on real vLLM: the same weights in float32 drop nothing."""

from __future__ import annotations

import asyncio

import pytest

from monitor.candidate import Leg
from monitor.capabilities import Abilities, Capabilities
from monitor.capability_probe import probe
from monitor.config_file import load
from monitor.openai_api import parse_request
from monitor.records import Completion, Exchange, Forced
from monitor.shadow import shadow
from tests.real.vllm_server import Server

pytestmark = [pytest.mark.real, pytest.mark.timeout(400)]

ASKED = ("Name three rivers.", "Was ist Schnee?", '{"a": 1} as YAML, please.', "What is 12 + 30?")
FORCED = (
    "candidate.mode=forced",
    "candidate.generated_share=0",
    "replay.share=1",
    "replay.max_share_of_traffic=1",
    # both legs ask one server, whose queue of two is as long as it is when a request arrives
    "candidate.concurrency=1",
    "replay.concurrency=1",
)


def exchanges(model: str) -> list[Exchange]:
    bodies = [
        {"model": model, "messages": [{"role": "user", "content": text}], "max_tokens": 16, "temperature": 0}
        for text in ASKED
    ]
    answer = Completion("Yes.", finish_reason="stop", duration_seconds=20.0)
    return [Exchange(f"x{n}", 1.0, parse_request("chat", body), answer) for n, body in enumerate(bodies)]


def forced(baseline: Server, candidate: Server) -> list[Forced]:
    """The candidate's views of the baseline's second answers; fails with the reason of whichever is missing."""
    config = load(overrides={"candidate.url": candidate.url, "baseline.url": baseline.url}, settings=FORCED)

    async def run() -> list[Forced]:
        found = [paired async for paired in shadow(exchanges(candidate.model), config)]
        reasons = [(each.skipped, each.replay_skipped, each.forced_skipped) for each in found]
        assert reasons == [(None, None, None)] * len(ASKED)
        return [each.pair.forced_replay for each in found if each.pair and each.pair.forced_replay]

    return asyncio.run(run())


def test_vllm_can_do_everything_that_we_probe(vllm_tiny: Server) -> None:
    async def run() -> Capabilities | None:
        async with Leg("candidate", vllm_tiny.url, concurrency=1) as leg:
            return await probe(leg, None, vllm_tiny.model)

    found = asyncio.run(run())
    assert found is not None
    assert found.candidate == Abilities(True, True, True, True, True, True)


def test_the_same_weights_in_float32_drop_nothing(vllm_tiny: Server) -> None:
    views = forced(vllm_tiny, vllm_tiny)
    assert len(views) == len(ASKED)
    assert [view.drop_absolute for view in views] == [pytest.approx(0.0, abs=5e-4)] * len(ASKED)
    assert {view.top1 for view in views} == {1.0}
