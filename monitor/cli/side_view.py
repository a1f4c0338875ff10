"""Two answers side by side, changed words marked; foreign text made inert."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from monitor.inert import inert, one_line, shortened
from monitor.worddiff import Side, side_by_side

_PROMPT = 300  # characters of the question shown below the answers
_ANSWER = 20_000  # characters of an answer that are compared; a terminal is no place for a megabyte


def difference(title: str, request: str, baseline: str, candidate: str) -> Table:
    """A table of two columns; the request is its caption."""
    table = Table(
        title=Text(f"\n{one_line(title)}"),
        title_justify="left",
        title_style="bold",
        caption_justify="left",
        caption_style="dim",
        expand=True,
    )
    left, right = side_by_side(printable(baseline), printable(candidate))
    table.add_column("baseline", ratio=1, overflow="fold")
    table.add_column("candidate", ratio=1, overflow="fold")
    table.caption = Text(printable(request, _PROMPT))
    table.add_row(_side(left, "red"), _side(right, "green"))
    return table


def _side(side: Side, colour: str) -> Text:
    """Changed words are coloured and underlined, so that they show without colour too."""
    text = Text()
    for span in side:
        text.append(span.text, style=f"{colour} underline" if span.changed else "")
    return text


def printable(text: str, limit: int = _ANSWER) -> str:
    """Answers are foreign: nothing that a terminal obeys or hides, and not without end."""
    return inert(shortened(text, limit)).replace("\t", " ")
