"""Recorded exchanges against a live candidate: pairs in the order of the recording."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack

from monitor.candidate import Leg
from monitor.capability_probe import probe
from monitor.config import Config
from monitor.config_file import secret
from monitor.errors import ConfigError, Unreachable
from monitor.pairing import Paired, Pairing
from monitor.records import Exchange


def legs_of(config: Config) -> tuple[Leg, Leg | None]:
    """The candidate's leg, and the baseline's for replays (None with `replay.share` 0)."""
    settings, again = config.candidate, config.replay
    if settings.url is None:
        raise ConfigError("candidate.url: is required; --candidate http://host:8000 names it")
    candidate = Leg(
        "candidate",
        settings.url,
        concurrency=settings.concurrency,
        token=secret(settings.token_env, "candidate.token_env"),
        tls=settings.tls,
    )
    if again.share == 0:
        return candidate, None
    replay = Leg(
        "replay",
        again.url or config.baseline.url,
        concurrency=again.concurrency,
        token=secret(config.baseline.token_env, "baseline.token_env"),
        tls=config.baseline.tls,
    )
    return candidate, replay


async def shadow(exchanges: Iterable[Exchange], config: Config) -> AsyncIterator[Paired]:
    """What came of each exchange, in order, `candidate.concurrency` at once.

    Raises Unreachable if the candidate does not answer at all before the first exchange.
    """
    async with AsyncExitStack() as stack:
        candidate, replay = legs_of(config)
        for leg in (candidate, replay):
            if leg is not None:
                await stack.enter_async_context(leg)
        identity = await candidate.identity()
        if identity is None:
            raise Unreachable(f"{config.candidate.url}: the candidate does not answer /v1/models")
        model = config.candidate.model or identity.model
        seen = 0
        pairing = Pairing(config, candidate, replay, lambda: seen, lambda: model)
        pairing.capabilities = await probe(candidate, replay, model) or pairing.capabilities
        window: deque[asyncio.Task[Paired]] = deque()
        for exchange in exchanges:
            seen += 1
            window.append(asyncio.create_task(pairing.pair(exchange)))
            if len(window) >= 2 * config.candidate.concurrency:
                yield await window.popleft()
        while window:
            yield await window.popleft()
