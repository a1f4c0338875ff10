"""What the three dashboards share: panels, variables, annotations, links.

Classic schema (the widest: Grafana 9 to 13 import it), built with grafana-foundation-sdk 11.6.
Every divergence panel draws the noise floor as a dashed line: a number without its noise is no number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from grafana_foundation_sdk.builders import (
    common,
    dashboard,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common as common_model
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import prometheus as prometheus_model

SOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
TAG = "tailgate"
ROUTE = 'route=~"$route"'
SEGMENT = f'{ROUTE},dimension=~"$dimension",segment=~"$segment"'
FLOOR = "noise floor"

Kind = Literal["lines", "stack", "stat", "table", "states"]
Colour = tuple[float | None, str]


@dataclass(frozen=True, slots=True)
class Query:
    """One expression; `legend` names the series, or the column of a table, whose unit may be its own."""

    expr: str
    legend: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """`unit` is a Grafana unit id; `steps` are thresholds, first one from minus infinity."""

    title: str
    description: str
    unit: str
    queries: tuple[Query, ...]
    kind: Kind = "lines"
    width: int = 8
    height: int = 8
    steps: tuple[Colour, ...] = ((None, "green"),)
    names: tuple[tuple[str, str, str], ...] = ()
    """Value, text and colour of states."""
    hidden: tuple[str, ...] = ()
    """Columns that a table leaves out."""


@dataclass(frozen=True, slots=True)
class Row:
    """A titled row of panels."""

    title: str
    panels: tuple[Panel, ...]


_Drawn = timeseries.Panel | stat.Panel | table.Panel | statetimeline.Panel


def _target(query: Query, ref: str, kind: Kind) -> prometheus.Dataquery:
    target = (
        prometheus.Dataquery().expr(query.expr).ref_id(ref).datasource(SOURCE).legend_format(query.legend)
    )
    if kind == "table":
        return target.instant().format(prometheus_model.PromQueryFormat.TABLE)
    return target.instant() if kind == "stat" else target.range()


def _thresholds(panel: Panel) -> dashboard.ThresholdsConfig:
    steps = [model.Threshold(value=value, color=colour) for value, colour in panel.steps]
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)


def _lines(panel: Panel) -> timeseries.Panel:
    drawn = timeseries.Panel().line_width(1).show_points(common_model.VisibilityMode.NEVER)
    drawn = drawn.legend(
        common.VizLegendOptions()
        .display_mode(common_model.LegendDisplayMode.TABLE)
        .placement(common_model.LegendPlacement.BOTTOM)
        .show_legend(show_legend=True)
        .calcs(["lastNotNull", "max"])
    )
    drawn = drawn.tooltip(
        common.VizTooltipOptions()
        .mode(common_model.TooltipDisplayMode.MULTI)
        .sort(common_model.SortOrder.DESCENDING)
    )
    if panel.kind == "stack":
        drawn = drawn.fill_opacity(30).stacking(
            common.StackingConfig().mode(common_model.StackingMode.NORMAL)
        )
    if len(panel.steps) > 1:
        drawn = drawn.thresholds_style(
            common.GraphThresholdsStyleConfig().mode(common_model.GraphThresholdsStyleMode.DASHED)
        )
    dashed = {"fill": "dash", "dash": [6, 6]}
    return drawn.override_by_regexp(
        f".*{FLOOR}.*",
        [
            model.DynamicConfigValue(id_val="custom.lineStyle", value=dashed),
            model.DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": "text"}),
        ],
    )


def _table(panel: Panel) -> table.Panel:
    drawn = table.Panel().filterable(filterable=True)
    drawn = drawn.with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
    renamed = {f"Value #{chr(65 + index)}": query.legend for index, query in enumerate(panel.queries)}
    hidden = dict.fromkeys(("Time", "instance", "job", *panel.hidden), True)
    options = {"excludeByName": hidden, "renameByName": renamed}
    drawn = drawn.with_transformation(model.DataTransformerConfig(id_val="organize", options=options))
    for query in panel.queries:
        if query.unit:
            drawn = drawn.override_by_name(
                query.legend, [model.DynamicConfigValue(id_val="unit", value=query.unit)]
            )
    return drawn


def _draw(panel: Panel) -> _Drawn:
    match panel.kind:
        case "lines" | "stack":
            return _lines(panel)
        case "stat":
            return stat.Panel().color_mode(common_model.BigValueColorMode.BACKGROUND)
        case "table":
            return _table(panel)
        case "states":
            return statetimeline.Panel().merge_values(merge_values=True).row_height(0.8)


def _named(panel: Panel) -> list[model.ValueMapping]:
    options = {
        value: model.ValueMappingResult(text=text, color=colour, index=index)
        for index, (value, text, colour) in enumerate(panel.names)
    }
    return [model.ValueMap(options=options)] if options else []


def _built(panel: Panel) -> Builder[model.Panel]:
    drawn = (
        _draw(panel)
        .title(panel.title)
        .description(panel.description)
        .datasource(SOURCE)
        .unit(panel.unit)
        .span(panel.width)
        .height(panel.height)
        .thresholds(_thresholds(panel))
        .mappings(_named(panel))
    )
    if len(panel.steps) > 1 and panel.kind in {"stat", "states"}:
        drawn = drawn.color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
    for index, query in enumerate(panel.queries):
        drawn = drawn.with_target(_target(query, chr(65 + index), panel.kind))
    return drawn


def _variable(name: str, label: str, query: str, *, multi: bool) -> dashboard.QueryVariable:
    variable = (
        dashboard.QueryVariable(name)
        .label(label)
        .query({"query": query, "refId": name})
        .datasource(SOURCE)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .multi(multi=multi)
        .include_all(include_all=True)
        .all_value(".+")
    )
    return variable.current(model.VariableOption(text="All", value="$__all", selected=True))


def _variables() -> Sequence[Builder[model.VariableModel]]:
    one = f'dimension=~"$dimension",{ROUTE}'
    return (
        dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"),
        _variable("route", "Route", "label_values(tailgate_route_info, route)", multi=True),
        _variable(
            "dimension",
            "Dimension",
            f"label_values(tailgate_segment_samples{{{ROUTE}}}, dimension)",
            multi=True,
        ),
        _variable(
            "segment", "Segment", f"label_values(tailgate_segment_samples{{{one}}}, segment)", multi=True
        ),
    )


CHANGED = (
    f"count by (route, candidate_root, config_hash) (tailgate_route_info{{{ROUTE}}})"
    f" unless count by (route, candidate_root, config_hash) (tailgate_route_info{{{ROUTE}}} offset 5m)"
)
FLIPPED = f'changes(tailgate_route_verdict{{{ROUTE},tailgate_route_verdict="diverged"}}[5m]) > 0'


def _annotations() -> Sequence[dashboard.AnnotationQuery]:
    return tuple(
        dashboard.AnnotationQuery()
        .name(name)
        .datasource(SOURCE)
        .enable(enable=True)
        .icon_color(colour)
        .expr(expr)
        for name, colour, expr in (
            ("candidate changed", "blue", CHANGED),
            ("verdict flipped", "red", FLIPPED),
        )
    )


def built(uid: str, title: str, description: str, since: str, rows: Sequence[Row]) -> model.Dashboard:
    """The dashboard with its variables, annotations and links to the other two."""
    made = (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([TAG])
        .time(since, "now")
        .refresh("30s")
        .timezone("browser")
        .readonly()
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .link(
            dashboard.DashboardLink("Tailgate")
            .type(model.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .include_vars(include_vars=True)
            .keep_time(keep_time=True)
        )
    )
    for variable in _variables():
        made = made.with_variable(variable)
    for annotation in _annotations():
        made = made.annotation(annotation)
    for row in rows:
        made = made.with_row(dashboard.Row(row.title))
        for panel in row.panels:
            made = made.with_panel(_built(panel))
    return _numbered(made.build())


def _numbered(made: model.Dashboard) -> model.Dashboard:
    """Ids in order: Grafana links to panels by them, and they must not change with the next build."""
    for index, panel in enumerate(made.panels or []):
        panel.id_val = index + 1
    return made
