"""What both servers can do for us, and what that means for the configuration. Pure.

A mode that cannot work is degraded with a reason in the verdict, never tried on every request: a
server that refuses `logprobs` or `return_token_ids` answers 400, which would look like a broken
candidate. `capability_probe.py` finds it out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields

import msgspec

from monitor.config import Config


@dataclass(frozen=True, slots=True)
class Abilities:
    """One server's; None = not known (not asked, or it did not answer)."""

    logprobs: bool | None = None
    token_ids: bool | None = None
    tokenize: bool | None = None
    prompt_logprobs: bool | None = None
    request_metrics: bool | None = None
    cached_tokens: bool | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Both legs'."""

    candidate: Abilities = field(default_factory=Abilities)
    replay: Abilities = field(default_factory=Abilities)

    @property
    def forcing(self) -> bool:
        """Whether the candidate can score other arms' answers."""
        return self.candidate.prompt_logprobs is True and self.candidate.tokenize is True

    def settled(self, *, replays: bool) -> bool:
        """Whether everything worth asking for was answered, with yes or no."""
        asked = [self.candidate.logprobs, self.candidate.tokenize, self.candidate.prompt_logprobs]
        return None not in asked and not (replays and self.replay.logprobs is None)

    def __str__(self) -> str:
        return msgspec.json.encode(asdict(self)).decode()


def capabilities_of(text: str) -> Capabilities:
    """The inverse of `str`; nothing known where the text is not one."""
    try:
        return msgspec.json.decode(text, type=Capabilities)
    except msgspec.MsgspecError:
        return Capabilities()


def words(abilities: Abilities) -> str:
    """Names of what works, for labels and logs."""
    return ",".join(f.name for f in fields(abilities) if getattr(abilities, f.name))


def shortcomings(config: Config, known: Capabilities) -> Iterator[str]:
    """One sentence for everything that the configuration asks for and a server does not give."""
    settings = config.candidate
    if settings.logprobs and known.candidate.logprobs is False:
        yield "the candidate gives no logprobs: confidence and calibration signals have nothing to say"
    if settings.mode == "generate":
        return
    lacking = [name for name in ("prompt_logprobs", "tokenize") if getattr(known.candidate, name) is False]
    if lacking:
        yield (
            f"candidate.mode {settings.mode}: the candidate does not answer {' and '.join(lacking)} (vLLM does): "
            f"nothing is teacher-forced{_left_over(config)}"
        )
    elif config.replay.share == 0:
        yield f"candidate.mode {settings.mode}: forced_drop needs replays (replay.share is 0)"
    elif known.replay.logprobs is False or known.replay.token_ids is False:
        yield f"candidate.mode {settings.mode}: the replay gives no logprobs with token ids: no forced_drop"


def _left_over(config: Config) -> str:
    if config.candidate.mode != "forced":
        return ""
    share = 100 * config.candidate.generated_share
    return f"; only the generated share ({share:.0f} % of pairs) is scored, the rest is skipped as forced_unavailable"
