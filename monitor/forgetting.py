"""What the store forgets and gives out about people: erasure, retention, export of one subject.

Deleted rows leave their bytes in the database file, in blocks that are free or shared with rows that
stay; only `Store.compact`, which copies what is left into a fresh file, makes them go. Every step says
in the audit what was done and to how many pairs, never to whom.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from monitor.archive import opened
from monitor.display import Display
from monitor.standing import joined, remember_end, split
from monitor.store import Row, Store
from monitor.vault import Vault

_ERASED: Final = "erased:"
_TOPIC_SECONDS: Final = 8 * 86_400.0
"""A topic of scores keeps its records for seven days: for longer than a store, perhaps."""
_PAIR: Final = (
    "id", "received_at", "segments", "operation", "collector", "flags", "baseline", "candidate", "replay", "texts",
)  # fmt: skip
NAMELESS: Final = "privacy.subject is not set: what is scored now names no subject and cannot be found by one"


def note(store: Store, now: float, action: str, detail: str) -> None:
    """One line of the audit: what was done and how much, never to whom."""
    values = {"now": now, "action": action, "detail": detail}
    store.write("INSERT INTO audit VALUES ($now, $action, $detail)", values)


def remark(subject_header: str | None) -> dict[str, str]:
    """What an erasure says beside its counts; `subject_header` is `privacy.subject`."""
    return {} if subject_header else {"note": NAMELESS}


def mark(store: Store, subject_key: str, now: float) -> None:
    """Remember that a data subject was erased now: what is still under way comes later, even after a restart."""
    store.remember(_ERASED + subject_key, str(now))


def marks(store: Store) -> dict[str, float]:
    """Keyed hashes of who was erased, and when (UNIX seconds)."""
    found = store.mapping("meta").items()
    return {key.removeprefix(_ERASED): float(at) for key, at in found if key.startswith(_ERASED)}


def pairs_of(store: Store, subject_key: str) -> list[str]:
    """Ids of a data subject's pairs."""
    rows = store.query("SELECT id FROM pairs WHERE subject_key = $key", {"key": subject_key})
    return [row[0] for row in rows]


def erase(store: Store, subject_key: str, now: float) -> int:
    """Delete a data subject's pairs, scores and labels, their bytes included; how many pairs.

    Asked again after a death or a failure in the middle it does the rest: pairs go last of the rows,
    and bytes that are still owed go even where no row is left.
    """
    gone = pairs_of(store, subject_key)
    if gone:
        store.owe_compaction()
        remember_end(store)
        _forget_examples(store, gone)
        key = {"key": subject_key}
        store.write("DELETE FROM labels WHERE id IN (SELECT id FROM pairs WHERE subject_key = $key)", key)
        store.write("DELETE FROM labelled WHERE seq IN (SELECT seq FROM pairs WHERE subject_key = $key)", key)
        store.write("DELETE FROM scores WHERE seq IN (SELECT seq FROM pairs WHERE subject_key = $key)", key)
        store.write("DELETE FROM pairs WHERE subject_key = $key", key)
    if store.compaction_due:
        store.compact()
    note(store, now, "erase", f"{len(gone)} pairs")
    return len(gone)


def _forget_examples(store: Store, ids: Collection[str]) -> None:
    """Ids of worst pairs travel in the snapshot; one that is taken meanwhile no longer has them."""
    snapshot = store.snapshot()
    if snapshot is None:
        return
    evidence, shown = split(snapshot.body)
    display = Display.load(shown)
    display.forget(ids)
    values = {"block": snapshot.block, "body": joined(evidence, display.dump())}
    store.write("UPDATE snapshots SET body = $body WHERE block = $block", values)


def purge(store: Store, *, pairs_before: float, text_before: float) -> int:
    """Delete pairs received before `pairs_before` with all that belongs to them, and texts received
    before `text_before`; how many pairs lost something."""
    ((old,),) = store.query(
        "SELECT count(*) FROM pairs WHERE received_at < $before", {"before": pairs_before}
    )
    ((texts,),) = store.query(
        "SELECT count(*) FROM pairs WHERE texts IS NOT NULL AND received_at >= $pairs AND received_at < $texts",
        {"pairs": pairs_before, "texts": text_before},
    )
    if old:
        remember_end(store)
    if old or texts:
        store.owe_compaction()
    store.write("purge_erased", {"before": pairs_before - _TOPIC_SECONDS})
    for query in (
        "purge_labels",
        "purge_scores",
        "purge_labelled",
        "purge_pairs",
        "purge_trail",
        "purge_events",
        "purge_probes",
    ):
        store.write(query, {"before": pairs_before})
    if texts:
        store.write("purge_explanations", {"before": text_before})
        store.write("purge_texts", {"before": text_before})
    return int(old + texts)


def oldest(store: Store) -> tuple[float | None, float | None]:
    """When the oldest stored pair, and the oldest one with text, was received."""
    ((pair, text),) = store.query(
        "SELECT min(received_at), min(received_at) FILTER (texts IS NOT NULL) FROM pairs"
    )
    return pair, text


def export(store: Store, subject_key: str, vault: Vault) -> list[dict[str, Any]]:
    """Everything that is kept about a data subject, a dict per pair, oldest first (GDPR art. 15, 20)."""
    found = []
    for seq, *values in store.query("subject_pairs", {"key": subject_key}):
        pair = opened(dict(zip(_PAIR, values, strict=True)), vault)
        scores = store.query("subject_scores", {"seq": seq})
        found.append({**pair, "scores": [_score(row, pair["id"], vault) for row in scores]})
    return found


def _score(row: Row, pair_id: str, vault: Vault) -> dict[str, Any]:
    signal, x, label, explanation = row
    return {"signal": signal, "x": x, "label": label, "explanation": vault.open(explanation, pair_id, signal)}
