"""An exchange becomes a pair: the candidate is asked, on a share the baseline is asked again.

Everything that decides whether a pair exists is decided here, before any answer of the candidate is
seen: saturation, whether it generates, replay share and caps. Refusals are counted by reason, failures are answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from monitor.candidate import Ask, Leg, Refused
from monitor.capabilities import Abilities, Capabilities
from monitor.config import Config
from monitor.errors import BadInput
from monitor.forced_views import with_forced
from monitor.records import Completion, Exchange, Pair
from monitor.sampling import chosen
from monitor.server_load import Load

REPLAY_SALT = b"tailgate-replay"
GENERATE_SALT = b"tailgate-generate"
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
    forced_skipped: str | None = None
    """Why the candidate scored no answer of this pair; None where it did or was not meant to."""


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
        self.watched = False
        """Whether somebody asks for the candidate's identity again once it was lost."""
        self.pressure = Pressure()
        self.capabilities = Capabilities()
        """As last probed; the app replaces it. Nothing is forced before."""

    async def pair(self, exchange: Exchange) -> Paired:
        """Never raises for what the servers do."""
        generates = self._generates(exchange)
        if reason := self._shed() or self._not_forcing(generates=generates):
            return Paired(exchange, skipped=reason)
        refusal = self._replay_refusal(exchange)
        wants_replay = refusal is None
        warming = generates and self.pressure.warm_up > 0
        try:
            (candidate, rewrites), replay = await asyncio.gather(
                self._ask_candidate(exchange) if generates else _no_answer(),
                self._ask_again(exchange) if wants_replay else _nothing(),
            )
        except Refused as refused:
            return Paired(exchange, skipped=refused.reason, sent=True)
        self.pressure.warm_up = max(0, self.pressure.warm_up - int(generates))
        if wants_replay and replay is None:
            refusal = "replay_failed"
        pair, unforced = await self._forced(Pair(exchange, candidate, replay, generated=generates))
        if unforced and not generates:
            return Paired(exchange, skipped=f"forced_{unforced}", sent=True)
        flags = _flags(pair, warming=warming)
        return Paired(
            exchange, pair, None, rewrites, flags, sent=True, replay_skipped=refusal, forced_skipped=unforced
        )

    def warm_up_again(self) -> None:
        """Another candidate answers: flag its first answers."""
        self.pressure.warm_up = WARM_UP

    def _shed(self) -> str | None:
        if self.watched and self._candidate.lost:
            return "candidate_down"
        load, limits = self.pressure.candidate, self._config.candidate
        if load.waiting is not None and load.waiting > limits.max_waiting:
            return "candidate_busy"
        if load.kv_cache is not None and load.kv_cache > limits.max_kv_cache:
            return "candidate_kv_cache_full"
        return None

    def _generates(self, exchange: Exchange) -> bool:
        """Whether the candidate answers itself; mode `forced` lets it on a share, for the other signals."""
        settings = self._config.candidate
        if settings.mode != "forced":
            return True
        # By the replay's own hash, so that answers which are generated are also replayed: a two-stream
        # signal needs both. The provable variant keeps replayed pairs out of x and wants the opposite.
        salt = GENERATE_SALT if self._config.evidence.provable else REPLAY_SALT
        return chosen(exchange.id.encode(), salt, settings.generated_share)

    def _not_forcing(self, *, generates: bool) -> str | None:
        """Why a pair that is only to be forced is none."""
        return None if generates or self.capabilities.forcing else "forced_unavailable"

    async def _forced(self, pair: Pair) -> tuple[Pair, str | None]:
        """The pair with the candidate's view of another arm's answer, or why it has none."""
        if self._config.candidate.mode == "generate":
            return pair, None
        if not self.capabilities.forcing:
            return pair, "unavailable"
        if pair.candidate.error_type is not None:
            return pair, "candidate_failed"
        ask = Ask(model=self._model(), priority=self._config.candidate.priority)
        try:
            return await with_forced(pair, self._candidate, ask, self.deadline(pair.exchange)), None
        except (Refused, BadInput) as skipped:
            return pair, skipped.reason

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
        ask = replace(self._ask(self.capabilities.candidate), model=self._model())
        ask = replace(ask, priority=self._config.candidate.priority)
        return await self._candidate.send(exchange.request, exchange.id, self.deadline(exchange), ask)

    def _ask(self, abilities: Abilities) -> Ask:
        """Logprobs and token ids only of a server that is known to give them: others answer 400."""
        settings = self._config.candidate
        forcing = settings.mode != "generate"
        return Ask(
            logprobs=(settings.logprobs or forcing) and abilities.logprobs is True,
            token_ids=forcing and abilities.token_ids is True,
        )

    async def _ask_again(self, exchange: Exchange) -> Completion | None:
        """The baseline's second answer; None where it failed: a floor is made of answers only."""
        if self._replay is None:
            return None
        self.pressure.replays += 1
        self._replays_waiting += 1
        ask = self._ask(self.capabilities.replay)
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


async def _no_answer() -> tuple[Completion, tuple[str, ...]]:
    return Completion(), ()


def _flags(pair: Pair, *, warming: bool) -> tuple[str, ...]:
    flags = []
    if warming:
        flags.append("warmup")
    if pair.candidate.cached_tokens and not pair.baseline.cached_tokens:
        flags.append("cached")
    return tuple(flags)
