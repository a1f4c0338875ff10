"""A `Report` as HTML (one self-contained file), Markdown and JSON. Pure but for the package's templates."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from importlib.resources import files
from math import isfinite
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from monitor import plots
from monitor.inert import in_markdown, inert, shortened
from monitor.report.lines import worst_lines
from monitor.report.model import Case, Line, Report
from monitor.signals import SIGNALS
from monitor.summary import HINTS, STAGES
from monitor.worddiff import Side, side_by_side

MOST_LINES = 400
FEWEST_SHOWN = 24


def to_json(report: Report) -> dict[str, Any]:
    """The report as plain data (`report.schema.json`); numbers that do not exist are null."""
    plain: dict[str, Any] = _finite(asdict(report))
    return plain


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value


@cache
def schema() -> Mapping[str, Any]:
    """The shipped JSON schema of `to_json`."""
    loaded: Mapping[str, Any] = json.loads(
        (files("monitor.report") / "report.schema.json").read_text("utf-8")
    )
    return loaded


def as_text(report: Report) -> str:
    """JSON text."""
    return json.dumps(to_json(report), indent=1) + "\n"


def as_html(report: Report) -> str:
    """One file: no script, nothing from elsewhere, light and dark, printable."""
    return _environment(escaping=True).get_template("report.html").render(**_values(report))


def as_markdown(report: Report) -> str:
    """For a pull request or an issue: the tables, without plots and texts."""
    return _environment(escaping=False).get_template("report.md").render(**_values(report)) + "\n"


def _values(report: Report) -> dict[str, object]:
    unsure, judged = _parted(report)
    return {
        "report": report,
        "judged": judged[:MOST_LINES],
        "shown": _shown(judged),
        "unsure": unsure[:MOST_LINES],
        "left_out": max(len(judged) - MOST_LINES, 0) + max(len(unsure) - MOST_LINES, 0),
        "worst": worst_lines(report.lines),
        "listed": [line for line in report.lines if line.week and line.week.listed],
        "differing": [line for line in report.lines if line.why_different],
        "stale": next((words for words in report.warnings if words.startswith("no pair was scored")), None),
        "no_drift": next((gap for gap in report.gaps if gap.startswith("input drift")), None),
    }


def _shown(judged: list[Line]) -> int:
    """How many lines stand open: all that diverged or are listed, and a screenful."""
    wanted = [
        at
        for at, line in enumerate(judged, 1)
        if line.verdict == "diverged" or (line.week and line.week.listed)
    ]
    return min(max([FEWEST_SHOWN, *wanted]), MOST_LINES)


def _parted(report: Report) -> tuple[list[Line], list[Line]]:
    """Lines without enough evidence apart from the others; shown-only signals are in the JSON."""
    tested = [line for line in report.lines if line.level in {"page", "ticket"}]
    unsure = [
        line for line in tested if line.verdict == "inconclusive" and not (line.week and line.week.listed)
    ]
    return unsure, [line for line in tested if line not in unsure]


def _environment(*, escaping: bool) -> Environment:
    made = Environment(
        loader=ChoiceLoader([PackageLoader("monitor.report"), PackageLoader("monitor", "styles")]),
        autoescape=escaping,  # noqa: S701  Markdown is escaped cell by cell (`in_markdown`)
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "name": (lambda text: inert(shortened(str(text), 300))) if escaping else in_markdown,
        "percent": lambda share: "–" if share is None else f"{100 * share:.1f} %",
        "points": _points,
        "count": lambda number: "–" if number is None else f"{number:,.0f}",
        "moment": lambda at: "–" if at is None else time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at)),
        "seconds": plots.seconds,
        "small": lambda number: "–" if number is None else f"{number:.2g}",
        "ratio": lambda found: "–" if found is None else f"{found:.2f}",
        "sides": _sides,
    }
    made.globals |= {"plots": plots, "SIGNALS": SIGNALS, "HINTS": HINTS, "STAGES": STAGES}
    return made


def _points(share: float | None) -> str:
    if share is None:
        return "–"
    text = f"{100 * share:+.1f}".replace("-", "−")
    return "0" if text[1:] == "0.0" else text


def _sides(case: Case) -> tuple[Side, Side] | None:
    """The answers word by word, where text is stored."""
    if case.baseline is None or case.candidate is None:
        return None
    return side_by_side(inert(case.baseline), inert(case.candidate))


FORMATS = {"html": as_html, "markdown": as_markdown, "json": as_text}
