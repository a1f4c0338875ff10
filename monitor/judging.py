"""One paired exchange to segments, baseline health and scores; CPU work, run in threads."""

from __future__ import annotations

from dataclasses import dataclass, field

from monitor import latency
from monitor.config import Config
from monitor.display import UNHEALTHY
from monitor.health import baseline_illness
from monitor.ledger import Entry, Keys
from monitor.pairing import Paired
from monitor.pipeline import Judged
from monitor.records import Exchange, Pair
from monitor.reference import Rules
from monitor.scoring import score_pair
from monitor.segments import segments_of


@dataclass(frozen=True, slots=True)
class Judging:
    """The route's rules."""

    config: Config
    keys: Keys
    rules: Rules = field(default_factory=Rules)

    def judge(self, paired: Paired) -> Judged:
        """Scores of a pair; a skipped exchange only gets its segments."""
        dims = segments_of(paired.exchange, self.config.segments, self.rules.ood)
        if paired.pair is None:
            return Judged(paired, None, dims, None)
        scored = score_pair(paired.pair, self.rules.scorers, self.config.level)
        return Judged(paired, scored, dims, baseline_illness(paired.exchange))

    def entry(self, seq: int, time: float, judged: Judged) -> Entry:
        """The log's entry of a scored pair."""
        exchange, pair = judged.paired.exchange, judged.paired.pair
        if pair is None or judged.scored is None:
            raise ValueError("only scored pairs are logged")
        flags = judged.paired.flags
        if judged.health:
            flags = (*flags, UNHEALTHY + judged.health)
        return Entry(
            seq=seq,
            time=time,
            paired=judged.paired,
            scored=judged.scored,
            dims=judged.dims,
            prompt_key=self.keys.prompt(exchange.request),
            session_key=self.keys.optional("session", exchange.session),
            subject_key=self.subject_key(exchange),
            flags=flags,
            legs=_legs(pair),
        )

    def subject_key(self, exchange: Exchange) -> str | None:
        """Keyed hash of the data subject, for erasure."""
        return self.keys.optional("subject", exchange.subject)


def _legs(pair: Pair) -> tuple[float | None, ...]:
    reported = pair.replay is not None and all(
        arm.server_duration_seconds is not None for arm in (pair.candidate, pair.replay)
    )
    legs = latency.legs(pair, server_side=reported)
    return (*legs["latency"], *legs["ttft"])
