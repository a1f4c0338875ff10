"""Dashboards as pictures: each panel's queries asked of a real Prometheus, drawn as SVG, photographed in Chromium.

No Grafana can be installed where the tests run (none in PyPI, npm or Debian), so what is drawn here is ours: it
reads the panel's JSON (type, unit, legend, thresholds, mappings, overrides, position) as Grafana's schema defines
it. A picture shows an empty panel, a wrong unit or an unreadable legend; it does not show Grafana's own quirks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import isfinite
from typing import Any

Json = Mapping[str, Any]
Point = tuple[float, float]
COLOURS = ("#7eb26d", "#eab839", "#6ed0e0", "#ef843c", "#e24d42", "#1f78c1", "#ba43a9", "#705da0")
NAMED = {"green": "#37872d", "yellow": "#e0b400", "red": "#c4162a", "blue": "#1f60c4"}
ROW, GAP, LEGENDS = 38, 8, 6
STYLE = """
body { margin: 0; background: #111217; color: #ccccdc; font: 12px 'DejaVu Sans', sans-serif }
main { display: grid; grid-template-columns: repeat(24, 1fr); grid-auto-rows: 30px; gap: 8px; padding: 8px; width: 1580px }
section { background: #181b1f; border: 1px solid #2c3235; padding: 4px 8px; overflow: hidden }
h2 { font-size: 14px; margin: 4px 0 } h3 { font-size: 12px; margin: 0 0 4px } .empty { color: #ff7383 }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: 1px 6px; white-space: nowrap }
.stat { font-size: 28px; padding: 8px; color: white } svg { width: 100%; display: block } small { color: #8e8e9e }
"""


@dataclass(frozen=True, slots=True)
class Series:
    """One series of a panel's answer, with the name that its legend gives it."""

    name: str
    labels: Mapping[str, str]
    points: Sequence[Point]
    target: int


Ask = Callable[[str, bool], list[Json]]
"""Expression and whether over the whole range, to Prometheus' result."""


def answers(panel: Json, ask: Ask, fill: Callable[[str], str]) -> list[Series]:
    """What the panel shows; series without one number are left out, as Grafana draws nothing for them."""
    found = []
    for index, target in enumerate(panel["targets"]):
        ranged = bool(target.get("range"))
        for series in ask(fill(target["expr"]), ranged):
            values = series["values"] if ranged else [series["value"]]
            points = [(float(t), float(v)) for t, v in values if isfinite(float(v))]
            if points:
                found.append(Series(legend(target, series["metric"]), series["metric"], points, index))
    return found


def legend(target: Json, labels: Mapping[str, str]) -> str:
    """The legend format with its labels filled in."""
    form = target.get("legendFormat") or "__auto"
    return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda found: labels.get(found[1], ""), form)


def _seconds(value: float) -> str:
    sizes = ((86_400, "days"), (3_600, "hours"), (60, "mins"), (1, "s"), (1e-3, "ms"), (1e-6, "µs"))
    size, name = next(((size, name) for size, name in sizes if abs(value) >= size), sizes[-1])
    return f"{value / size:.3g} {name}"


# As Grafana's unit ids define them.
UNITS: Mapping[str, Callable[[float], str]] = {
    "percentunit": lambda value: f"{100 * value:.1f} %",
    "s": _seconds,
    "bytes": lambda value: _scaled(value, 1_024, (" B", " KiB", " MiB", " GiB")),
    "reqps": lambda value: f"{_scaled(value, 1_000, ('', ' K', ' Mil'))} req/s",
    "ops": lambda value: f"{_scaled(value, 1_000, ('', ' K', ' Mil'))} ops/s",
    "short": lambda value: _scaled(value, 1_000, ("", " K", " Mil")),
    "none": lambda value: f"{value:.3g}",
}


def shown(value: float, unit: str) -> str:
    """A number with its unit; KeyError for one that the dashboards did not use so far."""
    return UNITS[unit](value)


def _scaled(value: float, step: int, names: Sequence[str]) -> str:
    for name in names[:-1]:
        if abs(value) < step:
            return f"{value:.3g}{name}"
        value /= step
    return f"{value:.3g}{names[-1]}"


def mapped(panel: Json, value: float) -> tuple[str, str]:
    """Words and colour of a value: a mapping first, else the unit and the threshold below it."""
    defaults = panel["fieldConfig"]["defaults"]
    for mapping in defaults.get("mappings") or ():
        if found := mapping["options"].get(f"{value:g}"):
            return found["text"], NAMED[found["color"]]
    steps = defaults.get("thresholds", {}).get("steps") or [{"value": None, "color": "green"}]
    colour = [step["color"] for step in steps if step["value"] is None or value >= step["value"]][-1]
    return shown(value, defaults["unit"]), NAMED[colour]


def drawn(panel: Json, series: Sequence[Series], span: Point) -> str:
    """The panel as HTML at its place in the grid."""
    place = panel["gridPos"]
    style = (
        f"grid-column: {place['x'] + 1} / span {place['w']}; grid-row: {place['y'] + 1} / span {place['h']}"
    )
    if panel["type"] == "row":
        return f'<h2 style="{style}">{escape(panel["title"])}</h2>'
    kinds = {"stat": _stat, "table": _table, "state-timeline": _states, "timeseries": _lines}
    inside = kinds[panel["type"]](panel, series, span) if series else '<p class="empty">No data</p>'
    return f'<section style="{style}"><h3>{escape(panel["title"])}</h3>{inside}</section>'


def _stat(panel: Json, series: Sequence[Series], span: Point) -> str:
    words, colour = mapped(panel, series[-1].points[-1][1])
    return f'<div class="stat" style="background: {colour}">{escape(words)}</div>'


def _columns(panel: Json) -> tuple[dict[int, str], set[str], dict[str, str]]:
    """Column name per target, labels that are hidden, unit per column."""
    (options,) = (t["options"] for t in panel["transformations"] if t["id"] == "organize")
    names = {ord(key[-1]) - 65: name for key, name in options["renameByName"].items()}
    default = panel["fieldConfig"]["defaults"]["unit"]
    units = dict.fromkeys(names.values(), default)
    for override in panel["fieldConfig"].get("overrides") or ():
        for given in override["properties"]:
            if given["id"] == "unit":
                units[override["matcher"]["options"]] = given["value"]
    return names, {name for name, hidden in options["excludeByName"].items() if hidden}, units


def _table(panel: Json, series: Sequence[Series], span: Point) -> str:
    names, hidden, units = _columns(panel)
    rows: dict[tuple[tuple[str, str], ...], dict[str, float]] = {}
    for one in series:
        key = tuple((k, v) for k, v in sorted(one.labels.items()) if k not in hidden and k != "__name__")
        rows.setdefault(key, {})[names[one.target]] = one.points[-1][1]
    labels = sorted({name for key in rows for name, _ in key})
    head = "".join(f"<th>{escape(name)}</th>" for name in (*labels, *names.values()))
    body = "".join(
        "<tr>"
        + "".join(f"<td>{escape(dict(key).get(name, ''))}</td>" for name in labels)
        + "".join(f"<td>{shown(row[n], units[n]) if n in row else ''}</td>" for n in names.values())
        + "</tr>"
        for key, row in list(rows.items())[:40]
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _states(panel: Json, series: Sequence[Series], span: Point) -> str:
    start, end = span
    parts = []
    for row, one in enumerate(series[:12]):
        for (at, value), (until, _) in zip(one.points, [*one.points[1:], (end, 0.0)], strict=True):
            x, width = 1000 * (at - start) / (end - start), 1000 * (until - at) / (end - start) + 1
            parts.append(
                f'<rect x="{x:.0f}" y="{20 * row}" width="{width:.0f}" height="16" fill="{mapped(panel, value)[1]}"/>'
            )
    legends = "".join(
        f"<small>{escape(s.name)}: {escape(mapped(panel, s.points[-1][1])[0])} </small>" for s in series[:12]
    )
    return (
        f'<svg viewBox="0 0 1000 {20 * min(len(series), 12)}" preserveAspectRatio="none" height="{20 * min(len(series), 12)}">'
        + "".join(parts)
        + f"</svg>{legends}"
    )


def _lines(panel: Json, series: Sequence[Series], span: Point) -> str:
    custom = panel["fieldConfig"]["defaults"].get("custom", {})
    lines = [one.points for one in series]
    if custom.get("stacking", {}).get("mode") == "normal":
        lines = _stacked(series)
    top = max(0.0, *(value for points in lines for _, value in points)) or 1.0
    bottom = min(0.0, *(value for points in lines for _, value in points))
    height = max(30, panel["gridPos"]["h"] * ROW - GAP - 72 - 16 * min(len(series), LEGENDS))
    unit = panel["fieldConfig"]["defaults"]["unit"]

    def at(point: Point) -> str:
        x = 4 + 992 * (point[0] - span[0]) / (span[1] - span[0])
        return f"{x:.0f},{4 + (height - 8) * (1 - (point[1] - bottom) / (top - bottom)):.1f}"

    parts = []
    words = []
    for number, (one, points) in enumerate(zip(series, lines, strict=True)):
        floor = "noise floor" in one.name
        colour = "#ccccdc" if floor else COLOURS[number % len(COLOURS)]
        dash = ' stroke-dasharray="6 6"' if floor else ""
        parts.append(
            f'<polyline fill="none" stroke="{colour}"{dash} points="{" ".join(map(at, points))}"'
            ' vector-effect="non-scaling-stroke"/>'
        )
        if number < LEGENDS:
            last = shown(one.points[-1][1], unit)
            words.append(f'<div style="color: {colour}">{escape(one.name)} <small>{last}</small></div>')
    more = f"<small>and {len(series) - LEGENDS} more</small>" if len(series) > LEGENDS else ""
    return (
        f"<small>{shown(top, unit)}</small>"
        f'<svg viewBox="0 0 1000 {height}" preserveAspectRatio="none" height="{height}">{"".join(parts)}</svg>'
        f"<small>{shown(bottom, unit)}</small>{''.join(words)}{more}"
    )


def _stacked(series: Sequence[Series]) -> list[Sequence[Point]]:
    below: dict[float, float] = {}
    lines: list[Sequence[Point]] = []
    for one in series:
        below |= {at: below.get(at, 0.0) + value for at, value in one.points}
        lines.append([(at, below[at]) for at, _ in one.points])
    return lines


def page(dashboard: Json, shown_by: Mapping[int, Sequence[Series]], span: Point) -> str:
    """The dashboard as one HTML page; `shown_by` holds each panel's series by its id."""
    panels = "".join(drawn(panel, shown_by.get(panel["id"], ()), span) for panel in dashboard["panels"])
    title = escape(dashboard["title"])
    return f'<!doctype html><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style><main>{panels}</main>'
