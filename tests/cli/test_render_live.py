"""The live table on a terminal of eighty columns."""

from __future__ import annotations

from io import StringIO
from typing import Any

from rich.console import Console

from monitor.cli.render_live import print_rows

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
