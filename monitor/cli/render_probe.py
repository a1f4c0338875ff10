"""A probe run for people (a table), for machines (JSON) and for CI (JUnit XML)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any
from xml.etree import ElementTree as ET

from rich.console import Console
from rich.table import Table
from rich.text import Text

from monitor.cli.render_junit import clean
from monitor.inert import one_line
from monitor.probes.findings import AxisRow, ItemRow, RateRow, Result, Row
from monitor.probes.load import LoadRow
from monitor.probes.psychometric import Boundary
from monitor.probes.sensitivity import FlipRow, PositionRow

_COLOURS = {"worse": "red", "below range": "red", "unclear": "yellow", "ok": "green"}


def to_json(results: Sequence[Result]) -> dict[str, Any]:
    """The runs as plain values; `findings` names every row that fails."""
    return {
        "verdict": worst(results),
        "findings": [name for result in results for name, row in rows(result) if fails(row)],
        "packs": [{**asdict(result), "verdict": result.state} for result in results],
    }


def to_rows(result: Result) -> Iterator[dict[str, str]]:
    """What a monitor keeps of a run; of own items those that fail."""
    for name, row in rows(result):
        if isinstance(row, ItemRow) and not fails(row):
            continue
        baseline, candidate, change = cells(row)
        said_of = {"baseline": baseline, "candidate": candidate, "change": _joined(change, _tested(row))}
        yield {"pack": result.pack, "probe": name, "verdict": row.verdict, **said_of}


def worst(results: Sequence[Result]) -> str:
    """The verdict of several packs together."""
    states = {result.state for result in results}
    return next((state for state in ("diverged", "inconclusive") if state in states), "ok")


def rows(result: Result) -> Iterator[tuple[str, Row]]:
    """Every row by its name."""
    yield from ((row.axis, row) for row in result.axes)
    yield from ((f"{row.family}.{row.group}" if row.group else row.family, row) for row in result.rates)
    yield from ((row.item, row) for row in result.items)
    yield from ((f"{row.change} ({row.segment})", row) for row in result.flips)
    if result.position is not None:
        yield "first option", result.position
    yield from ((f"{row.arm} at {row.concurrency:g} requests", row) for row in result.load)


def fails(row: Row) -> bool:
    """Whether a row fails the run."""
    return row.verdict in {"worse", "below range"}


def said(found: Boundary) -> str:
    """A boundary in words: `7,600 (6,900 to 8,400)`, `above 24`, `below range`."""
    if found.status == "below range":
        return "below range"
    if found.status == "above range":
        return f"above {_level(found.lower)}"
    threshold = _level(found.threshold or 0.0)
    asks = "?" if found.status == "unclear" else ""
    return f"{threshold}{asks} ({_level(found.lower)} to {_level(found.upper)})"


def _level(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def cells(row: Row) -> tuple[str, str, str]:
    """Baseline, candidate, and what is between them."""
    if isinstance(row, AxisRow):
        return _axis(row)
    if isinstance(row, RateRow):
        low, high = row.interval
        own = f"{row.candidate}/{row.items} ({low:.0%} to {high:.0%})"
        before = "" if row.baseline is None else f"{row.baseline}/{row.items}"
        change = "" if row.baseline is None else f"{row.lost} lost, {row.won} won"
        if row.confidence is not None:
            change = f"{change}{', ' if change else ''}gap {row.confidence - row.candidate / row.items:+.0%}"
        return before, own, change
    if isinstance(row, FlipRow):
        low, high = row.interval
        own = f"{row.flips}/{row.compared} answers changed, {row.floor}/{row.repeats} when nothing did"
        return "", own, f"{row.excess:+.1%} ({low:+.1%} to {high:+.1%})"
    if isinstance(row, PositionRow):
        low, high = row.interval
        own = f"{row.first}/{row.answers} chose the first, consistent {row.consistency:.0%}"
        return "", own, f"bias {row.bias:+.1%} ({low:+.1%} to {high:+.1%})"
    if isinstance(row, LoadRow):
        return _load(row)
    before = {None: "", True: "passes", False: "fails"}[row.baseline]
    return before, "passes" if row.candidate else "fails", ""


def _axis(row: AxisRow) -> tuple[str, str, str]:
    """Thresholds and their shift; shares at the easiest level where the candidate alone is below it."""
    before = said(row.baseline) if row.baseline else ""
    own = said(row.candidate)
    own = own if own == "below range" else f"{own} {row.unit}"
    if row.easiest is not None:
        at, found = f"at {row.easiest.level:g} {row.unit}", row.easiest
        before = f"{before}; {found.baseline}/{found.items} {at}"
        own = f"{own}; {found.candidate}/{found.items} {at}"
        return before, own, f"{found.lost} lost, {found.won} won"
    if row.shift is None or row.shift_interval is None:
        return before, own, ""
    low, high = row.shift_interval
    bound = f"{row.bound} " if row.bound else ""
    return before, own, f"{bound}{row.shift:+.2f} octaves ({low:+.2f} to {high:+.2f})"


def _p(row: Row) -> str:
    adjusted = None if isinstance(row, ItemRow) else row.adjusted
    return "" if adjusted is None else f"{adjusted:.2g}"


def _tested(row: Row) -> str:
    """The p-value where no column is headed with it."""
    p = _p(row)
    return f"p {p} (Holm)" if p else ""


def _joined(*parts: str) -> str:
    return ", ".join(filter(None, parts))


def _load(row: LoadRow) -> tuple[str, str, str]:
    """Seconds as p50/p99, the tail ratio, and what was late or failed."""
    spreads = (("all", row.duration), ("first", row.first_token), ("between", row.between_tokens))
    own = ", ".join(f"{name} {s.p50:.3f}/{s.p99:.3f} s" for name, s in spreads if s is not None)
    words = [f"{row.rate:.2f}/s offered", f"p99/p50 {row.tail_ratio:.1f}"]
    words += [f"{row.failed} failed"] if row.failed else []
    words += ["knee"] if row.knee else []
    words += [f"{row.late} late, baseline {row.baseline_late}"] if row.p_value is not None else []
    return "", own or "no answer", ", ".join(words)


def table(console: Console, result: Result) -> None:
    """One pack as a table; of the user's items only those that fail."""
    title = (
        f"{result.pack}: {result.state} · {result.calls} calls, {result.tokens:,} tokens, seed {result.seed}"
    )
    grid = Table(title=Text(one_line(title)), title_justify="left", header_style="bold")
    for head in ("probe", "baseline", "candidate", "change", "p (Holm)", "verdict"):
        grid.add_column(head)
    for name, row in rows(result):
        if isinstance(row, ItemRow) and not fails(row):
            continue
        colour = _COLOURS[row.verdict]
        texts = (Text(one_line(text)) for text in (name, *cells(row), _p(row)))
        grid.add_row(*texts, f"[{colour}]{row.verdict}[/]")
    console.print(grid)
    if result.items:
        passed = sum(row.candidate for row in result.items)
        console.print(f"{passed} of {len(result.items)} own items pass")


