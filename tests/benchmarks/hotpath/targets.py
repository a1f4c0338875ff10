"""The targets as a literal table, and how a sample of rounds is held against them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

Rounds = Sequence[Mapping[str, float]]

OURS, OURS_ALL = "tailgate 10 %", "tailgate 100 %"


@dataclass(frozen=True, slots=True)
class Target:
    """`metric` of `ours` (over that of `peer`, where there is one) is at most or at least `limit`."""

    key: str
    text: str
    profile: str
    metric: str
    ours: str
    peer: str | None
    limit: float
    at_least: bool = False


TARGETS = (
    Target("cpu_nginx", "CPU per request, 10 % mirrored, against nginx", "saturation", "cpu_us_per_request", OURS, "nginx", 1.15),
    Target("rps_nginx", "requests/s per core, 10 % mirrored, against nginx", "saturation", "per_second", OURS, "nginx", 0.95, at_least=True),
    Target("rps_nginx_all", "requests/s per core, 100 % mirrored, against nginx", "saturation", "per_second", OURS_ALL, "nginx", 0.6, at_least=True),
    Target("rps_envoy", "requests/s per core, 10 % mirrored, against Envoy", "saturation", "per_second", OURS, "envoy", 3, at_least=True),
    Target("rps_aiohttp", "requests/s per core, 10 % mirrored, against uvicorn+aiohttp", "saturation", "per_second", OURS, "uvicorn+aiohttp", 8, at_least=True),
    Target("rps_litellm", "requests/s per core, 10 % mirrored, against LiteLLM", "saturation", "per_second", OURS, "litellm", 200, at_least=True),
    Target("added_p50_nginx", "added p50 at 200 requests/s, 10 % mirrored, against nginx", "rate", "added_p50_us", OURS, "nginx", 1.1),
    Target("added_chunk_nginx", "added p50 per event, 200 streams, 10 % mirrored, against nginx", "streams", "added_chunk_p50_us", OURS, "nginx", 1.2),
    Target("cpu_chunk_nginx", "CPU per event, 200 streams, 10 % mirrored, against nginx", "streams", "cpu_us_per_chunk", OURS, "nginx", 1.35),
    Target("pss_streams", "PSS of the worker, MB, 200 streams, 100 % mirrored", "streams", "pss_largest_mb", OURS_ALL, None, 60),
    Target("pss_worker", "PSS of one worker at rest, MB", "idle", "pss_largest_mb", "tailgate", None, 25),
    Target("pss_sidecar", "PSS of the whole sidecar at rest (parent and two workers), MB", "idle", "pss_mb", "tailgate", None, 90),
    Target("start", "seconds from start to listening", "idle", "start_seconds", "tailgate", None, 1.0),
    Target("handover", "hand-over in the event loop, p50, µs", "handover", "p50_us", "tailgate", None, 3.0),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """The median over rounds, their range as noise, and whether the target holds (None = not measured)."""

    target: Target
    measured: float | None
    low: float | None = None
    high: float | None = None

    @property
    def passed(self) -> bool | None:
        if self.measured is None:
            return None
        if self.target.at_least:
            return self.measured >= self.target.limit
        return self.measured <= self.target.limit


def judge(target: Target, samples: Mapping[str, Mapping[str, Rounds]]) -> Outcome:
    """Hold the samples against one target; ratios are taken within a round, then their median."""
    by_variant = samples.get(target.profile, {})
    ours = _values(by_variant.get(target.ours, ()), target.metric)
    if target.peer is not None:
        peer = _values(by_variant.get(target.peer, ()), target.metric)
        ours = [mine / theirs for mine, theirs in zip(ours, peer, strict=False) if theirs > 0]
    if not ours:
        return Outcome(target, None)
    return Outcome(target, median(ours), min(ours), max(ours))


def _values(rounds: Rounds, metric: str) -> list[float]:
    return [sample[metric] for sample in rounds if metric in sample]


def summary(rounds: Rounds) -> dict[str, dict[str, float]]:
    """Per metric the median over rounds with its range."""
    names = sorted({name for sample in rounds for name in sample})
    values = {name: _values(rounds, name) for name in names}
    return {n: {"median": median(v), "low": min(v), "high": max(v)} for n, v in values.items()}
