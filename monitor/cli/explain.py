"""`tailgate explain`: one segment's rows and its worst pairs, word by word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from monitor.cli.json_out import echo_json
from monitor.cli.options import config_from, config_options, format_option
from monitor.cli.rows import HEAD, cells
from monitor.cli.score import score_files
from monitor.cli.side_view import difference
from monitor.cli.source import source_options
from monitor.errors import UsageError
from monitor.inert import one_line
from monitor.recorded import Result, verdict_of
from monitor.records import Completion, Pair, Score, SegmentVerdict


@dataclass(frozen=True, slots=True)
class Case:
    """One bad pair and why."""

    pair: Pair
    score: Score


@click.command("explain")
@click.argument("segment")
@click.argument("pairs", nargs=-1, type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--control", multiple=True, type=click.Path(path_type=Path), help="Noise-floor arm, as for score."
)
@click.option("--signal", help="Only this signal; default: the segment's worst.")
@click.option("--limit", default=3, show_default=True, type=click.IntRange(1), help="Worst pairs to show.")
@source_options
@config_options()
@format_option("table", "json")
def command(
    *,
    segment: str,
    pairs: tuple[Path, ...],
    urls: Sequence[str],
    db: Path | None,
    control: tuple[Path, ...],
    signal: str | None,
    limit: int,
    path: Path | None,
    settings: tuple[str, ...],
    format_: str,
) -> None:
    """Show why SEGMENT (`dimension=value`, or `all`) came out as it did.

    With PAIRS from recorded pairs, else from a running monitor (--url) or its database (--db).
    """
    if not pairs:
        from monitor.cli.explain_live import explain_live

        explain_live(urls, db, segment, signal=signal, limit=limit, format_=format_)
        return
    config = config_from(path, settings, {})
    known: list[Pair] = []
    scored, source = score_files(pairs, config, [lambda pair, _: known.append(pair)])
    floor, floor_source = score_files(control, config)
    for note in (*source.notes, *floor_source.notes):
        click.echo(f"warning: {one_line(note, 2000)}", err=True)
    result = verdict_of(scored, floor, config, source)
    rows = chosen_rows(result, segment, signal)
    cases = worst_cases(result, known, rows[0], limit)
    if format_ == "json":
        echo_json(as_json(segment, rows, cases), indent=1)
    else:
        print_explanation(Console(), result, rows, cases)


def chosen_rows(result: Result, segment: str, signal: str | None) -> list[SegmentVerdict]:
    """The segment's rows, worst first; UsageError names what there is instead."""
    here = [row for row in result.verdict.segments if row.segment == segment]
    if not here:
        known = sorted({row.segment for row in result.verdict.segments})
        raise UsageError(f"no segment {segment!r}; there are: {', '.join(known)}")
    rows = [row for row in here if signal in {None, row.signal}]
    if not rows:
        signals = ", ".join(sorted(row.signal for row in here))
        raise UsageError(f"no signal {signal!r} in {segment}; there are: {signals}")
    rank = {"diverged": 0, "inconclusive": 1, "ok": 2}
    return sorted(rows, key=lambda row: (rank[row.verdict], row.level != "page", -(row.effect or 0)))


def worst_cases(result: Result, pairs: Sequence[Pair], row: SegmentVerdict, limit: int) -> list[Case]:
    """The pairs of the row with the highest scores."""
    cell = result.judgement.cells[row.segment, row.signal]
    bad = [(s, i) for s, i in zip(cell.scores, cell.members, strict=True) if s.value > 0]
    return [Case(pairs[i], s) for s, i in sorted(bad, key=lambda b: -b[0].value)[:limit]]


def as_json(segment: str, rows: Sequence[SegmentVerdict], cases: Sequence[Case]) -> Mapping[str, Any]:
    """Machine form: the rows' key figures and the worst pairs with both texts."""
    return {
        "segment": segment,
        "rows": [
            {
                "signal": r.signal, "verdict": r.verdict, "pairs": r.pairs, "pairs_needed": r.pairs_needed,
                "effect": r.effect, "lower": r.lower, "upper": r.upper, "p_value": r.p_value,
                "explained_by": r.explained_by, "examples": list(r.examples),
            }
            for r in rows
        ],
        "pairs": [
            {
                "id": c.pair.id, "signal": c.score.signal, "value": c.score.value, "label": c.score.label,
                "explanation": c.score.explanation, "prompt": c.pair.request.prompt,
                "baseline": shown(c.pair.baseline), "candidate": shown(c.pair.candidate),
            }
            for c in cases
        ],
    }  # fmt: skip


def print_explanation(
    console: Console, result: Result, rows: Sequence[SegmentVerdict], cases: Sequence[Case]
) -> None:
    """The rows, then each bad pair side by side."""
    first = rows[0]
    console.print(Text.assemble((one_line(first.segment), "bold"), f": {first.verdict}"))
    console.print(_facts(rows, result))
    if not cases:
        console.print(Text(f"no pair of {one_line(first.segment)} is worse in {first.signal}"))
    for case in cases:
        console.print(_case(case))


def _facts(rows: Sequence[SegmentVerdict], result: Result) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    texts = [cells(row, result.judgement.mcnemar) for row in rows]
    used = [i for i in range(1, len(HEAD)) if any(text[i] for text in texts)]
    for i in used:
        table.add_column(HEAD[i], overflow="fold")
    for text in texts:
        table.add_row(*(escape(text[i]) for i in used))
    return table


def _case(case: Case) -> Table:
    reason = " ".join(part for part in (case.score.label, case.score.explanation) if part)
    title = f"{case.pair.id}  {case.score.signal}: {reason}"
    return difference(title, case.pair.request.prompt, shown(case.pair.baseline), shown(case.pair.candidate))


def shown(answer: Completion) -> str:
    """What an arm said, as text: its words, its tool calls, or how it failed."""
    if answer.error_type is not None:
        return f"[{answer.error_type}] {answer.text}".rstrip()
    calls = (f"{call.name}({call.arguments})" for call in answer.tool_calls)
    return "\n".join(part for part in (answer.text, *calls) if part)