def junit(results: Sequence[Result]) -> str:
    """XML text: one suite per pack, one case per row; what is unclear is skipped."""
    root = ET.Element("testsuites", {"name": "tailgate.probe"})
    totals = {"tests": 0, "failures": 0, "skipped": 0}
    for result in results:
        named = list(rows(result))
        counts = {
            "tests": len(named),
            "failures": sum(fails(row) for _, row in named),
            "skipped": sum(row.verdict == "unclear" for _, row in named),
        }
        suite = ET.SubElement(
            root,
            "testsuite",
            {"name": clean(f"tailgate.probe.{result.pack}"), "errors": "0", **_text(counts)},
        )
        properties = ET.SubElement(suite, "properties")
        for key, value in (("seed", result.seed), ("calls", result.calls), ("tokens", result.tokens)):
            ET.SubElement(properties, "property", {"name": key, "value": str(value)})
        for name, row in named:
            _case(suite, result.pack, name, row)
        if result.notes:
            ET.SubElement(suite, "system-err").text = clean("\n".join(result.notes))
        totals = {key: totals[key] + counts[key] for key in totals}
    root.attrib.update({"errors": "0", **_text(totals)})
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _text(counts: dict[str, int]) -> dict[str, str]:
    return {key: str(value) for key, value in counts.items()}


def _case(suite: ET.Element, pack: str, name: str, row: Row) -> None:
    case = ET.SubElement(
        suite, "testcase", {"classname": clean(f"tailgate.probe.{pack}"), "name": clean(name), "time": "0"}
    )
    baseline, candidate, change = cells(row)
    words = _joined(
        f"baseline {baseline}" if baseline else "", f"candidate {candidate}", change, _tested(row)
    )
    if fails(row):
        failure = ET.SubElement(case, "failure", {"type": row.verdict, "message": clean(words)})
        examples = _examples(row)
        if examples:
            failure.text = clean("failed items: " + ", ".join(examples))
    elif row.verdict == "unclear":
        ET.SubElement(case, "skipped", {"message": clean(f"unclear: {words}")})
    else:
        ET.SubElement(case, "system-out").text = clean(words)


def _examples(row: Row) -> tuple[str, ...]:
    """Items that show a finding."""
    if isinstance(row, AxisRow):
        return row.easiest.examples if row.easiest is not None else ()
    return row.examples if isinstance(row, RateRow) else ()
