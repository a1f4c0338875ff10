"""Which hypothesis each signal's detector tests: from the table of signals and the configuration. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from monitor.config import Config
from monitor.signals import SIGNALS, Level, Null, Signal

# Not a rate but nats per token: int8 costs 0.025, int6 0.083, int5 0.2.
ALLOWANCES = {"forced_drop": 0.12}


@dataclass(frozen=True, slots=True)
class Settings:
    """What changes the meaning of evidence. `levels` holds every signal's effective level;
    `crossed` the dimensions that occur in watched crosses (their segments are parents)."""

    levels: Mapping[str, Level]
    budget_per_week: float = 1.0
    allowed_drop: Mapping[Level, float] = field(default_factory=lambda: {"page": 0.05, "ticket": 0.02})
    crossed: frozenset[str] = frozenset()
    provable: bool = False
    config_hash: str = ""

    @classmethod
    def of(cls, config: Config) -> Settings:
        """The settings that a configuration describes."""
        drop = config.evidence.allowed_drop
        return cls(
            levels={name: config.level(name) for name in SIGNALS},
            budget_per_week=config.evidence.budget_per_week,
            allowed_drop={"page": drop.page, "ticket": drop.ticket},
            crossed=frozenset(dimension for cross in config.crosses for dimension in cross),
            provable=config.evidence.provable,
            config_hash=config.hash,
        )


@dataclass(frozen=True, slots=True)
class Test:
    """How a signal is tested; `bit` names it in de-duplication masks."""

    level: Level
    null: Null
    m: float
    bit: int

    @property
    def two_stream(self) -> bool:
        return self.null in {"flip", "agreement"}

    @property
    def per_conversation(self) -> bool:
        """Whether one turn of one session, rather than one prompt, is the unit that repeats."""
        return self.null in {"agreement", "latency"}


def tests_of(settings: Settings) -> dict[str, Test]:
    """The test of every page and ticket signal."""
    return {
        name: Test(level, signal.null, _null_mean(signal, settings.allowed_drop[level]), 1 << index)
        for index, (name, signal) in enumerate(SIGNALS.items())
        if (level := settings.levels.get(name, "off")) in {"page", "ticket"} and signal.null != "none"
    }


def _null_mean(signal: Signal, allowed: float) -> float:
    if signal.null == "affine":
        return 0.5 + allowed / 2
    if signal.null == "latency":
        return 0.5
    return ALLOWANCES.get(signal.name, allowed)
