"""One paired exchange to what is kept of it: segments, baseline health, scores; CPU work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from monitor import latency
from monitor.config import Config
from monitor.display import UNHEALTHY
from monitor.health import baseline_illness
from monitor.ledger import (
    Keeping,
    Kept,
    Keys,
    Outcome,
    bare,
    confidence,
    forced,
    scored_for_store,
    texts_of,
    token_maker,
)
from monitor.pairing import Paired
from monitor.records import Completion, Exchange, Message, Pair, Request
from monitor.redaction import Cleaning, Token
from monitor.reference import Rules
from monitor.scoring import Scored, score_pair
from monitor.segments import segments_of
from monitor.vault import Vault

_QUESTION = "Quel temps fait-il, and what is the weather like over there tomorrow?"
_WARM_UP = Exchange(
    "warm-up",
    0.0,
    Request("chat", {}, (Message("user", _QUESTION),)),
    Completion(text="Il fait beau, said the man in the street, mañana también."),
)


@dataclass(frozen=True, slots=True)
class Judging:
    """The route's rules."""

    config: Config
    keys: Keys
    rules: Rules = field(default_factory=Rules)
    token: Token = field(init=False)
    vault: Vault = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "token", token_maker(self.keys.secret))
        object.__setattr__(self, "vault", Vault(self.keys.secret))

    def load_models(self) -> None:
        """Score one made-up pair, so that no real one waits for models to load."""
        self.judge(Paired(_WARM_UP, Pair(_WARM_UP, _WARM_UP.baseline)))

    def judge(self, paired: Paired) -> Outcome:
        """Scores of a pair, or why there is none."""
        pair = paired.pair
        if pair is None:
            return self.outcome(paired, None)
        dims = segments_of(paired.exchange, self.config.segments, self.rules.ood)
        scored = score_pair(pair, self.rules.scorers, self.config.level)
        return self.outcome(paired, self.kept(paired, pair, scored, dims))

    @staticmethod
    def outcome(paired: Paired, kept: Kept | None) -> Outcome:
        """The log's account of one exchange."""
        return Outcome(
            id=paired.exchange.id,
            received_at=paired.exchange.received_at,
            kept=kept,
            skipped=paired.skipped,
            sent=paired.sent,
            failed=paired.pair is not None and paired.pair.candidate.error_type is not None,
            replay_skipped=paired.replay_skipped,
            forced_skipped=paired.forced_skipped,
        )

    def kept(self, paired: Paired, pair: Pair, scored: Scored, dims: Mapping[str, str]) -> Kept:
        """What outlives a scored pair."""
        exchange = paired.exchange
        illness = baseline_illness(exchange)
        candidate = pair.candidate if pair.generated else None
        texts, stored, redactions = self._for_store(pair, scored)
        arms = (exchange.baseline, candidate, pair.replay)
        view = pair.forced_replay or pair.forced
        return Kept(
            dims=dims,
            operation=exchange.request.operation,
            collector=exchange.collector,
            inclusion=exchange.inclusion_probability,
            prompt_key=self.keys.prompt(exchange.request),
            session_key=self.keys.optional("session", exchange.session),
            subject_key=self.subject_key(exchange),
            rewrites=paired.rewrites,
            flags=(*paired.flags, UNHEALTHY + illness) if illness else paired.flags,
            legs=_legs(pair),
            baseline=bare(exchange.baseline),
            candidate=candidate and bare(candidate),
            replay=pair.replay and bare(pair.replay),
            confidences=tuple(None if arm is None else confidence(arm) for arm in arms),
            scored=stored,
            texts=texts,
            forced=forced(view),
            prefilled=sum(view.prefilled for view in (pair.forced, pair.forced_replay) if view),
            forced_seconds=view.engine_seconds if view else None,
            redactions=redactions,
        )

    def _for_store(
        self, pair: Pair, scored: Scored
    ) -> tuple[Mapping[str, str | None] | None, Scored, Mapping[str, int] | None]:
        """Texts and scores as far as they may be stored, and what was redacted; None where that failed."""
        cleaning = Cleaning(self.token, self.rules.scanner)
        seal = self.vault.seal if self.config.privacy.seal_text else None
        keeping = Keeping(self.config.store.text, cleaning.clean, seal)
        try:
            return texts_of(pair, keeping), scored_for_store(scored, keeping), dict(cleaning.counts)
        except Exception:  # noqa: BLE001  what cannot be redacted is not stored; the pair keeps its numbers
            return None, scored_for_store(scored, replace(keeping, mode="none")), None

    def subject_key(self, exchange: Exchange) -> str | None:
        """Keyed hash of the data subject, for erasure."""
        return None if exchange.subject is None else self.keys.subject(exchange.subject)


def _legs(pair: Pair) -> tuple[float | None, ...]:
    reported = pair.replay is not None and all(
        arm.server_duration_seconds is not None for arm in (pair.candidate, pair.replay)
    )
    legs = latency.legs(pair, server_side=reported)
    return (*legs["latency"], *legs["ttft"])
