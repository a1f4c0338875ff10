"""An exchange becomes a pair: the candidate is asked, on a share the baseline is asked again.

Everything that decides whether a pair exists is decided here, before any answer of the candidate is
seen: saturation, replay share and caps. Refusals are counted by reason, failures are answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from monitor.candidate import Ask, Leg, Load, Refused
from monitor.config import Config
from monitor.records import Completion, Exchange, Pair
from monitor.sampling import chosen

REPLAY_SALT = b"tailgate-replay"
# The first answers after a start load weights, caches and compiled kernels; their latency is not
# the candidate's (argoproj/argo-rollouts#2890; first logprobs request of vLLM: 6 to 54 s).
WARM_UP = 3


@dataclass(frozen=True, slots=True)
class Paired:
    """What came of one exchange: a pair with its flags, or the reason why there is none."""

    exchange: Exchange
    pair: Pair | None = None
    skipped: str | None = None
    rewrites: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    sent: bool = False
    replay_skipped: str | None = None


@dataclass(slots=True)
class Pressure:
    """Both servers' load as last seen, and how much of production was replayed so far."""

    candidate: Load = field(default_factory=Load)
    baseline: Load = field(default_factory=Load)
    replays: int = 0
    warm_up: int = WARM_UP


class Pairing:
    """Asks both legs. `eligible` returns how many production requests were seen (the replay cap)."""

    def __init__(
        self,
        config: Config,
        candidate: Leg,
        replay: Leg | None,
        eligible: Callable[[], int],
        model: Callable[[], str | None],
    ) -> None:
        self._config = config
        self._candidate = candidate
        self._replay = replay
        self._eligible = eligible
        self._model = model
        self._replays_waiting = 0
        self.pressure = Pressure()

    async def pair(self, exchange: Exchange) -> Paired:
        """Never raises for what the servers do."""
        if reason := self._shed():
            return Paired(exchange, skipped=reason)
        refusal = self._replay_refusal(exchange)
        wants_replay = refusal is None
        warming = self.pressure.warm_up > 0
        try:
            (candidate, rewrites), replay = await asyncio.gather(
                self._ask_candidate(exchange), self._ask_again(exchange) if wants_replay else _nothing()
            )
        except Refused as refused:
            return Paired(exchange, skipped=refused.reason, sent=True)
        self.pressure.warm_up = max(0, self.pressure.warm_up - 1)
        if wants_replay and replay is None:
            refusal = "replay_failed"
        pair = Pair(exchange, candidate, replay)
        flags = _flags(pair, warming=warming)
        return Paired(exchange, pair, None, rewrites, flags, sent=True, replay_skipped=refusal)

    def warm_up_again(self) -> None:
        """Another candidate answers: flag its first answers."""
        self.pressure.warm_up = WARM_UP

    def _shed(self) -> str | None:
        load, limits = self.pressure.candidate, self._config.candidate
        if load.waiting is not None and load.waiting > limits.max_waiting:
            return "candidate_busy"
        if load.kv_cache is not None and load.kv_cache > limits.max_kv_cache:
            return "candidate_kv_cache_full"
        return None

    def _replay_refusal(self, exchange: Exchange) -> str | None:
        """Why this exchange is not replayed; None = it is."""
        settings = self._config.replay
        if self._replay is None or settings.share == 0:
            return "off"
        if not chosen(exchange.id.encode(), REPLAY_SALT, settings.share):
            return "not_chosen"
        if self.pressure.replays >= settings.max_share_of_traffic * max(1, self._eligible()):
            return "traffic_cap"
        if (self.pressure.baseline.waiting or 0) > 0:
            return "baseline_busy"
        if self._replays_waiting >= 4 * settings.concurrency:
            return "replay_busy"
        return None

    def deadline(self, exchange: Exchange) -> float:
        """Seconds that a leg gets: generous enough to lose and be seen losing."""
        limits = self._config.candidate
        duration = exchange.baseline.duration_seconds or 0.0
        return max(limits.deadline_floor_seconds, limits.deadline_factor * duration)

    async def _ask_candidate(self, exchange: Exchange) -> tuple[Completion, tuple[str, ...]]:
        settings = self._config.candidate
        ask = Ask(model=self._model(), logprobs=settings.logprobs, priority=settings.priority)
        return await self._candidate.send(exchange.request, exchange.id, self.deadline(exchange), ask)

    async def _ask_again(self, exchange: Exchange) -> Completion | None:
        """The baseline's second answer; None where it failed: a floor is made of answers only."""
        if self._replay is None:
            return None
        self.pressure.replays += 1
        self._replays_waiting += 1
        ask = Ask(logprobs=self._config.candidate.logprobs)
        try:
            completion, _ = await self._replay.send(
                exchange.request, exchange.id, self.deadline(exchange), ask
            )
        except Refused:
            return None
        finally:
            self._replays_waiting -= 1
        return None if completion.error_type else completion


async def _nothing() -> None:
    return None


def _flags(pair: Pair, *, warming: bool) -> tuple[str, ...]:
    flags = []
    if warming:
        flags.append("warmup")
    if pair.candidate.cached_tokens and not pair.baseline.cached_tokens:
        flags.append("cached")
    return tuple(flags)
