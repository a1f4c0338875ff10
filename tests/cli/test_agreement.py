"""One run, told four ways: the verdict's numbers are the page's, the report's and the metrics'."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.cli.test_run import Running, eventually, running
from tests.standin.process import TAILGATE

PAIRS = 60
Key = tuple[str, str]
pytestmark = pytest.mark.timeout(300)


class Rows(HTMLParser):
    """Cell texts of every row of a segments table, by (segment, signal)."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.cells: dict[Key, list[str]] = {}
        self.attributes: dict[Key, Mapping[str, str | None]] = {}
        self._key: Key | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "tr":
            name = found.get("data-segment")
            self._key = None if name is None else (name, found["data-signal"] or "")
            if self._key is not None:
                self.cells[self._key], self.attributes[self._key] = [], found
        elif tag in {"td", "th"} and self._key is not None:
            self.cells[self._key].append("")

    def handle_data(self, data: str) -> None:
        if self._key is not None and self.cells[self._key]:
            self.cells[self._key][-1] += f" {data.strip()}"


@dataclass(frozen=True, slots=True)
class Told:
    """The same state by its four tellers."""

    verdict: Any
    page: str
    metrics: str
    report: Any
    html: str
    stopped: Any

    @property
    def rows(self) -> dict[Key, Any]:
        """The verdict's rows that are tested."""
        rows = self.verdict["segments"]
        return {(row["segment"], row["signal"]): row for row in rows if row["level"] != "show"}

    def gauge(self, name: str, **labels: str) -> dict[Key, float]:
        """Values of a family by (segment, signal)."""
        families = text_string_to_metric_families(self.metrics)
        return {
            (s.labels["segment"], s.labels.get("signal", "")): s.value
            for family in families
            for s in family.samples
            if s.name == name and s.labels.items() >= labels.items()
        }


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    directory = tmp_path_factory.mktemp("told")
    with running(directory, "--fault", "all:wrong_number") as run:
        for number in range(PAIRS):
            assert run.ask(number).status_code == 200
        assert eventually(lambda: settled(run) and steady(run), 120)
        verdict = run.verdict()
        page = httpx.get(f"{run.monitor}/?rows=all", timeout=30).text
        metrics = httpx.get(f"{run.monitor}/metrics", timeout=30).text
    database = directory / "t.duckdb"
    for name in ("r.json", "r.html"):
        subprocess.run(
            [TAILGATE, "report", "--db", str(database), "--since", "1d", "-o", str(directory / name)],
            check=True,
        )
    asked = [TAILGATE, "verdict", "--db", str(database), "--format", "json"]
    stopped = json.loads(subprocess.run(asked, capture_output=True, check=False).stdout)
    report = json.loads((directory / "r.json").read_text())
    yield Told(verdict, page, metrics, report, (directory / "r.html").read_text(), stopped)
    shutil.rmtree(directory)


def settled(run: Running) -> bool:
    """All is scored, and the gauges, which are made now and then, show it."""
    gauge = f'tailgate_segment_samples{{dimension="all",route="default",segment="all"}} {float(PAIRS)}'
    return run.verdict()["funnel"]["scored"] == PAIRS and gauge in httpx.get(f"{run.monitor}/metrics").text


def steady(run: Running) -> bool:
    """Nothing moves any more: verdict and gauges are made at different moments."""

    def seen() -> tuple[Any, list[str]]:
        page = httpx.get(f"{run.monitor}/metrics", timeout=30).text
        return run.verdict()["segments"], [
            line for line in page.splitlines() if line.startswith("tailgate_segment_")
        ]

    before = seen()
    time.sleep(3)
    return seen() == before


def shown(text: str) -> list[float]:
    """The numbers of a cell as a person reads them."""
    return [
        float(n.replace(",", "").replace("−", "-"))
        for n in re.findall(r"[+−-]?\d[\d,]*\.?\d*(?:e[+-]\d+)?", text)
    ]


def points(*shares: float | None, digits: int = 0) -> list[float]:
    """The page shows whole points, the report tenths."""
    return [round(100 * share, digits) + 0.0 for share in shares if share is not None]


def test_there_is_something_to_agree_on(told: Told) -> None:
    assert told.verdict["verdict"] == "diverged"
    assert {row["verdict"] for row in told.rows.values()} >= {"diverged", "inconclusive"}


