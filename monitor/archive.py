"""Questions to the store that are not the pipeline's: latency, worst pairs, labels, erasure, retention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from monitor.board import Latency
from monitor.errors import BadInput
from monitor.records import Arm
from monitor.store import Row, Store

_WORST: Final = (
    "id", "time", "segments", "signal", "x", "x0", "label", "explanation", "baseline", "candidate", "texts",
    "baseline_seconds", "candidate_seconds",
)  # fmt: skip


def latency(store: Store, since: float) -> dict[tuple[str, Arm], Latency]:
    """Exact p50 and p99 per (segment, arm) of pairs received since `since`, warm-up left out."""
    found: dict[tuple[str, Arm], Latency] = {}
    for dimension, value, role, duration, ttft, confidence, _ in store.query("latency", {"since": since}):
        segment = "all" if dimension == "all" else f"{dimension}={value}"
        p50, p99 = duration or (None, None)
        first_p50, first_p99 = ttft or (None, None)
        found[segment, role] = Latency(p50, p99, first_p50, first_p99, confidence)
    return found


def parts_of(segment: str | None) -> list[str]:
    """`language=th,task=code` as its parts; none for None and `all`, which mean every pair."""
    if segment is None or segment in {"", "all"}:
        return []
    parts = segment.split(",")
    if not all("=" in part for part in parts):
        raise BadInput("segment", f"a segment looks like language=th, not {segment!r}")
    return parts


def worst_pairs(
    store: Store, segment: str | None, signal: str | None, limit: int, first_seq: int = 0
) -> list[dict[str, Any]]:
    """The worst scores, newest first among equals. `texts` is None unless the store keeps text."""
    parameters = {"first": first_seq, "signal": signal, "parts": parts_of(segment), "limit": limit}
    rows = store.query("worst_pairs", parameters)
    return [dict(zip(_WORST, row[1:], strict=True)) for row in rows]


def about(store: Store, segment: str, first_seq: int = 0) -> dict[str, list[Row]]:
    """What the store knows of one segment, as rows of the queries that the keys name."""
    where = {"first": first_seq, "parts": parts_of(segment)}
    ((since,),) = store.query("SELECT min(received_at) FROM pairs WHERE seq >= $first", {"first": first_seq})
    return {
        "history": store.query("history", where),
        "reasons": store.query("reasons", where),
        "alarms": store.query("alarms", {"segment": segment}),
        "trail": store.query("trail", {"segment": segment, "since": since or 0.0}),
        "outcomes": store.query("outcomes", where),
    }


def trails(store: Store, since: float) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """Evidence over time per (segment, signal): the newest steps as (UNIX seconds, evidence)."""
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for segment, signal, at, evidence in store.query("trails", {"since": since}):
        found.setdefault((segment, signal), []).append((at, evidence))
    return found


def changes(store: Store) -> list[tuple[float, str]]:
    """Which candidates served (since, identity), newest first."""
    rows = store.query("SELECT since, identity FROM candidates ORDER BY since DESC LIMIT 20")
    return [(since, identity) for since, identity in rows]


def store_labels(store: Store, rows: Sequence[Row]) -> None:
    """Delayed labels: (id, received_at, source, baseline_correct, candidate_correct)."""
    for pair_id, at, source, baseline, candidate in rows:
        values = {"id": pair_id, "at": at, "source": source, "baseline": baseline, "candidate": candidate}
        store.write("INSERT INTO labels VALUES ($id, $at, $source, $baseline, $candidate)", values)


def store_probes(store: Store, rows: Sequence[Row]) -> None:
    """Probe results, one statement: (time, pack, probe, verdict, baseline, candidate, change)."""
    names = ("time", "pack", "probe", "verdict", "baseline", "candidate", "change")
    columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)) if rows else {}
    if columns:
        store.write(f"INSERT INTO probes SELECT {', '.join(f'unnest(${name})' for name in names)}", columns)


def erase(store: Store, subject_key: str, now: float) -> int:
    """Delete a data subject's pairs, scores and labels, and fold the write-ahead log; how many pairs.

    Freed blocks of the file are reused, not wiped: with `store.text: full` erase the file as well.
    """
    key = {"key": subject_key}
    ((pairs,),) = store.query("SELECT count(*) FROM pairs WHERE subject_key = $key", key)
    store.write("DELETE FROM labels WHERE id IN (SELECT id FROM pairs WHERE subject_key = $key)", key)
    store.write("DELETE FROM scores WHERE seq IN (SELECT seq FROM pairs WHERE subject_key = $key)", key)
    store.write("DELETE FROM pairs WHERE subject_key = $key", key)
    note(store, now, "erase", f"{pairs} pairs")
    store.write("CHECKPOINT")
    return int(pairs)


def note(store: Store, now: float, action: str, detail: str) -> None:
    """One line of the audit: what was done and how much, never to whom."""
    values = {"now": now, "action": action, "detail": detail}
    store.write("INSERT INTO audit VALUES ($now, $action, $detail)", values)


def purge(store: Store, before: float) -> None:
    """Delete what is older than `before`: pairs with their scores, events, evidence over time."""
    for query in ("purge_scores", "purge_pairs", "purge_trail", "purge_events"):
        store.write(query, {"before": before})


def oldest(store: Store) -> float | None:
    """When the oldest stored pair was received."""
    ((at,),) = store.query("SELECT min(received_at) FROM pairs")
    return None if at is None else float(at)
