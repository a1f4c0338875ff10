"""Figures in prose are the figures that were measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.benchmarks.results import REQUIRED, RESULTS, ROOT, figure, mismatches

PROSE = [p for pattern in ("*.md", "docs/**/*.md", "deploy/**/*.md") for p in sorted(ROOT.glob(pattern))]
FILES = sorted(RESULTS.glob("*.json"))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    (tmp_path / "speed.json").write_text(
        json.dumps({"ratio": 1.0849, "runs": [{"rps": 31014.4}], "share": 0.0571, "by rule, window 200": 3})
    )
    return tmp_path


def marked(key: str, text: str) -> str:
    return f"about <!-- bench:{key} -->{text}<!-- /bench --> here"


@pytest.mark.parametrize("path", PROSE, ids=[str(p.relative_to(ROOT)) for p in PROSE])
def test_prose_quotes_the_result_files(path: Path) -> None:
    assert mismatches(path.read_text()) == []


@pytest.mark.parametrize("path", FILES, ids=[p.name for p in FILES])
def test_every_result_says_where_when_and_how(path: Path) -> None:
    assert [key for key in REQUIRED if not json.loads(path.read_text()).get(key)] == []


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("speed.ratio", "1.08×"),
        ("speed.ratio", "1"),
        ("speed.runs.0.rps", "31,014"),
        ("speed.share", "5.7 %"),
        ("speed.by rule, window 200", "3"),
    ],
)
def test_a_rounded_figure_is_right(results: Path, key: str, text: str) -> None:
    assert mismatches(marked(key, text), results) == []


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("speed.ratio", "1.07"),
        ("speed.share", "5 %"),
        ("speed.nothing", "1"),
        ("absent.ratio", "1"),
        ("speed.ratio", "fast"),
    ],
)
def test_another_figure_is_a_mismatch(results: Path, key: str, text: str) -> None:
    assert len(mismatches(marked(key, text), results)) == 1


def test_figures_are_found_by_dotted_path(results: Path) -> None:
    assert figure("speed.runs.0.rps", results) == 31014.4
