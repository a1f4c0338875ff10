"""Input drift by Evidently: its numbers against SciPy's, sampled, silent on the network; a gap without it.

Evidently lies in a venv of its own (`make .cache/report`): it is 1 GB that only the weekly report loads.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import wasserstein_distance

from monitor.report.gather import gather
from monitor.report.model import Window
from monitor.report.render import as_html, as_markdown, as_text
from monitor.store import Store
from tests.benchmarks.stored_pairs import fill
from tests.monitor.http.test_pages import Elements

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / ".cache" / "report" / "bin" / "python"
PAIRS, NOW = 55_000, 1_800_000_000.0

# One interpreter and one gathering for everything: Evidently alone takes five seconds to import.
SCRIPT = """
import json, sys
dialled = []
sys.addaudithook(lambda event, args: dialled.append(event) if event in {"socket.connect", "socket.getaddrinfo"} else None)
from monitor.report.drift import input_drift
from monitor.report.gather import gather
from monitor.report.model import Window
from monitor.report.render import FORMATS
from monitor.store import Store
until = float(sys.argv[2])
report = gather(Store(sys.argv[1]), Window(until - 7 * 86_400, until), until)
found = []
for before, now in json.load(sys.stdin):
    columns, gap = input_drift(before, now)
    found.append([gap, [[c.column, c.method, c.score, c.threshold, c.drifted] for c in columns]])
print(json.dumps({"dialled": dialled, "found": found, **{name: make(report) for name, make in FORMATS.items()}}))
"""


def mix(count: int, languages: str, tokens: int) -> list[list[Any]]:
    """Rows of a window: languages in turn, prompts around `tokens` long, a user of their own each."""
    names = languages.split()
    return [
        [{"all": "all", "language": names[n % len(names)], "task": "chat", "user": f"u{n}"}, tokens + n % 7]
        for n in range(count)
    ]


SMALL = [mix(200, "en", 100), mix(200, "en sw", 100)]
LARGE = [mix(3000, "en en en sw", 100), mix(3000, "en sw", 103)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The report of a store in three formats, and what Evidently said about `SMALL` and `LARGE`."""
    if not PYTHON.exists():
        pytest.skip("extra `report` is not installed (make .cache/report)")
    database = tmp_path_factory.mktemp("drift") / "t.duckdb"
    fill(database, PAIRS, NOW)
    done = subprocess.run(
        [PYTHON, "-W", "ignore", "-c", SCRIPT, str(database), str(NOW)],
        input=json.dumps([SMALL, LARGE]), capture_output=True, text=True, cwd=ROOT, check=False,
        env={k: v for k, v in os.environ.items() if k != "DO_NOT_TRACK"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    return {**said, "json": json.loads(said["json"])}


@pytest.mark.slow
def test_the_report_compares_at_most_fifty_thousand_rows_and_says_so(made: dict[str, Any]) -> None:
    drift = made["json"]["drift"]
    assert (drift["sampled"], drift["before_sampled"], drift["before_pairs"]) == (50_000, 5_500, 5_500)
    assert drift["pairs"] == made["json"]["pairs"] == PAIRS
    said = "50,000 of this window's 55,000 pairs against 5,500 of 5,500 from the window before, sampled"
    assert said in Elements(made["html"]).text
    assert "50,000 of 55,000 pairs against 5,500 of 5,500" in made["markdown"]
    assert not any("input drift" in gap for gap in made["json"]["gaps"])


@pytest.mark.slow
def test_html_and_json_hold_the_same_columns(made: dict[str, Any]) -> None:
    rows = [a for tag, a in Elements(made["html"]).tags if tag == "tr" and "data-column" in a]
    shown = {row["data-column"]: row["data-drifted"] == "true" for row in rows}
    assert shown == {c["column"]: c["drifted"] for c in made["json"]["drift"]["columns"]}
    assert {"language", "script", "task", "context", "turn", "stream", "tenant", "prompt tokens"} <= set(
        shown
    )


@pytest.mark.slow
def test_small_windows_are_tested_and_large_ones_measured(made: dict[str, Any]) -> None:
    (gap, small), (other_gap, large) = made["found"]
    assert (gap, other_gap) == (None, None)
    assert {column: drifted for column, *_, drifted in small} == {
        "language": True,
        "task": False,
        "prompt tokens": False,
    }
    methods = {column: method for column, method, *_ in large}
    assert methods["language"] == "Jensen-Shannon distance"
    assert methods["prompt tokens"] == "Wasserstein distance (normed)"


@pytest.mark.slow
def test_distances_are_scipys(made: dict[str, Any]) -> None:
    scores = {column: score for column, _, score, *_ in made["found"][1][1]}
    before, now = ([Counter(row[0]["language"] for row in window)[n] for n in ("en", "sw")] for window in LARGE)  # fmt: skip
    assert scores["language"] == pytest.approx(jensenshannon(before, now), abs=1e-6)
    lengths = [np.array([row[1] for row in window]) for window in LARGE]
    expected = wasserstein_distance(*lengths) / np.std(lengths[0])
    assert scores["prompt tokens"] == pytest.approx(expected, rel=1e-3)


@pytest.mark.slow
def test_evidently_calls_nobody(made: dict[str, Any]) -> None:
    assert made["dialled"] == []


def test_identifiers_are_no_features(made: dict[str, Any]) -> None:
    assert "user" not in {column for column, *_ in made["found"][1][1]}


def test_a_missing_extra_is_a_stated_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where evidently cannot be imported the report is there, and says what it lacks."""
    monkeypatch.setitem(sys.modules, "evidently", None)
    fill(tmp_path / "t.duckdb", 400, NOW)
    store = Store(tmp_path / "t.duckdb")
    report = gather(store, Window(NOW - 7 * 86_400, NOW), NOW)
    store.close()
    for text in (Elements(as_html(report)).text, as_markdown(report).replace("\\", ""), as_text(report)):
        assert re.search(r"(evidently|pandas) is missing; pip install 'tailgate\[report\]'", text)
