"""What one stand-in is: its role, its speed, its limits and its faults."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from monitor.errors import UsageError
from monitor.standin.faults import Fault
from monitor.standin.probed import Limit


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds to the first token and per further token when idle; `jitter` is their relative spread.

    Both grow with the share of busy slots, as a batch grows (vLLM decodes all of it in one step). With more
    than `above` requests at once every thirtieth takes `tail` times as long: p99 moves, p50 does not.
    """

    first: float = 0.02
    token: float = 0.001
    jitter: float = 0.2
    above: float = math.inf
    tail: float = 1.0


@dataclass(frozen=True, slots=True)
class Settings:
    """One stand-in server."""

    role: str = "baseline"
    model: str = "standin"
    root: str = "standin-weights"
    seed: int = 0
    faults: tuple[Fault, ...] = ()
    boundaries: tuple[Limit, ...] = ()
    """Where abilities end that probes measure."""
    noise: float = 0.0
    """Share of calls whose answer is drawn anew although the request is greedy (batch effects)."""
    latency: Latency = field(default_factory=Latency)
    slots: int = 64
    max_queued: int | None = None
    max_model_len: int = 32768
    stream_interval: int = 4


def parse_latency(text: str) -> Latency:
    """`first=0.05,token=0.01,jitter=0.3`, seconds; UsageError names what is wrong."""
    values: dict[str, float] = {}
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        try:
            values[name] = float(value)
        except ValueError:
            values[name] = -1.0
        if name not in {"first", "token", "jitter", "above", "tail"} or not values[name] >= 0:
            raise UsageError(
                f"--latency {text!r}: expected first=SECONDS,token=SECONDS,jitter=SHARE,above=REQUESTS,tail=FACTOR"
            )
    return Latency(**values)
