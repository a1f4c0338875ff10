"""The verdict table for a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from monitor.cli.rows import HEAD, Tests, cells, headline, shown, summary
from monitor.records import SegmentVerdict, Verdict

_STYLE = {"diverged": "bold red", "ok": "green", "inconclusive": "yellow"}
_RIGHT = {"pairs", "baseline", "candidate", "floor", "p"}
_WIDE = 120
_SPARED = {"baseline", "candidate", "p", "McNemar"}  # first to go on a narrow terminal


def wide_console() -> Console:
    """Standard output; a log or a file has no width, so rows are not folded there."""
    console = Console()
    return console if console.is_terminal else Console(width=_WIDE + 40)


def print_verdict(console: Console, verdict: Verdict, tests: Tests, *, everything: bool = False) -> None:
    """Headline, the rows that matter (or all), and how the rest came out."""
    console.print(f"[{_STYLE[verdict.verdict]}]{escape(headline(verdict))}[/]", highlight=False)
    rows = shown(verdict, everything=everything)
    if rows:
        console.print(_table(rows, tests, narrow=console.width < _WIDE))
    console.print(escape(summary(verdict)), style="dim", highlight=False)


def _table(rows: list[SegmentVerdict], tests: Tests, *, narrow: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    texts = [cells(row, tests) for row in rows]
    hidden = _SPARED if narrow else set()
    used = [i for i in range(len(HEAD)) if HEAD[i] not in hidden and any(text[i] for text in texts)]
    for i in used:
        table.add_column(HEAD[i], justify="right" if HEAD[i] in _RIGHT else "left", overflow="fold")
    for row, text in zip(rows, texts, strict=True):
        style = "dim" if row.explained_by else _STYLE[row.verdict]
        table.add_row(*(f"[{style}]{escape(text[i])}[/]" if i == 2 else escape(text[i]) for i in used))
    return table
