"""The failures that a median hides, each from a request at the sidecar to Alertmanager's webhook.

One stand-in fault per failure, at the API level; one Prometheus and Alertmanager for all routes. Each alert
must name the segment and the signal while the median segment of that dimension agrees as the healthy twin's.
"""

from __future__ import annotations

import json
import re
from collections import ChainMap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pytest

from monitor.demo import Plan
from monitor.standin.traffic import traffic
from tests.deploy.tools import DEPLOY
from tests.real.alerting import Alerting, alerting, eventually
from tests.real.routes import raised, sending, targets
from tests.standin.process import running_standin

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.timeout(360),
    # Eight routes are six minutes of CPU: three on two quiet cores, which `make test` has no room for.
    pytest.mark.full,
]

SECONDS = 22.0
RATE = 9.0
STARTING, SENDING = 2, 4
"""Routes at once. Each starts three interpreters, of which two load language models."""
PAGE, TICKET = "TailgateTailSegmentDiverged", "TailgateTicketSegmentDiverged"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A failure: where it is planted, how, and which alerts (name, signal) must name that segment."""

    route: str
    segment: str
    faults: tuple[str, ...]
    alerts: tuple[tuple[str, str], ...]
    share: float = 0.25
    """Of the traffic: as much as a test of seconds needs."""
    rate: float = RATE

    @property
    def names(self) -> set[str]:
        """Segments that an alert may name. All multiple choice and JSON is English, so that seconds of traffic cannot
        tell the task from the language; of two segments with equal pairs `monitor/explain.py` names the language."""
        return {self.segment} | ({"language=en"} if self.segment in {"task=choice", "task=json"} else set())

    @property
    def dimension(self) -> str:
        """Whose median segment must look healthy."""
        return "task" if self.segment == "all" else self.segment.partition("=")[0]


SCENARIOS = (
    Scenario("cliff", "language=sw", ("language=sw:cliff:0.9",), ((PAGE, "script"),)),
    Scenario("residue", "task=choice", ("task=choice:overconfident:0.9",), ((TICKET, "residue"), (PAGE, "answer")), 0.3),
    Scenario("position", "task=choice", ("task=choice:first_option",), ((TICKET, "first_option"), (PAGE, "answer")), 0.3, 12),
    Scenario("load", "all", ("all:slow:0.04",), (("TailgateTailLatencyRegressed", ""),), rate=15),
    Scenario("elicitation", "task=json", ("task=json:wrapped", "language=fr:hedging"), ((PAGE, "format"),), 0.4),
    Scenario("calibration", "task=choice", ("task=choice:overconfident",), ((PAGE, "calibration_gap"),), 0.3),
    Scenario("boundary", "context=4k-8k", ("context=4k-8k:loop",), ((PAGE, "degenerate"),)),
)  # fmt: skip
HEALTHY = Scenario("healthy", "all", (), ())


def reference(folder: Path) -> str:
    """File of what the fine-tune has seen: everything but multiple choice."""
    path = folder / "reference.jsonl"
    seen = (planned.body for planned in islice(traffic(99), 600) if not planned.recipe.startswith("choice"))
    path.write_text("".join(f"{json.dumps(body)}\n" for body in seen))
    return str(path)


def plan_of(scenario: Scenario, baseline: str, seen: str) -> Plan:
    return Plan(
        SECONDS,
        None if scenario.segment == "all" else scenario.segment,
        baseline=baseline,
        route=scenario.route,
        rate=scenario.rate,
        share=scenario.share,
        faults=scenario.faults,
        settings={"ood": {"reference": seen}} if scenario.route == "residue" else {},
    )


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alerting]:
    """Every route after its traffic, a few at a time."""
    folder = tmp_path_factory.mktemp("failures")
    with ExitStack() as stack:
        baseline = stack.enter_context(running_standin("--latency", "first=0.02,token=0.001,jitter=0.2"))
        seen = reference(folder)
        plans = [plan_of(scenario, baseline, seen) for scenario in (HEALTHY, *SCENARIOS)]
        with ThreadPoolExecutor(STARTING) as pool:
            stages = list(pool.map(lambda plan: raised(plan, folder, stack), plans))
        scraped = [targets(stage, plan.route) for stage, plan in zip(stages, plans, strict=True)]
        # Eight pages every two seconds would take both cores.
        with (
            alerting(dict(ChainMap(*scraped)), folder, every="5s") as servers,
            ThreadPoolExecutor(SENDING) as pool,
        ):
            list(pool.map(lambda stage, plan: sending(stage, plan).join(), stages, plans))
            yield servers


each = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.route)


@each
def test_the_alerts_name_the_segment_and_the_signal(routes: Alerting, scenario: Scenario) -> None:
    def named(name: str, signal: str) -> set[str]:
        labels = {"route": scenario.route} | ({"signal": signal} if signal else {})
        return {alert["labels"]["segment"] for alert in routes.inbox.alerts(name, **labels)}

    for name, signal in scenario.alerts:
        assert eventually(lambda n=name, s=signal: bool(named(n, s) & scenario.names), 20), (name, signal)  # type: ignore[misc]


@each
def test_in_the_end_no_other_segment_pages(routes: Alerting, scenario: Scenario) -> None:
    # With `for` at two seconds the whole route may page until the segment itself has pairs enough.
    paging = f'ALERTS{{alertname="{PAGE}",alertstate="firing",route="{scenario.route}"}}'

    def named() -> set[str]:
        return {found["metric"]["segment"] for found in routes.query(paging)}

    assert eventually(lambda: named() <= scenario.names - {"all"}, 20), named()


@each
def test_the_median_segment_agrees_as_in_the_healthy_twin(routes: Alerting, scenario: Scenario) -> None:
    found, healthy = (
        routes.query(f"quantile(0.5, last_over_time(tailgate_segment_agreement_ratio"
                     f'{{route="{route}",dimension="{scenario.dimension}"}}[1m]))')
        for route in (scenario.route, HEALTHY.route)
    )  # fmt: skip
    assert abs(float(found[0]["value"][1]) - float(healthy[0]["value"][1])) <= 0.01


def test_the_healthy_twin_is_silent(routes: Alerting) -> None:
    assert routes.query('last_over_time(tailgate_segment_samples{route="healthy",segment="all"}[1m]) > 150')
    tail = set(re.findall(r"alert: (\w+)", (DEPLOY / "prometheus" / "alerts-tail.yaml").read_text()))
    fired = {alert["labels"]["alertname"] for alert in routes.inbox.alerts(route=HEALTHY.route)}
    # At test timings a young route is starved after seconds, not hours.
    assert fired & tail <= {"TailgateSegmentStarved"}
