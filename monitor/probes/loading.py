"""Sending load, open loop, both arms at the same rates. I/O."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monitor.candidate import Ask, Leg, Refused
from monitor.errors import BadInput, ConfigError, Unreachable
from monitor.openai_api import parse_request
from monitor.probes.draws import Draws
from monitor.probes.load import LoadRow, Shot, arrivals, compared, load_row, with_knee
from monitor.probes.pack import Load
from monitor.probes.words import filler

Target = tuple[Leg, str | None]
"""A server and the model to ask it for."""
_ALONE = 5
"""Requests one after the other, whose median duration turns concurrency into a rate."""


def read_arrivals(path: Path) -> list[float]:
    """Seconds of a trace, JSON Lines `{"t": …}`. Raises ConfigError and Unreachable."""
    try:
        lines = [line for line in path.read_text("utf-8").splitlines() if line.strip()]
    except OSError as error:
        raise Unreachable(f"--arrivals {path}: {error.strerror}") from error
    try:
        return sorted(float(json.loads(line)["t"]) for line in lines)
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f'--arrivals {path}: every line must look like {{"t": 1.5}}: {error}') from error


def _body(load: Load, seed: int, number: object) -> dict[str, Any]:
    """A prompt of its own, so that no prefix cache answers it."""
    text = " ".join(filler(Draws("load", seed, number), load.prompt_tokens))
    prompt = f"Continue this story in your own words.\n\n{text}"
    return {
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": load.output_tokens,
        "temperature": 0,
        "stream": True,
    }


async def _shot(leg: Leg, model: str | None, body: Mapping[str, Any], name: str, deadline: float) -> Shot:
    try:
        answer, _ = await leg.send(parse_request("chat", dict(body)), name, deadline, Ask(model))
    except (Refused, BadInput):
        return Shot(None)
    if answer.error_type is not None:
        return Shot(None)
    between = answer.gaps.mean if answer.gaps else None
    return Shot(answer.duration_seconds, answer.time_to_first_token_seconds, between)


async def alone(leg: Leg, model: str | None, load: Load, seed: int, deadline: float) -> float:
    """Median seconds of a request that is alone. Raises Unreachable where none succeeds."""
    shots = [
        await _shot(leg, model, _body(load, seed, f"alone {i}"), f"alone-{i}", deadline)
        for i in range(_ALONE)
    ]
    durations = sorted(shot.duration for shot in shots if shot.duration is not None)
    if not durations:
        raise Unreachable(f"{leg.url}: no request of the load probe was answered")
    return durations[len(durations) // 2]


async def _level(target: Target, load: Load, due: Sequence[float], seed: int, deadline: float) -> list[Shot]:
    leg, model = target
    started = time.perf_counter()

    async def later(number: int, at: float) -> Shot:
        await asyncio.sleep(max(0.0, at - (time.perf_counter() - started)))
        return await _shot(leg, model, _body(load, seed, number), f"load-{seed}-{number}", deadline)

    return list(await asyncio.gather(*(later(number, at) for number, at in enumerate(due))))


async def measure_load(
    legs: Sequence[Target], load: Load, seed: int, trace: Sequence[float], deadline: float
) -> tuple[LoadRow, ...]:
    """Rows of candidate (first) and baseline at every level; rates come from the last leg, alone.

    The arms are asked one after the other: on shared hardware they would slow each other.
    """
    seconds = await alone(*legs[-1], load, seed, deadline)
    shots: list[list[list[Shot]]] = []
    for leg, model in legs:
        levels = []
        for number, concurrency in enumerate(load.concurrency):
            due = arrivals(load.requests, concurrency / seconds, Draws("arrivals", seed, number), trace)
            levels.append(await _level((leg, model), load, due, seed * 1000 + number, deadline))
        shots.append(levels)
    rows = [
        with_knee(
            [
                load_row(leg.arm, concurrency, concurrency / seconds, level)
                for concurrency, level in zip(load.concurrency, levels, strict=True)
            ]
        )
        for (leg, _), levels in zip(legs, shots, strict=True)
    ]
    own = rows[0] if len(rows) == 1 else compared(rows[0], shots[0], shots[1])
    return (*own, *(row for more in rows[1:] for row in more))
