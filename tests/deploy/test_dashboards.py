"""Dashboards: committed as built, every panel explained, every expression sound."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from dashboards.__main__ import FOLDER
from dashboards.build import rendered
from tests.deploy.exported import exported
from tests.deploy.promql import problems

FILES = sorted(rendered())
VARIABLES = {"$route": ".+", "$dimension": ".+", "$segment": ".+", "$__rate_interval": "1m"}


def dashboard(name: str) -> dict[str, Any]:
    return dict(json.loads((FOLDER / name).read_text()))


def panels(name: str) -> list[dict[str, Any]]:
    return [panel for panel in dashboard(name)["panels"] if panel["type"] != "row"]


def filled(expression: str) -> str:
    """The expression as Grafana sends it, all variables at All."""
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    return expression


def expressions(name: str) -> list[str]:
    """Every expression of a dashboard: panels and annotations."""
    notes = [note["expr"] for note in dashboard(name)["annotations"]["list"]]
    return [*(target["expr"] for panel in panels(name) for target in panel["targets"]), *notes]


PANELS = [(name, panel["id"]) for name in FILES for panel in panels(name)]
EXPRESSIONS = [(name, expression) for name in FILES for expression in expressions(name)]


@pytest.mark.parametrize("name", FILES)
def test_the_committed_dashboard_is_what_the_code_makes(name: str) -> None:
    assert rendered()[name] == (FOLDER / name).read_text()


@pytest.mark.parametrize(("name", "number"), PANELS)
def test_a_panel_has_description_unit_and_source(name: str, number: int) -> None:
    (panel,) = (panel for panel in panels(name) if panel["id"] == number)
    assert len(panel["description"]) > 20
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert panel["targets"]


@pytest.mark.parametrize(("name", "expression"), EXPRESSIONS)
def test_expressions_parse_and_use_only_what_the_code_exports(name: str, expression: str) -> None:
    assert problems(filled(expression), exported()) == []


@pytest.mark.parametrize(("name", "expression"), EXPRESSIONS)
def test_no_variable_is_left_unknown(name: str, expression: str) -> None:
    assert re.findall(r"\$\w+", filled(expression)) == []


def _shows_excess(panel: dict[str, Any]) -> bool:
    return any("excess_ratio" in target["expr"] for target in panel["targets"])


def test_every_divergence_panel_draws_the_noise_floor() -> None:
    shown = [panel for name in FILES for panel in panels(name) if _shows_excess(panel)]
    without = [
        panel["title"] for panel in shown if not any("noise_floor" in t["expr"] for t in panel["targets"])
    ]
    assert (len(shown) > 8, without) == (True, [])


def test_median_and_worst_segment_share_a_panel() -> None:
    (panel,) = (p for p in panels("rollout.json") if p["title"] == "Median segment against worst segment")
    legends = [target["legendFormat"] for target in panel["targets"]]
    assert sum("median" in legend for legend in legends) == sum("worst" in legend for legend in legends) == 1


def test_dashboards_have_stable_ids_and_link_to_each_other() -> None:
    found = [dashboard(name) for name in FILES]
    assert {"tailgate-oncall", "tailgate-rollout", "tailgate-model"} == {made["uid"] for made in found}
    assert all(made.get("id") is None and made["editable"] is False for made in found)
    assert all(link["includeVars"] and link["keepTime"] for made in found for link in made["links"])


@pytest.mark.parametrize("name", FILES)
def test_panels_do_not_overlap_and_fill_the_grid(name: str) -> None:
    cells = [
        (x, y)
        for panel in dashboard(name)["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
