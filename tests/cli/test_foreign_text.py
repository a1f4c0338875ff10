"""What models, clients and files say, on a terminal and in machine output: shown whole, obeyed never."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from monitor.cli import sql
from monitor.cli.json_out import echo_json
from monitor.cli.render_live import print_capabilities, print_funnel, print_rows, print_warnings
from monitor.cli.render_probe import table as probe_table
from monitor.cli.side_view import difference
from monitor.inert import one_line
from monitor.probes.findings import ItemRow, Result
from tests.cli.test_render_live import row
from tests.nasty import NASTY, hidden

STAGES = ("eligible", "sampled", "sent", "completed", "comparable", "scored", "pending")


def live(console: Console, text: str) -> None:
    """Segments, warnings, reasons and abilities of a verdict that is full of it."""
    found = {"verdict": "ok", "route": text, "pairs": 1, "segments": [row(text, "answer")]}
    explained = {**row(text, "answer"), "explained_by": text}
    print_rows(console, {**found, "segments": [row(text, "answer"), explained]}, everything=True)
    print_warnings(console, {"warnings": [text]})
    print_funnel(console, {**dict.fromkeys(STAGES, 1), "skipped": {text: 1}, "excluded": {text: 1}})
    print_capabilities(console, {text: {"logprobs": True}})


def words(console: Console, text: str) -> None:
    """A pair, word by word."""
    console.print(difference(text, text, f"calm {text}", text))


def probed(console: Console, text: str) -> None:
    """Results of somebody's own items."""
    items = (ItemRow(text, "", candidate=False, verdict="worse"),)
    probe_table(console, Result(text, 1, items=items))


@pytest.mark.parametrize("show", [live, words, probed])
@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_a_terminal_with_colours_gets_ours_alone(show: Any, text: str) -> None:
    out = StringIO()
    show(Console(file=out, width=400, force_terminal=True), text)
    assert hidden(out.getvalue()) == set()
    assert "\x1b]" not in out.getvalue()  # no hyperlink, no title
    plain = StringIO()
    show(Console(file=plain, width=400), text)
    assert " ".join(one_line(text).split())[:20] in " ".join(plain.getvalue().split())


@pytest.mark.parametrize("form", ["table", "json"])
@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_an_answer_of_sql_does_nothing(form: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    printers = {"table": sql._table, "json": sql._json}
    printers[form](["label"], [(text,), (None,)])
    out = capsys.readouterr().out
    assert hidden(out) == set()
    assert "\x1b" not in out


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_json_reads_back_the_same_and_hides_nothing(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    echo_json({text: [text, "ไทย \U000e0041"]}, indent=1)
    out = capsys.readouterr().out
    assert json.loads(out) == {text: [text, "ไทย \U000e0041"]}
    assert "ไทย" in out
    assert hidden(out) == set()
