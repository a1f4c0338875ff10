"""A tail that is four times as long above eight requests at once, found over HTTP: level, knee, verdict."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from monitor.cli import tailgate
from monitor.standin.settings import Latency, Settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SECONDS = 0.55
"""Of each answer: a busy machine's hesitations must stay small beside it."""
LIGHT, HEAVY = 7, 24
REQUESTS, SEED = 120, 49
"""The stand-in slows every thirtieth request by its id. The ids of this seed are slowed nine times at the heavy
level and once at the light one, so that few requests are enough."""
HEALTHY = Settings(latency=Latency(first=SECONDS, token=0.0, jitter=0.0), slots=10_000)
PLANTED = Settings(latency=Latency(first=SECONDS, token=0.0, jitter=0.0, above=8, tail=4.0), slots=10_000)
ATTEMPTS, QUIET = 5, 1.75
PACK = f"{{name: load, load: {{concurrency: [{LIGHT}, {HEAVY}], requests: {REQUESTS}, prompt_tokens: 4, output_tokens: 2}}}}"


@pytest.fixture
def rows(start_standin: Callable[[Settings], str], tmp_path: Path) -> dict[str, list[Any]]:
    """Rows of each arm. Measured again where what has no tail, the healthy arm and the light level, shows one: it is
    the machine's."""
    pack, trace = tmp_path / "load.yaml", tmp_path / "even.jsonl"
    pack.write_text(PACK)
    # Evenly spaced arrivals keep the light level below eight at once.
    trace.write_text("".join(f'{{"t": {second}}}\n' for second in range(300)))
    urls = ("--candidate", start_standin(PLANTED), "--baseline", start_standin(HEALTHY))
    asked = ("probe", *urls, "--pack", str(pack), "--arrivals", str(trace), "--seed", str(SEED))
    for _ in range(ATTEMPTS):
        result = CliRunner().invoke(tailgate, [*asked, "--format", "json"], standalone_mode=False)
        found = json.loads(result.stdout)["packs"][0]["load"]
        arms = {arm: [row for row in found if row["arm"] == arm] for arm in ("candidate", "baseline")}
        even = [*arms["baseline"], arms["candidate"][0]]
        if all(row["duration"]["p99"] < QUIET * SECONDS for row in even):
            break
    return arms


def test_the_planted_tail_is_found_above_eight_requests_and_not_below(rows: dict[str, list[Any]]) -> None:
    light, heavy = rows["candidate"]
    assert [row["verdict"] for row in (light, heavy)] == ["ok", "worse"]
    assert (light["knee"], heavy["knee"]) == (False, True)
    assert heavy["duration"]["p99"] > 3 * SECONDS
    assert heavy["duration"]["p50"] < 2 * SECONDS
