"""`tailgate explain` on a running monitor or its database: rows, then the worst pairs that are stored."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from monitor.cli.json_out import echo_json
from monitor.cli.render_live import print_rows
from monitor.cli.side_view import difference
from monitor.cli.source import DEFAULT_URL, get, verdicts
from monitor.errors import UsageError
from monitor.inert import one_line

Json = Mapping[str, Any]


def explain_live(
    urls: Sequence[str], db: Path | None, segment: str, *, signal: str | None, limit: int, format_: str
) -> None:
    """Print one segment's rows and worst pairs. UsageError names the segments that there are."""
    verdict = verdicts(urls[:1], db)[0]
    rows = chosen(verdict, segment, signal)
    pairs = _pairs(urls, db, segment, rows[0]["signal"] if signal is None else signal, limit)
    if format_ == "json":
        echo_json({"segment": segment, "rows": rows, "pairs": pairs}, indent=1)
        return
    console = Console()
    print_rows(console, {**verdict, "segments": rows}, everything=True)
    for pair in pairs:
        console.print(_case(pair))
    if not pairs:
        console.print("no pair with a score is stored")


def chosen(verdict: Json, segment: str, signal: str | None) -> list[Json]:
    """The segment's rows in the verdict's order (worst first)."""
    here = [row for row in verdict["segments"] if row["segment"] == segment]
    if not here:
        known = sorted({row["segment"] for row in verdict["segments"]})
        raise UsageError(f"no segment {segment!r}; there are: {', '.join(known) or 'none yet'}")
    rows = [row for row in here if signal in {None, row["signal"]}]
    if not rows:
        signals = ", ".join(sorted(row["signal"] for row in here))
        raise UsageError(f"no signal {signal!r} in {segment}; there are: {signals}")
    return rows


def _pairs(urls: Sequence[str], db: Path | None, segment: str, signal: str, limit: int) -> Sequence[Json]:
    if db is not None:
        from monitor.archive import worst_pairs
        from monitor.cli.sealed import vault_of
        from monitor.store import Store
        from monitor.vault import Vault

        with closing(Store(db)) as store:
            return worst_pairs(store, segment, signal, limit, vault_of(store) or Vault(b""))
    url = urls[0] if urls else DEFAULT_URL
    found: list[Json] = get(url, "/api/v1/pairs", segment=segment, signal=signal, limit=limit)["pairs"]
    return found


def _case(pair: Json) -> Table | Text:
    received = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(pair["time"]))
    words = " ".join(part for part in (pair["label"], pair["explanation"]) if part)
    title = f"{pair['id']}  {received}Z  {pair['signal']} {pair['x']:.2f}  {words}"
    texts = pair["texts"]
    if not texts:
        return Text(one_line(f"{title}  (text is not kept: store.text is none)"))
    return difference(title, texts["request"] or "", texts["baseline"] or "", texts["candidate"] or "")
