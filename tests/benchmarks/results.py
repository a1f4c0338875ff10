"""Benchmark results on disk, and the check that prose quotes them rightly.

A result is `tests/benchmarks/results/NAME.json`: what was measured, with the commit, the machine,
the command and the date. Prose quotes a figure between two comments,

    <!-- bench:hotpath.targets.cpu_nginx.measured -->1.08<!-- /bench -->

and `mismatches` fails where the text is not that figure rounded to the digits shown (a `%` sign
means that the figure is a fraction of one). A number without such a mark is a claim that nobody
checks, so write none.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RESULTS = Path(__file__).parent / "results"
REQUIRED = ("commit", "machine", "command", "date")

_MARK = re.compile(r"<!-- ?bench:(?P<key>[^<>]+?) ?-->(?P<text>.*?)<!-- ?/bench ?-->", re.DOTALL)
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


def write_result(name: str, measured: Mapping[str, Any], *, markdown: str | None = None) -> Path:
    """Write `NAME.json` (and `NAME.md`) with where, when and how it was measured."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({**provenance(), **measured}, indent=1, ensure_ascii=False) + "\n")
    if markdown is not None:
        path.with_suffix(".md").write_text(markdown)
    return path


def provenance() -> dict[str, Any]:
    """Commit, machine, command and date of the running process."""
    # A benchmark of several parts has written results by the time that it writes its last.
    changed = _git("status", "--porcelain", "--", ".", f":!{RESULTS.relative_to(ROOT)}")
    return {
        "commit": _git("rev-parse", "--short=12", "HEAD") + ("-dirty" if changed else ""),
        "machine": machine(),
        "command": " ".join(["python", *sys.orig_argv[1:]]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def machine() -> dict[str, Any]:
    """What a reader needs to judge a figure: processor, cores, memory, kernel, Python, load."""
    cpuinfo = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.*)$", cpuinfo, re.MULTILINE)
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": model.group(1) if model else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(pages / 2**30, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_average": round(os.getloadavg()[0], 2),
    }


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def figure(key: str, results: Path = RESULTS) -> float:
    """The number behind `FILE.dotted.path`. KeyError or OSError where there is none."""
    name, *path = key.split(".")
    value: Any = json.loads((results / f"{name}.json").read_text())
    for part in path:
        value = value[int(part)] if isinstance(value, list) else value[part]
    return float(value)


def mismatches(text: str, results: Path = RESULTS) -> list[str]:
    """Every marked figure in `text` that is not what the result files say, as a sentence."""
    return [
        problem
        for mark in _MARK.finditer(text)
        if (problem := _mismatch(mark["key"], mark["text"], results)) is not None
    ]


def _mismatch(key: str, text: str, results: Path) -> str | None:
    try:
        value = figure(key, results)
    except (OSError, KeyError, IndexError, TypeError, ValueError) as error:
        return f"{key}: no such figure ({type(error).__name__}: {error})"
    number = _NUMBER.search(text)
    if number is None:
        return f"{key}: {text!r} holds no number"
    shown = number.group().replace(",", "")
    digits = len(shown.partition(".")[2])
    expected = value * 100 if "%" in text else value
    # half a unit of the last digit, with room for binary fractions
    if abs(float(shown) - expected) > 0.5 * 10**-digits + 1e-9 * max(1.0, abs(expected)):
        return f"{key}: the text says {shown}, the file {expected:.{digits + 2}f}"
    return None
