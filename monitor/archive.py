"""Questions to the store that are not the pipeline's: latency, worst pairs, one segment, labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from monitor.board import Latency
from monitor.errors import BadInput
from monitor.records import Arm
from monitor.store import Row, Store
from monitor.vault import Vault

NEWEST: Final = 200_000
_ARMS: Final[tuple[Arm, ...]] = ("baseline", "candidate", "replay")
_WORST: Final = (
    "id", "time", "segments", "signal", "x", "x0", "label", "explanation", "baseline", "candidate", "texts",
    "baseline_seconds", "candidate_seconds",
)  # fmt: skip


def latency(store: Store, since: float, newest: int = NEWEST) -> dict[tuple[str, Arm], Latency]:
    """Exact p50 and p99 per (segment, arm) of the `newest` pairs received since `since`, warm-up left out."""
    found: dict[tuple[str, Arm], Latency] = {}
    for dimension, value, *columns in store.query("latency", {"since": since, "newest": newest}):
        segment = "all" if dimension == "all" else f"{dimension}={value}"
        for number, arm in enumerate(_ARMS):
            count, duration, ttft, confidence = columns[4 * number : 4 * number + 4]
            if count:
                (p50, p99), (first_p50, first_p99) = duration, ttft or (None, None)
                found[segment, arm] = Latency(p50, p99, first_p50, first_p99, confidence)
    return found


def parts_of(segment: str | None) -> dict[str, list[str]]:
    """`language=th,task=code` as `names` and `values`; none for None and `all`, which mean every pair."""
    parts = [] if segment is None or segment in {"", "all"} else segment.split(",")
    if not all("=" in part for part in parts):
        raise BadInput("segment", f"a segment looks like language=th, not {segment!r}")
    return {
        "names": [part.partition("=")[0] for part in parts],
        "values": [part.partition("=")[2] for part in parts],
    }


def worst_pairs(
    store: Store, segment: str | None, signal: str | None, limit: int, vault: Vault, *, first_seq: int = 0
) -> list[dict[str, Any]]:
    """The worst scores, newest first among equals. `texts` is None unless the store keeps text."""
    parameters = {"first": first_seq, "signal": signal, **parts_of(segment), "limit": limit}
    rows = store.query("worst_pairs", parameters)
    return [opened(dict(zip(_WORST, row[1:], strict=True)), vault) for row in rows]


def opened(pair: Mapping[str, Any], vault: Vault) -> dict[str, Any]:
    """A pair's row with its texts, and the explanation of its score if it is one, as they were kept."""
    texts, pair_id = pair["texts"], pair["id"]
    readable = texts and {
        name: None if text is None else vault.open(text, pair_id, name) for name, text in texts.items()
    }
    explained = "explanation" in pair and vault.open(pair["explanation"], pair_id, pair["signal"])
    return {**pair, "texts": readable, **({"explanation": explained} if "explanation" in pair else {})}


def about(store: Store, segment: str, first_seq: int = 0) -> dict[str, list[Row]]:
    """What the store knows of one segment, as rows of the queries that the keys name."""
    where = {"first": first_seq, **parts_of(segment)}
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


def probes(store: Store, until: float) -> list[Row]:
    """Latest result of every probe, findings first: (time, pack, probe, verdict, baseline, candidate, change)."""
    return store.query("report_probes", {"until": until})


def label_row(label: Mapping[str, Any], at: float) -> Row | None:
    """A row for `store_labels`; None where the label says nothing of a pair."""
    pair_id, source = label.get("id"), label.get("source", "api")
    answers = [label.get(f"{arm}_correct") for arm in ("baseline", "candidate")]
    known = all(value is None or isinstance(value, bool) for value in answers)
    if not isinstance(pair_id, str) or not isinstance(source, str) or not known or answers == [None, None]:
        return None
    return (pair_id, at, source, *answers)


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
