"""The report from a real store: what it names first, that its numbers agree, and what it says it lacks."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import TypeAdapter

from monitor.outlook import verdict_of_database
from monitor.report.drift import input_drift
from monitor.report.gather import gather
from monitor.report.model import Case, Report, Window
from monitor.report.render import as_html, as_markdown, as_text, schema, to_json
from monitor.store import Batch, Store
from tests.monitor.http.test_pages import Elements
from tests.monitor.test_store import LEG
from tests.monitor.test_store import pair as stored
from tests.nasty import NASTY, hidden
from tests.standin.process import TAILGATE

NOW = 1_800_000_000.0
DAY = 86_400.0
PAIRS = 600


def pair(seq: int, *, at: float, language: str, text: str | None = None) -> tuple[Any, ...]:
    row = list(stored(seq, block=seq // 50 + 1, at=at, language=language))
    row[9], row[13] = f"k{seq}", []
    row[16] = {**LEG, "duration": 4.0 if language == "sw" else 1.0}
    row[17] = LEG if seq % 3 == 0 else None
    if text is not None:
        row[18] = {"request": text, "baseline": "calm words", "candidate": f"calm {text}", "replay": None}
    return tuple(row)


def scores(seq: int, *, bad: bool) -> list[tuple[Any, ...]]:
    x0 = 0.0 if seq % 3 == 0 else None
    label = "devanagari" if bad else ""
    return [
        (seq, "script", float(bad), None, label, "", None, None),
        (seq, "answer", float(seq % 20 == 0), x0, "", "", None, None),
        (seq, "confident_disagreement", 0.0, x0, "", "", None, 0.8),
    ]


def fill(store: Store, *, start: float, text: str | None = None) -> None:
    """Ten minutes of traffic; one in ten is Swahili, and there nine in ten answers break."""
    languages = ["sw" if seq % 10 == 0 else "en" for seq in range(1, PAIRS + 1)]
    store.commit(
        Batch(
            pairs=[
                pair(seq, at=start + seq, language=language, text=text)
                for seq, language in enumerate(languages, 1)
            ],
            scores=[
                row
                for seq, language in enumerate(languages, 1)
                for row in scores(seq, bad=language == "sw" and seq % 100 != 0)
            ],
            funnel={"read": PAIRS},
        )
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "t.duckdb")
    fill(made, start=NOW - DAY)
    yield made
    made.close()


@pytest.fixture
def report(store: Store) -> Report:
    return gather(store, Window(NOW - 7 * DAY, NOW), NOW)


def test_the_broken_segment_comes_first_everywhere(report: Report) -> None:
    assert (report.lines[0].segment, report.lines[0].signal) == ("language=sw", "script")
    first = Elements(as_html(report)).rows()[0]
    assert (first["data-segment"], first["data-signal"], first["data-verdict"]) == (
        "language=sw",
        "script",
        "diverged",
    )
    table = [
        line for line in as_markdown(report).splitlines() if line.startswith("| ") and "segment" not in line
    ]
    assert table[0].startswith("| language=sw | script | diverged |")


def test_live_numbers_are_the_verdicts(store: Store, report: Report, tmp_path: Path) -> None:
    store.close()
    verdict = verdict_of_database(tmp_path / "t.duckdb", NOW)
    numbers = (
        "segment",
        "signal",
        "verdict",
        "pairs",
        "noise_floor",
        "effect",
        "lower",
        "upper",
        "evidence",
        "explained_by",
    )
    expected = [{name: row[name] for name in numbers} for row in verdict["segments"]]
    shown = [{name: line[name] for name in numbers} for line in to_json(report)["lines"]]
    assert shown[: len(expected)] == expected
    assert report.verdict == verdict["verdict"]


def test_the_week_counts_and_rates_are_exact(report: Report) -> None:
    (line,) = [line for line in report.lines if (line.segment, line.signal) == ("language=sw", "script")]
    assert line.week is not None
    assert (line.week.pairs, line.week.rate, line.week.listed) == (60, 0.9, True)
    assert line.week.lower < 0.9 < line.week.upper


def test_repeats_within_the_hour_count_once(store: Store) -> None:
    same = [
        (
            *pair(PAIRS + n, at=NOW - 100 + n, language="en")[:9],
            "same",
            *pair(PAIRS + n, at=NOW, language="en")[10:],
        )
        for n in range(1, 6)
    ]
    store.commit(Batch(pairs=same, scores=[row for n in range(1, 6) for row in scores(PAIRS + n, bad=True)]))
    made = gather(store, Window(NOW - 3600, NOW), NOW)
    (line,) = [line for line in made.lines if (line.segment, line.signal) == ("language=en", "script")]
    assert line.week is not None
    assert line.week.pairs == 1


def test_latency_needs_a_hundred_answers_for_a_ratio(report: Report) -> None:
    ratios = {ladder.segment: ladder.ratio for ladder in report.ladders}
    assert ratios["language=sw"] is None
    assert ratios["language=en"] == 1.0


def test_the_tail_ratio_stands_beside_the_quantiles_in_every_format(store: Store) -> None:
    """Swahili takes four times as long throughout: its p99 is four times as high, its tail as long as anyone's."""
    made = gather(store, Window(NOW - 7 * DAY, NOW), NOW)
    (overall,) = [ladder for ladder in to_json(made)["ladders"] if ladder["segment"] == "all"]
    assert (overall["duration_tail"], overall["duration"]) == ([4.0, 1.0], [1.0, 4.0, 1.0, 1.0])
    assert "| all | 600 / 200 | 1.00 s / 1.00 s | 4.00 s / 1.00 s | 4.00 / 1.00 | 4.00 |" in as_markdown(made)
    assert "4.00 / 1.00<small>first token 1.00 / 1.00</small>" in as_html(made)


