"""Rules, runbooks, notifications: what fires, what it says, and that every name in it exists."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from monitor.cli import tailgate
from tests.deploy.exported import exported
from tests.deploy.promql import problems
from tests.deploy.tools import DEPLOY, output

RULES = sorted((DEPLOY / "prometheus").glob("*.yaml"))
TESTS = sorted((DEPLOY / "prometheus" / "tests").glob("*.yaml"))
HEADINGS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]


def rules(key: str) -> list[dict[str, Any]]:
    """All rules that have `key` (`alert` or `record`)."""
    groups = [group for path in RULES for group in yaml.safe_load(path.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"] if key in rule]


ALERTS = rules("alert")
NAMES = sorted({rule["alert"] for rule in ALERTS})
KNOWN = {**exported(), **{rule["record"]: frozenset({"route"}) for rule in rules("record")}}


def ident(rule: dict[str, Any]) -> str:
    return "-".join(
        [rule.get("alert") or rule["record"], *filter(None, [rule.get("labels", {}).get("long")])]
    )


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.name)
def test_promtool_accepts_the_rules(path: Path) -> None:
    assert "SUCCESS" in output("promtool", "check", "rules", path)


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_alerts_fire_stay_silent_and_name_the_segment(path: Path) -> None:
    assert "SUCCESS" in output("promtool", "test", "rules", path.name, directory=path.parent)


@pytest.mark.parametrize("name", NAMES)
def test_every_alert_has_a_unit_test_in_which_it_fires(name: str) -> None:
    checks = [
        check
        for path in TESTS
        for case in yaml.safe_load(path.read_text())["tests"]
        for check in case.get("promql_expr_test", [])
        if f'"{name}"' in check["expr"]
    ]
    assert any(check["exp_samples"] for check in checks)


@pytest.mark.parametrize("rule", [*ALERTS, *rules("record")], ids=ident)
def test_expressions_use_only_what_the_code_exports(rule: dict[str, Any]) -> None:
    assert problems(rule["expr"], KNOWN) == []


@pytest.mark.parametrize("rule", ALERTS, ids=ident)
def test_queries_in_annotations_use_only_what_the_code_exports(rule: dict[str, Any]) -> None:
    queries = re.findall(r"printf `([^`]+)`", " ".join(rule["annotations"].values()))
    assert [problem for query in queries for problem in problems(query.replace("%q", '"x"'), KNOWN)] == []


@pytest.mark.parametrize("rule", ALERTS, ids=ident)
def test_alerts_carry_severity_component_and_four_annotations(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert rule["labels"]["component"] == "tailgate"
    assert rule["annotations"].keys() >= {"summary", "description", "runbook_url", "dashboard_url"}
    assert "{{" not in rule["annotations"]["summary"]


@pytest.mark.parametrize("rule", ALERTS, ids=ident)
def test_links_lead_to_a_runbook_and_a_dashboard(rule: dict[str, Any]) -> None:
    runbook = rule["annotations"]["runbook_url"]
    assert runbook == f"https://tailgate.example/runbooks/{rule['alert']}.md"
    uids = {json.loads(path.read_text())["uid"] for path in DEPLOY.parent.glob("dashboards/*.json")}
    assert re.split(r"[/?]", rule["annotations"]["dashboard_url"])[4] in uids


def test_runbooks_and_alerts_match_one_to_one() -> None:
    assert sorted(path.stem for path in (DEPLOY / "runbooks").glob("Tailgate*.md")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_runbook_has_its_four_sections(name: str) -> None:
    text = (DEPLOY / "runbooks" / f"{name}.md").read_text()
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS
    assert text.startswith(f"# {name}\n")


def commands() -> list[str]:
    """Every `tailgate …` that runbooks and annotations tell a person to run."""
    books = [path.read_text() for path in (DEPLOY / "runbooks").glob("*.md")]
    found = re.findall(r"`(tailgate [^`\n]+)`|^ *(tailgate .+)$", "\n".join(books), re.MULTILINE)
    told = [rule["annotations"].get("command", "") for rule in ALERTS]
    return sorted({*("".join(pair) for pair in found), *(c for c in told if c.startswith("tailgate "))})


@pytest.mark.parametrize("command", commands())
def test_commands_in_runbooks_exist_with_their_options(command: str) -> None:
    words = [word for word in re.sub(r"\{\{.*?\}\}", "x", command).split()[1:] if not word.startswith("'")]
    names = [words[0], *(words[1:2] if words[0] == "config" else [])]
    shown = CliRunner().invoke(tailgate, [*(name for name in names if name != "--version"), "--help"])
    assert shown.exit_code == 0
    options = [word for word in words if re.fullmatch(r"-c|--[a-z-]+", word)]
    assert [option for option in options if option not in shown.output] == []


def test_alertmanager_accepts_routing_and_inhibitions() -> None:
    assert "SUCCESS" in output("amtool", "check-config", DEPLOY / "alertmanager" / "alertmanager.yaml")


def test_prometheus_accepts_the_example() -> None:
    path = DEPLOY / "prometheus" / "scrape" / "prometheus.yaml"
    assert "SUCCESS" in output("promtool", "check", "config", path)


def test_inhibitions_name_alerts_that_exist() -> None:
    config = yaml.safe_load((DEPLOY / "alertmanager" / "alertmanager.yaml").read_text())
    matchers = [
        m for rule in config["inhibit_rules"] for key, ms in rule.items() if key != "equal" for m in ms
    ]
    patterns = [m.partition('"')[2].rstrip('"') for m in matchers if m.startswith("alertname")]
    unmatched = [p for p in patterns if not any(re.fullmatch(p, name) for name in NAMES)]
    assert (len(patterns), unmatched) == (len(patterns), [])


def rendered(template: str, tmp_path: Path) -> str:
    annotations = {
        "description": "Route r: answer diverged.", "effect": "84%", "interval": "50% to 97%", "pairs": "64",
        "examples": "http://m/api/v1/pairs", "command": "tailgate explain 'language=sw'", "runbook_url": "https://x/y.md",
    }  # fmt: skip
    labels = {
        "alertname": "TailgateTailSegmentDiverged",
        "route": "r",
        "segment": "language=sw",
        "signal": "answer",
    }
    data = {
        "status": "firing", "commonLabels": labels, "commonAnnotations": annotations, "groupLabels": {},
        "alerts": [{"status": "firing", "labels": labels, "annotations": annotations}],
    }  # fmt: skip
    (tmp_path / "data.json").write_text(json.dumps(data))
    return output(
        "amtool", "template", "render", f"--template.data={tmp_path / 'data.json'}",
        f"--template.glob={DEPLOY}/alertmanager/*.tmpl", f"--template.text={{{{ template {template!r} . }}}}".replace("'", '"'),
    )  # fmt: skip


def test_the_title_names_route_and_segment(tmp_path: Path) -> None:
    expected = "[FIRING] TailgateTailSegmentDiverged on r: language=sw (answer)"
    assert expected == rendered("tailgate.title", tmp_path).strip()


def test_the_message_carries_effect_interval_pairs_examples_and_the_next_command(tmp_path: Path) -> None:
    text = rendered("tailgate.text", tmp_path)
    wanted = [
        "language=sw",
        "84%",
        "50% to 97%",
        "n = 64",
        "http://m/api/v1/pairs",
        "tailgate explain 'language=sw'",
    ]
    assert [word for word in wanted if word not in text] == []
