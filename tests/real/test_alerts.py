"""From a planted regression to the pager, through real Prometheus and Alertmanager; the healthy twin is silent.

Alerts on Tailgate itself are in `test_alerts_on_tailgate.py`.

The tests of the faulty route run in order: each leaves the route as the next one needs it. Once its traffic has
ended they mostly wait, and the traffic of the ill route runs meanwhile.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from monitor.demo import Plan
from tests.deploy.test_dashboards import EXPRESSIONS, filled
from tests.real.alerting import eventually
from tests.real.photographs import draw
from tests.real.routes import Route, another_candidate, end, running_route
from tests.standin.process import TAILGATE

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(240)]

PLANTED = "language=sw"
SECONDS = 45.0
# A minute without vLLM, failures, secrets, a week of history or skipped exchanges (all are sampled).
EMPTY = (
    "vllm:",
    "ALERTS{",
    "tailgate_scorer_failures_total",
    "tailgate_redactions_total",
    "offset 7d",
    'result="unscored"',
    "tailgate_exchanges_skipped_total",
)
# A change of verdict may come before the first scrape, which sees no change then.
MAYBE_EMPTY = ("changes(",)
EMPTY_PANELS = {
    "vLLM queue", "vLLM KV cache", "Scorer failures", "Unscored pairs", "Not scored, by reason",
}  # fmt: skip


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Route]:
    with running_route(Plan(seconds=SECONDS, planted=PLANTED), tmp_path_factory.mktemp("faulty")) as route:
        yield route


ILL = (
    "task=json:wrapped", "task=code:broken_code", "task=tools:tool_missing", "task=math:loop", "language=de:refusal",
    "language=fr:other_language", "language=sw:truncated", "task=chat:error:0.45",
)  # fmt: skip


@pytest.fixture(scope="module")
def ill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Route]:
    """A candidate with a fault of every family."""
    # The plan's segment only gets more traffic. The refusals are told after fifty seconds where nothing else runs.
    plan = Plan(seconds=70, planted="task=tools", faults=ILL)
    with running_route(plan, tmp_path_factory.mktemp("ill")) as route:
        yield route


def test_a_planted_regression_pages_within_a_minute(faulty: Route) -> None:
    alert = faulty.alerting.inbox.await_alert("TailgateTailSegmentDiverged", 60)
    seconds = time.monotonic() - faulty.started
    print(f"from the first request to the page: {seconds:.1f} s")
    assert (alert["labels"]["segment"], seconds < 60) == (PLANTED, True)


def test_the_page_carries_numbers_and_the_next_command(faulty: Route) -> None:
    note = faulty.alerting.inbox.alerts("TailgateTailSegmentDiverged", receiver="page")[0]["annotations"]
    assert "unknown" not in note["effect"] + note["interval"] + note["pairs"]
    answer = httpx.get(note["examples"], timeout=10).json()
    assert answer["pairs"]
    done = subprocess.run([TAILGATE, *shlex.split(note["command"])[1:]], capture_output=True, check=False)
    assert done.returncode in {0, 1}, done.stderr


def test_every_dashboard_expression_returns_data(faulty: Route) -> None:
    faulty.traffic.join(90)

    def returns(expression: str) -> bool:
        # A scrape that a busy machine answers late leaves a hole of one interval.
        return eventually(lambda: bool(faulty.alerting.query(filled(expression))), 10)

    wanted = [(name, e) for name, e in EXPRESSIONS if not any(word in e for word in EMPTY + MAYBE_EMPTY)]
    assert [(name, expression) for name, expression in wanted if not returns(expression)] == []


def test_no_panel_of_the_drawn_dashboards_is_empty(faulty: Route, tmp_path: Path) -> None:
    folder = Path(os.environ.get("TAILGATE_PICTURES", tmp_path))
    assert draw(faulty.alerting.prometheus, 60, folder) == EMPTY_PANELS


def test_the_page_names_exactly_the_planted_segment(faulty: Route) -> None:
    named = {a["labels"]["segment"] for a in faulty.alerting.inbox.alerts("TailgateTailSegmentDiverged")}
    assert {PLANTED} == named


def test_what_is_known_to_be_empty_is_empty(faulty: Route) -> None:
    def empty(word: str) -> bool:
        found = [filled(expression) for _, expression in EXPRESSIONS if word in expression]
        return any(not faulty.alerting.query(expression) for expression in found)

    assert [word for word in EMPTY if word != "ALERTS{" and not empty(word)] == []


@pytest.mark.usefixtures("ill")
def test_a_dead_candidate_has_its_own_alert_and_divergence_is_inhibited(faulty: Route) -> None:
    end(faulty.stage, "candidate")
    faulty.alerting.inbox.await_alert("TailgateCandidateDown", 40)
    assert eventually(
        lambda: set(faulty.alerting.states("TailgateTailSegmentDiverged")) == {"suppressed"}, 20
    )


def test_a_repaired_candidate_resolves_both(faulty: Route) -> None:
    another_candidate(faulty.stage, "--root", "repaired-weights")
    faulty.alerting.inbox.await_alert("TailgateCandidateDown", 90, "resolved")
    faulty.alerting.inbox.await_alert("TailgateTailSegmentDiverged", 90, "resolved")


def test_a_forgotten_kill_switch_is_told(faulty: Route) -> None:
    httpx.put(f"{faulty.stage.urls['sidecar']}/-/sampling", json={"fraction": 0}).raise_for_status()
    faulty.alerting.inbox.await_alert("TailgateMirroringOff", 30)


def test_a_failed_reload_is_told(faulty: Route) -> None:
    (faulty.stage.directory / "tailgate.yaml").write_text("nonsense: 1\n")
    httpx.post(f"{faulty.stage.urls['monitor']}/-/reload", json={})
    faulty.alerting.inbox.await_alert("TailgateConfigReloadFailed", 30)


def test_an_unreachable_baseline_is_told(faulty: Route) -> None:
    end(faulty.stage, "baseline")
    deadline = time.monotonic() + 30
    while not faulty.alerting.inbox.alerts("TailgateUpstreamErrors") and time.monotonic() < deadline:
        with httpx.Client(timeout=5) as client:
            try:
                client.post(f"{faulty.stage.urls['clients']}/v1/chat/completions", json={"messages": []})
            except httpx.HTTPError:
                time.sleep(0.1)
    faulty.alerting.inbox.await_alert("TailgateUpstreamErrors", 5)


@pytest.mark.parametrize(
    ("process", "alert"), [("sidecar", "TailgateSidecarAbsent"), ("monitor", "TailgateAbsent")]
)
def test_a_missing_process_is_told(faulty: Route, process: str, alert: str) -> None:
    faulty.stage.processes[process].terminate()
    faulty.alerting.inbox.await_alert(alert, 40)


@pytest.mark.parametrize(
    "name",
    [
        "TailgateTailSegmentDiverged", "TailgateTicketSegmentDiverged", "TailgateDivergenceBudgetBurn",
        "TailgateDegenerateOutput", "TailgateOutputLengthShift", "TailgateRefusalShift", "TailgateLanguageDrift",
        "TailgateFormatDrift", "TailgateToolCallDrift", "TailgateCandidateErrors",
    ],
)  # fmt: skip
def test_each_family_of_faults_fires_its_alert(ill: Route, name: str) -> None:
    fired = f'max_over_time(ALERTS{{alertname="{name}",alertstate="firing"}}[3m])'
    assert eventually(lambda: bool(ill.alerting.query(fired)), 90)


def test_a_missing_monitor_is_told(ill: Route) -> None:
    end(ill.stage, "monitor")
    ill.alerting.inbox.await_alert("TailgateMonitorAbsent", 40)


def test_the_healthy_twin_is_silent(tmp_path: Path) -> None:
    with running_route(Plan(seconds=SECONDS, planted=None), tmp_path) as route:
        route.traffic.join(SECONDS + 45)
        time.sleep(3)
        assert route.alerting.query('tailgate_segment_samples{segment="all"} > 300')
        # At test timings a young route is starved after seconds, not hours.
        assert route.alerting.inbox.names() <= {"TailgateSegmentStarved"}
