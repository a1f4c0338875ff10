"""The live table on a terminal of eighty columns."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from monitor.cli.render_live import print_rows
from monitor.cli.segments import watch_rows
from monitor.errors import Unreachable

LONG = "customer_tier=" + "an_enterprise_plan_with_a_long_name_" * 2


def row(segment: str, signal: str) -> dict[str, Any]:
    return {
        "segment": segment, "signal": signal, "verdict": "inconclusive", "pairs": 1234, "pairs_needed": 5678,
        "candidate": 1.0, "noise_floor": 0.01, "effect": 0.99, "lower": -0.56, "upper": 1.0, "evidence": 0.5,
        "explained_by": None,
    }  # fmt: skip


def test_a_long_name_hides_no_number_and_is_whole() -> None:
    text = StringIO()
    rows = [row(LONG, "confident_disagreement"), row("all", "answer")]
    verdict = {"verdict": "inconclusive", "route": "default", "pairs": 9, "segments": rows}
    print_rows(Console(file=text, width=80), verdict)
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    numbers = ["1234/5678", "100 %", "1 %", "+99 [-56,100]"]
    assert [
        n for line in lines if line.startswith(("customer", "all")) for n in numbers if n not in line
    ] == []
    assert (
        "".join(line.split()[0] for line in lines[2:] if line.strip() and not line.startswith(("all", " ")))
        == LONG
    )


def test_what_never_judges_is_not_said_to_wait() -> None:
    text = StringIO()
    rows = [{**row("all", "divergence"), "level": "show"}, {**row("all", "answer"), "level": "page"}]
    verdict = {"verdict": "ok", "route": "default", "pairs": 9, "segments": rows}
    print_rows(Console(file=text, width=80), verdict, everything=True)
    states = [line.split()[2:4] for line in text.getvalue().splitlines() if line.startswith("all")]
    assert states == [["shown", "1234/5678"], ["not", "yet"]]


def test_a_watched_monitor_that_stops_answering_is_waited_for_in_a_log_too() -> None:
    good = {"verdict": "ok", "route": "default", "pairs": 9, "segments": [row("all", "answer")]}
    changed = {**good, "segments": [{**row("all", "answer"), "verdict": "ok"}]}
    text, answers = StringIO(), iter([good, good, good, Unreachable("nobody is there"), changed])

    def ask() -> Any:
        answer = next(answers, KeyboardInterrupt())
        if isinstance(answer, BaseException):
            raise answer
        return answer

    with pytest.raises(KeyboardInterrupt):
        watch_rows(Console(file=text, width=80), ask, everything=True, pause=0)
    told = [line.split()[0] for line in text.getvalue().splitlines() if line.startswith(("all", "nobody"))]
    assert told == ["all", "nobody", "all"]
