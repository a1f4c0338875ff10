"""The verdict as JUnit XML: one case per (segment, signal), so that CI shows the tail by name."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from monitor.cli.rows import HEAD, Tests, cells, headline
from monitor.records import SegmentVerdict, Verdict

_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def junit(verdict: Verdict, tests: Tests) -> str:
    """XML text. A failure is an unexplained divergence of a page signal; `inconclusive` is skipped."""
    rows = [row for row in verdict.segments if row.level in {"page", "ticket"}]
    failures = sum(_fails(row) for row in rows)
    skipped = sum(_reason(row) is not None for row in rows)
    counts = {"tests": str(len(rows)), "failures": str(failures), "errors": "0", "skipped": str(skipped)}
    root = ET.Element("testsuites", {"name": "tailgate", **counts})
    suite = ET.SubElement(root, "testsuite", {"name": clean(f"tailgate.{verdict.route}"), **counts})
    properties = ET.SubElement(suite, "properties")
    for name, value in _properties(verdict):
        ET.SubElement(properties, "property", {"name": name, "value": clean(value)})
    for row in rows:
        _case(suite, verdict.route, row, tests)
    if verdict.warnings:
        ET.SubElement(suite, "system-err").text = clean("\n".join(verdict.warnings))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _properties(verdict: Verdict) -> list[tuple[str, str]]:
    return [
        ("verdict", verdict.verdict),
        ("headline", headline(verdict)),
        ("pairs", str(verdict.pairs)),
        ("config_hash", verdict.config_hash),
    ]


def _fails(row: SegmentVerdict) -> bool:
    return row.verdict == "diverged" and row.level == "page" and row.explained_by is None


def _reason(row: SegmentVerdict) -> str | None:
    """Why a case is skipped rather than passed or failed."""
    if row.verdict == "inconclusive":
        needed = f" of {row.pairs_needed}" if row.pairs_needed else ""
        return f"inconclusive: {row.pairs}{needed} pairs"
    if row.verdict == "diverged" and not _fails(row):
        return f"explained by {row.explained_by}" if row.explained_by else f"diverged, level {row.level}"
    return None


def _case(suite: ET.Element, route: str, row: SegmentVerdict, tests: Tests) -> None:
    names = {"classname": clean(f"tailgate.{route}.{row.segment}"), "name": clean(row.signal), "time": "0"}
    case = ET.SubElement(suite, "testcase", names)
    words = ", ".join(f"{head} {text}" for head, text in zip(HEAD, cells(row, tests), strict=True) if text)
    if _fails(row):
        failure = ET.SubElement(case, "failure", {"type": "diverged", "message": clean(words)})
        failure.text = clean("worst pairs: " + ", ".join(row.examples))
    elif (reason := _reason(row)) is not None:
        ET.SubElement(case, "skipped", {"message": clean(reason)})
        ET.SubElement(case, "system-out").text = clean(words)


def clean(text: str) -> str:
    """Without the characters that XML cannot carry."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
