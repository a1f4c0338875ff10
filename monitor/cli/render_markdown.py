"""The verdict as GitHub-flavoured Markdown, good enough for a job summary."""

from __future__ import annotations

from collections.abc import Iterable

from monitor.cli.rows import HEAD, Tests, cells, headline, shown, summary
from monitor.inert import in_markdown
from monitor.records import SegmentVerdict, Verdict

_MARK = {"ok": "✅", "diverged": "❌", "inconclusive": "⚠️"}
_MOST = 200  # rows under the fold; GitHub cuts a job summary at 1 MiB


def markdown(verdict: Verdict, tests: Tests) -> str:
    """Headline, unexplained divergence, warnings, then every row under a fold."""
    parts = [
        f"## {_MARK[verdict.verdict]} Tailgate: {in_markdown(headline(verdict))}",
        _facts(verdict),
    ]
    if rows := shown(verdict):
        parts.append(_table(rows, tests))
    if verdict.warnings:
        parts.append("**Warnings**\n\n" + "\n".join(f"- {in_markdown(w, 2000)}" for w in verdict.warnings))
    if verdict.segments:
        parts.append(_fold(verdict.segments, tests))
    return "\n\n".join(parts) + "\n"


def _facts(verdict: Verdict) -> str:
    where = (
        f"Route {in_markdown(verdict.route)}, {verdict.pairs} pairs, configuration `{verdict.config_hash}`."
    )
    return f"{where} {summary(verdict)}."


def _fold(rows: tuple[SegmentVerdict, ...], tests: Tests) -> str:
    kept = rows[:_MOST]
    rest = f"\n\n{len(rows) - _MOST} more rows in the JSON." if len(rows) > _MOST else ""
    return f"<details><summary>{len(kept)} of {len(rows)} rows</summary>\n\n{_table(kept, tests)}{rest}\n\n</details>"


def _table(rows: Iterable[SegmentVerdict], tests: Tests) -> str:
    lines = [_line(HEAD), "|" + " --- |" * len(HEAD)]
    lines += [_line(_row(cells(row, tests))) for row in rows]
    return "\n".join(lines)


def _row(texts: tuple[str, ...]) -> Iterable[str]:
    segment, *rest = texts
    yield "`" + segment.replace("`", "'").replace("|", "\\|") + "`"
    yield from map(in_markdown, rest)


def _line(texts: Iterable[str]) -> str:
    return "| " + " | ".join(texts) + " |"
