"""Templates for rollout controllers: three states, sound queries, commands that exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from monitor.cli import COMMANDS, tailgate
from monitor.probes.pack import NAMES
from tests.deploy.chart import check, pods, unrestricted
from tests.deploy.exported import exported
from tests.deploy.promql import problems
from tests.deploy.tools import DEPLOY, output


def document(path: str) -> dict[str, Any]:
    return dict(yaml.safe_load((DEPLOY / path).read_text()))


ARGO = document("argo/analysis-template-prometheus.yaml")["spec"]["metrics"][0]
ARGO_QUERY = ARGO["provider"]["prometheus"]["query"].replace("{{args.route}}", "r")
FLAGGER_QUERY = document("flagger/metric-template.yaml")["spec"]["query"].replace(
    "{{ variables.route }}", "r"
)


@pytest.mark.parametrize("query", [ARGO_QUERY, FLAGGER_QUERY], ids=["argo", "flagger"])
def test_queries_use_only_what_the_code_exports(query: str) -> None:
    assert problems(query, exported()) == []


def promtool_case(state: str | None, diverged: int | None, results: tuple[int, int], path: Path) -> Path:
    """A promtool test: what both queries answer in one state of the route; None = not scraped."""
    states = [] if state is None else ["ok", "diverged", "inconclusive"]
    verdict = "tailgate_route_verdict"
    series = [
        {"series": f'{verdict}{{route="r",{verdict}="{name}"}}', "values": f"{int(name == state)}x5"}
        for name in states
    ]
    if diverged is not None:
        labels = 'route="r",dimension="task",segment="task=chat",signal="answer",level="page",explained="no"'
        series.append({"series": f"tailgate_segment_diverged{{{labels}}}", "values": f"{diverged}x5"})
    checks = [
        {"expr": query, "eval_time": "2m", "exp_samples": [{"labels": "{}", "value": value}]}
        for query, value in zip((ARGO_QUERY, FLAGGER_QUERY), results, strict=True)
    ]
    case = {"interval": "1m", "input_series": series, "promql_expr_test": checks}
    path.write_text(yaml.safe_dump({"rule_files": [], "tests": [case]}))
    return path


@pytest.mark.parametrize(
    ("state", "diverged", "results"),
    [("ok", 0, (0, 0)), ("inconclusive", None, (1, 0)), ("diverged", 1, (2, 1)), (None, None, (1, 0))],
)
def test_both_queries_answer_in_every_state(
    state: str | None, diverged: int | None, results: tuple[int, int], tmp_path: Path
) -> None:
    path = promtool_case(state, diverged, results, tmp_path / "case.yaml")
    assert "SUCCESS" in output("promtool", "test", "rules", path)


def test_argo_maps_ok_and_diverged_and_pauses_on_anything_else() -> None:
    metric = document("argo/analysis-template-web.yaml")["spec"]["metrics"][0]
    assert (
        metric["successCondition"],
        metric["failureCondition"],
    ) == ('result.verdict == "ok"', 'result.verdict == "diverged"')
    assert metric["inconclusiveLimit"] >= metric["count"]
    assert metric["provider"]["web"]["url"].endswith("/gate/argo")


def test_flagger_asks_the_gate_before_each_step() -> None:
    hooks = document("flagger/canary-example.yaml")["spec"]["analysis"]["webhooks"]
    assert {hook["url"] for hook in hooks} == {"http://tailgate-monitor:9870/gate/flagger"}
    assert {"confirm-rollout", "confirm-traffic-increase", "confirm-promotion"} == {
        hook["type"] for hook in hooks
    }


def scripts(workflow: str) -> str:
    """All that a workflow runs in a shell."""
    jobs = document(f"github-actions/{workflow}")["jobs"].values()
    return "\n".join(step["run"] for job in jobs for step in job["steps"] if "run" in step)


def test_the_workflow_runs_commands_that_exist() -> None:
    called = re.findall(r"^ *tailgate (\w+)", scripts("gate.yaml"), re.MULTILINE)
    assert called == ["score", "verdict"]
    assert set(called) <= COMMANDS.keys()


def unknown(words: str) -> list[str]:
    """Options and packs of `tailgate probe` in `words` that it does not have."""
    known = CliRunner().invoke(tailgate, ["probe", "--help"]).output
    options = [option for option in re.findall(r"(?<!\S)--[a-z-]+", words) if option not in known]
    return options + [pack for pack in re.findall(r"--pack ([a-z]+)", words) if pack not in NAMES]


def test_the_probing_workflow_asks_with_options_and_packs_that_exist() -> None:
    words = scripts("probe.yaml")
    assert words.count("tailgate probe") == 2
    assert unknown(words) == []
    assert unknown("--pack telepathy --mind") == ["--mind", "telepathy"]


def test_the_probing_job_asks_with_options_and_a_pack_that_exist() -> None:
    spec = document("argo/probe-job.yaml")["spec"]
    (container,) = spec["metrics"][0]["provider"]["job"]["spec"]["template"]["spec"]["containers"]
    assert container["args"][0] == "probe"
    given = {arg["name"]: arg.get("value", "") for arg in spec["args"]}
    words = re.sub(r"{{args\.(\w+)}}", lambda found: given[found[1]], " ".join(container["args"]))
    assert (unknown(words), "--pack smoke" in words) == ([], True)


def test_the_lakes_job_is_a_valid_restricted_pod_that_calls_options_that_exist() -> None:
    job = document("ducklake/cronjob.yaml")
    check(job)
    ((_, pod),) = pods([job])
    (container,) = pod["containers"]
    known = CliRunner().invoke(tailgate, ["lake", "--help"]).output
    given = [word for word in container["args"] if word.startswith("--")]
    assert (unrestricted(pod), container["args"][0], [word for word in given if word not in known]) == (
        [],
        "lake",
        [],
    )
