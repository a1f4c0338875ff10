"""Tables of a live verdict (the verdict JSON) for people: readable at 80 columns and in CI logs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from monitor.inert import one_line
from monitor.summary import HINTS, STAGES

Json = Mapping[str, Any]
STYLE = {"diverged": "bold red", "ok": "green", "inconclusive": "yellow"}
WIDE = 90
SHORT = {"diverged": "diverged", "ok": "ok", "inconclusive": "not yet"}


def _clean(text: object) -> str:
    """Text of foreign origin: no markup, nothing that a terminal obeys or hides."""
    return escape(one_line(text))


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.0f} %"


def _effect(row: Json) -> str:
    if row["effect"] is None:
        return ""
    if row["lower"] is None or row["upper"] is None:
        return f"{100 * row['effect']:+.0f}"
    return f"{100 * row['effect']:+.0f} [{100 * row['lower']:.0f},{100 * row['upper']:.0f}]"


def _pairs(row: Json) -> str:
    needed = row["pairs_needed"]
    return f"{row['pairs']}/{needed}" if needed and row["verdict"] == "inconclusive" else str(row["pairs"])


def chosen_rows(verdict: Json, *, everything: bool = False, only_diverged: bool = False) -> list[Json]:
    """All rows, the diverged ones, or the first (worst) of each segment."""
    rows: Iterable[Json] = verdict["segments"]
    if only_diverged:
        return [row for row in rows if row["verdict"] == "diverged" and row["explained_by"] is None]
    if everything:
        return list(rows)
    first: dict[str, Json] = {}
    for row in rows:
        first.setdefault(row["segment"], row)
    return list(first.values())


def rows_table(
    verdict: Json, *, everything: bool = False, only_diverged: bool = False, width: int = 80
) -> Table:
    """Segment rows as a table; the title is the route's verdict. Evidence is shown where it fits."""
    columns = ("pairs", "rate", "floor", "excess", *(("evidence",) if width >= WIDE else ()))
    state = verdict["verdict"]
    title = f"[{STYLE[state]}]{state}[/]  {_clean(verdict['route'])}, {verdict['pairs']} pairs"
    table = Table(
        title=title, title_justify="left", box=None, pad_edge=False, header_style="bold", show_edge=False
    )
    # Long names are folded: cut off they could not be copied, and whole they would push the numbers out of sight.
    table.add_column("segment", overflow="fold", max_width=max(24, width - 56))
    table.add_column("signal", overflow="fold", max_width=max(12, width - 64))
    table.add_column("verdict", no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for row in chosen_rows(verdict, everything=everything, only_diverged=only_diverged):
        table.add_row(*_cells(row)[: 3 + len(columns)])
    return table


def _state(row: Json) -> tuple[str, str]:
    """The row's word and its style; what never judges is not waiting for pairs."""
    if row["explained_by"] is not None:
        return "explained", "dim"
    if row.get("level") not in {None, "page", "ticket"}:
        return "shown", "dim"
    return SHORT[row["verdict"]], STYLE[row["verdict"]]


def _cells(row: Json) -> tuple[str, ...]:
    word, style = _state(row)
    return (
        _clean(row["segment"]),
        row["signal"],
        f"[{style}]{word}[/]",
        _pairs(row),
        _percent(row["candidate"]),
        _percent(row["noise_floor"]),
        _effect(row),
        ""
        if row["evidence"] is None
        else f"{row['evidence']:.0e}"
        if row["evidence"] < 0.1
        else f"{row['evidence']:.1f}",
    )


def explanations(verdict: Json) -> list[str]:
    """`explained by X: a, b, c`, one line per culprit."""
    found: dict[str, dict[str, None]] = {}
    for row in verdict["segments"]:
        if row["explained_by"] is not None:
            found.setdefault(row["explained_by"], {})[row["segment"]] = None
    return [f"explained by {culprit}: {', '.join(rows)}" for culprit, rows in found.items()]


def print_rows(
    console: Console, verdict: Json, *, everything: bool = False, only_diverged: bool = False
) -> None:
    """The table of rows."""
    table = rows_table(verdict, everything=everything, only_diverged=only_diverged, width=console.width)
    console.print(table)
    for line in explanations(verdict):
        console.print(_clean(line), style="dim", highlight=False)


def print_warnings(console: Console, verdict: Json) -> None:
    """One line per warning."""
    for warning in verdict["warnings"]:
        console.print(f"[yellow]warning[/] {_clean(warning)}", highlight=False)


def print_funnel(console: Console, funnel: Json) -> None:
    """Stages, then every reason with its share and what to do about it."""
    total = max(1, funnel["eligible"])
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    table.add_column("funnel")
    table.add_column("requests", justify="right")
    table.add_column("share", justify="right")
    table.add_column("")
    for stage, meaning in STAGES.items():
        table.add_row(stage, str(funnel[stage]), f"{100 * funnel[stage] / total:.1f} %", meaning)
    for reason, count in sorted(funnel["skipped"].items(), key=lambda item: -item[1]):
        table.add_row(
            f"  skipped {_clean(reason)}", str(count), f"{100 * count / total:.1f} %", HINTS.get(reason, "")
        )
    for reason, count in funnel.get("excluded", {}).items():
        table.add_row(f"  not eligible: {_clean(reason)}", str(count), "", HINTS.get(reason, ""))
    console.print(table)


def print_capabilities(console: Console, capabilities: Mapping[str, Mapping[str, bool | None]]) -> None:
    """One line per server that was asked what it can do."""
    for arm, known in capabilities.items():
        groups = {"can": True, "cannot": False, "not known": None}
        said = [
            f"{words}: {', '.join(names)}"
            for words, state in groups.items()
            if (names := [name for name, works in known.items() if works is state])
        ]
        console.print(f"{_clean(arm)} {'; '.join(said)}", style="dim", highlight=False)