def test_a_stopped_monitors_verdict_is_the_running_ones(told: Told) -> None:
    # how many more pairs are needed is a matter of the budget paid so far, and the clock goes on
    stopped, live = (
        [{**row, "pairs_needed": None} for row in verdict["segments"]]
        for verdict in (told.stopped, told.verdict)
    )
    assert stopped == live


def test_metrics_are_the_verdicts_numbers(told: Told) -> None:
    for bound, name in (("estimate", "effect"), ("lower", "lower"), ("upper", "upper")):
        expected = {key: row[name] for key, row in told.rows.items() if row[name] is not None}
        found = told.gauge("tailgate_segment_excess_ratio", bound=bound)
        assert {key: found[key] for key in expected} == pytest.approx(expected)
    for family, name in (
        ("tailgate_segment_evidence", "evidence"),
        ("tailgate_segment_noise_floor_ratio", "noise_floor"),
    ):
        expected = {key: row[name] for key, row in told.rows.items() if row[name] is not None}
        assert {key: told.gauge(family)[key] for key in expected} == pytest.approx(expected)
    diverged = {key: float(row["verdict"] == "diverged") for key, row in told.rows.items()}
    assert told.gauge("tailgate_segment_diverged").items() >= diverged.items()
    explained = {key for key, row in told.rows.items() if row["explained_by"]}
    assert told.gauge("tailgate_segment_diverged", explained="yes").keys() == explained
    assert told.gauge("tailgate_segment_samples")["all", ""] == told.verdict["pairs"] == PAIRS


def test_the_page_shows_the_verdicts_numbers(told: Told) -> None:
    rows = Rows(told.page)
    for key, row in told.rows.items():
        _, verdict, _, _, excess, floor, pairs, evidence = rows.cells[key]
        assert rows.attributes[key]["data-verdict"] == row["verdict"], verdict
        assert shown(excess) == points(row["effect"], row["lower"], row["upper"]), key
        assert shown(floor.replace("%", "")) == points(row["noise_floor"]), key
        assert shown(pairs)[0] == row["pairs"]
        if row["evidence"] is not None:
            wealth = row["evidence"]
            assert shown(evidence)[-1] == float(f"{wealth:.1f}" if wealth >= 0.1 else f"{wealth:.0e}")


def test_the_report_shows_the_verdicts_numbers(told: Told) -> None:
    lines = {(line["segment"], line["signal"]): line for line in told.report["lines"]}
    names = ("verdict", "pairs", "effect", "lower", "upper", "evidence", "noise_floor", "explained_by")
    for key, row in told.rows.items():
        assert {name: lines[key][name] for name in names} == {name: row[name] for name in names}
    rows = Rows(told.html)
    for key, (_, _, _, excess, pairs, evidence, *_) in rows.cells.items():
        row = told.rows[key]
        assert shown(excess) == points(row["effect"], row["lower"], row["upper"], digits=1), key
        assert shown(pairs)[0] == row["pairs"]
        if row["evidence"] is not None:
            assert shown(evidence)[-1] == float(f"{row['evidence']:.2g}")


def test_the_first_row_is_the_same_everywhere(told: Told) -> None:
    first = next(iter(told.rows))
    line = told.report["lines"][0]
    assert next(iter(Rows(told.page).cells)) == next(iter(Rows(told.html).cells)) == first
    assert (line["segment"], line["signal"]) == first


def test_the_weeks_list_stands_beside_the_live_state_and_differences_have_reasons(told: Told) -> None:
    heads = re.findall(r'<th scope="colgroup"[^>]*>(.*?)</th>', told.html)
    assert heads[0].startswith("live state, since ")
    assert heads[1] == "this window, one look"
    lines = [line for line in told.report["lines"] if line["level"] != "show"]
    differing = [line for line in lines if (line["verdict"] == "diverged") != bool(line["week"] and line["week"]["listed"])]  # fmt: skip
    assert all(line["why_different"] for line in differing)
    assert not any(line["why_different"] for line in lines if line not in differing)
    assert all(line["why_different"] in told.html for line in differing[:30])
    assert [line for line in lines if line["week"] and line["week"]["listed"]]