def test_calibration_reads_confidence_against_agreement(report: Report) -> None:
    (overall,) = [found for found in report.reliability if found.segment == "all"]
    assert (overall.pairs, overall.source) == (PAIRS, "agreement")
    assert overall.gap == pytest.approx(0.8 - 0.95)
    # log odds of 0.8 over those of 0.95: less than one, it is less sure than it could be
    assert overall.temperature == pytest.approx(1.386 / 2.944, abs=0.01)


def test_the_json_keeps_its_schema(report: Report) -> None:
    jsonschema.validate(json.loads(as_text(report)), schema())


def test_the_shipped_schema_is_the_dataclasses() -> None:
    made = TypeAdapter(Report).json_schema(mode="serialization")
    assert {key: value for key, value in schema().items() if key != "$schema"} == made


def test_an_empty_window_is_said_not_hidden(store: Store) -> None:
    made = gather(store, Window(NOW - 70 * DAY, NOW - 60 * DAY), NOW)
    assert "no pair was received in this window" in made.gaps
    assert "no pair was received" in as_html(made)
    assert "no pair was received" in as_markdown(made)


def test_a_state_of_long_ago_is_said_to_be_one(report: Report) -> None:
    """The banner says why a route with a broken segment is not called diverged."""
    old = replace(report, verdict="inconclusive", warnings=["no pair was scored in the last 90 minutes"])
    banner = Elements(as_html(old)).text.partition("median and tail")[0]
    assert "Not a verdict of now: no pair was scored in the last 90 minutes." in banner
    assert "Not a verdict of now" not in as_html(replace(old, verdict="diverged"))


def test_a_shift_of_the_mix_is_found(store: Store) -> None:
    fill_other_week(store)
    shifts = {shift.segment: shift for shift in gather(store, Window(NOW - 7 * DAY, NOW), NOW).shifts or ()}
    assert shifts["language=sw"].before == 0.0
    assert shifts["language=sw"].now == pytest.approx(0.1)


def fill_other_week(store: Store) -> None:
    """English only, the week before."""
    store.commit(Batch(pairs=[pair(10_000 + n, at=NOW - 8 * DAY + n, language="en") for n in range(300)]))


def test_too_few_pairs_are_a_stated_gap() -> None:
    assert "30 pairs" in (input_drift([({}, 1)], [({}, 1)])[1] or "")


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_foreign_text_is_inert_in_every_format(report: Report, text: str) -> None:
    case = Case(text, NOW, text, "script", 1.0, text, text, text, "calm", f"calm {text}")
    nasty = replace(
        report, sentence=text, cases=[case], warnings=[text], gaps=[text], reasons=[(text, "script", text, 1)],
        lines=[replace(report.lines[0], segment=f"group={text}", explained_by=None)], candidates=[(NOW, text)],
        events=[(NOW, "alarm", text, text)],
    )  # fmt: skip
    page, markdown = as_html(nasty), as_markdown(nasty)
    elements = Elements(page)
    assert not any(tag in {"script", "img"} or any(n.startswith("on") for n in a) for tag, a in elements.tags)
    assert hidden(page + markdown) == set()
    assert not re.search(r"<(script|img)", markdown)
    json.loads(as_text(nasty))


def test_html_is_one_file_that_asks_for_nothing(report: Report) -> None:
    page = as_html(report)
    assert not re.findall(r"(?:src|href)=\"(?!#|data:)", page)
    assert "url(" not in page
    assert "@import" not in page


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([TAILGATE, "report", *arguments], capture_output=True, text=True, check=False)


def test_the_command_writes_each_format(store: Store, tmp_path: Path) -> None:
    store.close()
    database = str(tmp_path / "t.duckdb")
    for name, start in (("r.html", "<!doctype html>"), ("r.md", "# Tailgate"), ("r.json", "{")):
        done = run("--db", database, "--since", "2026-01-01", "-o", str(tmp_path / name))
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        assert (tmp_path / name).read_text().startswith(start)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--db", "missing.duckdb"], 4, "no such database"),
        (["--db", "x", "--since", "yesterday"], 2, "7d"),
        (["--db", "x", "--since", "1d", "--until", "2d"], 2, "before"),
        (["--since", "7d"], 2, "--db"),
    ],
)
def test_wrong_calls_name_the_fix(arguments: list[str], code: int, words: str) -> None:
    done = run(*arguments)
    assert done.returncode == code
    assert words in done.stderr


def test_a_database_in_use_is_exit_4(store: Store, tmp_path: Path) -> None:
    done = run("--db", str(tmp_path / "t.duckdb"))
    assert done.returncode == 4
    assert "another process" in done.stderr
