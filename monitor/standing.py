"""How the route stands: evidence, examples and funnel, restored from the store and kept beside it.

The scores in the store are the log. On start the last snapshot of the evidence is loaded and the
blocks behind it are applied again, candidate changes at their places, so that a killed monitor goes
on with the same bits as one that never died.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from monitor import logged
from monitor.capabilities import Capabilities, capabilities_of
from monitor.config import Config
from monitor.display import Display, ShownPair
from monitor.evidence import Engine, Event
from monitor.funnel import restored
from monitor.hypotheses import Settings
from monitor.labelled import Labelled
from monitor.ledger import Keys, Row, pair_row, score_rows
from monitor.records import Segment
from monitor.segments import segment_names
from monitor.settling import Block
from monitor.store import Batch, Snapshot, Store

_END = "log_end"
SNAPSHOT_BLOCKS = 64
LABELS = 32
"""Delayed labels per block, of which there is about one per second."""
MEMBERS = 20_000
"""Pairs that are looked at to explain one divergence by another."""


class Member(NamedTuple):
    """One score and where it counts; x0 is nan without a replay."""

    seq: int
    segments: tuple[Segment, ...]
    signal: str
    x: float
    x0: float


def end_of(store: Store) -> tuple[int, float]:
    """Last sequence number and event time ever given out: the rows that had them may have been deleted."""
    ((seq, at),) = store.query("SELECT max(seq), max(received_at) FROM pairs")
    kept_seq, kept_at = json.loads(store.mapping("meta").get(_END, "[0, 0.0]"))
    return max(seq or 0, kept_seq), max(at or 0.0, kept_at)


def remember_end(store: Store) -> None:
    """Before rows are deleted: a number given out twice would be taken for one that was exported."""
    store.remember(_END, json.dumps(end_of(store)))


class Standing:
    """State of one route. `apply` and `candidate_changed` from one thread at a time; reads lock."""

    def __init__(self, config: Config, store: Store, secret: bytes) -> None:
        self.config = config
        self.store = store
        self.keys = Keys(secret)
        self.lock = threading.RLock()
        self.engine = Engine(Settings.of(config))
        self.display = Display()
        self.seq, self.event_time = end_of(store)
        self.tally = restored(
            store.mapping("funnel"), store.query("SELECT stream, name, value FROM capture_counters")
        )
        self._pending_candidate: Row | None = None
        self._pending_events: list[Event] = []
        self.labels_waiting = True
        """Whether labels may have come that are not counted."""
        self.capabilities = capabilities_of(store.mapping("meta").get("capabilities", ""))
        self.identity = self._restore()

    def _restore(self) -> str | None:
        """Snapshot, then the log behind it; returns the identity of the last candidate."""
        changes = self.store.query("SELECT seq, since, identity FROM candidates ORDER BY seq, since")
        identity = changes[-1][2] if changes else None
        snapshot = self.store.snapshot()
        resumed = 0
        if snapshot is not None:
            evidence, display = split(snapshot.body)
            if not self.engine.restore(evidence):
                self._start_afresh()
                return identity
            self.display, resumed = Display.load(display), snapshot.block
        log = self.store.query("replay_log", {"block": resumed})
        first = log[0][0] if log else self.seq + 1
        labels = self.store.query("labels_log", {"block": resumed})
        self._apply_log(log, labels, [change for change in changes if change[0] >= first])
        return identity

    def _start_afresh(self) -> None:
        """Another configuration: the log was scored under other rules and proves nothing now."""
        ((block,),) = self.store.query(
            "SELECT greatest((SELECT max(block) FROM pairs), (SELECT max(block) FROM labelled))"
        )
        self.engine.blocks = max(self.engine.blocks, block or 0)
        self.display.restart(self.event_time, self.seq + 1)

    def _apply_log(self, log: Sequence[Row], labels: Sequence[Row], changes: Sequence[Row]) -> None:
        waiting, late = deque(changes), deque(list(group) for _, group in groupby(labels, lambda row: row[8]))
        for number, group in groupby(log, key=lambda row: row[1]):
            rows = list(group)
            while late and late[0][0][8] < number:
                self._replay_labels(late.popleft())
            while waiting and waiting[0][0] <= rows[0][0]:
                seq, since, _ = waiting.popleft()
                self._change_candidate(since, seq)
            for block in logged.of_rows(rows, self.config.crosses):
                self.engine.apply(block)
            self._show(rows[0][2], [logged.shown_row(row, self.config.crosses) for row in rows])
        for rest in late:
            self._replay_labels(rest)

    def _replay_labels(self, rows: Sequence[Row]) -> None:
        self._apply_labels([Labelled.of_row(row[:8]) for row in rows], rows[0][9])

    def _apply_labels(self, labels: Sequence[Labelled], time: float) -> list[Event]:
        crosses = self.config.crosses
        self.display.labelled(
            [label.measured(crosses) for label in labels],
            [((name, "label"), label.id) for label in labels if label.lost for name in label.names(crosses)],
        )
        return self.engine.apply([label.observation(time, crosses) for label in labels])

    def _change_candidate(self, since: float, seq: int) -> list[Event]:
        """The first candidate ever has nothing to clear: the opening lump is for it."""
        events = [] if self.engine.ledger is None else self.engine.new_candidate(since)
        self.display.restart(since, seq)
        return events

    def _show(self, start: float, pairs: Sequence[ShownPair]) -> None:
        if self.display.since is None:
            self.display.since = start
        self.display.add(pairs)

    def apply(self, block: Block) -> Batch:
        """Evidence, examples and rows of one block."""
        observations = [logged.of_entry(entry, self.config.crosses) for entry in block.entries]
        with self.lock:
            events = [*self._pending_events, *self.engine.apply(observations)]
            shown = [logged.shown_entry(entry, self.config.crosses) for entry in block.entries]
            self._show(block.entries[0].time, shown)
            steps = [(block.entries[-1].time, *key, evidence) for key, evidence in self.engine.moved()]
            self.seq, self.event_time = block.entries[-1].seq, block.entries[-1].time
            candidate, self._pending_candidate, self._pending_events = self._pending_candidate, None, []
            snapshot = self._snapshot(block.number) if block.number % SNAPSHOT_BLOCKS == 0 else None
        scored_at = time.time()
        return Batch(
            pairs=[pair_row(entry, block.number, scored_at) for entry in block.entries],
            scores=[row for entry in block.entries for row in score_rows(entry)],
            events=[_event_row(event) for event in events],
            trail=steps,
            candidate=candidate,
            snapshot=snapshot,
        )

    def label(self, number: int, now: float) -> Batch | None:
        """Evidence and rows of labels that wait, as block `number`; None where none does.

        Theirs is a block of its own: those of pairs are cut by the pairs alone. A day's labels come at
        once and a detector is paid by the second, so they are counted a few at a time.
        """
        with self.lock:
            if not self.labels_waiting or self.engine.ledger is None:
                return None
            at, parameters = max(now, self.event_time), {"first": self.display.first_seq, "limit": LABELS}
            due = [Labelled.of_row(row) for row in self.store.query("labels_due", parameters)]
            self.labels_waiting = len(due) == LABELS
            if not due:
                return None
            events = self._apply_labels(due, at)
            steps = [(at, *key, evidence) for key, evidence in self.engine.moved()]
        return Batch(
            scores=[label.row() for label in due],
            events=[_event_row(event) for event in events],
            trail=steps,
            labelled=[(number, at, label.seq) for label in due],
        )

    def _snapshot(self, block: int) -> Snapshot:
        body = joined(self.engine.snapshot(), self.display.dump())
        return Snapshot(block, time.time(), self.config.hash, body)

    def final_batch(self) -> Batch | None:
        """A last snapshot for a quick start; None where nothing was ever applied."""
        with self.lock:
            if self.engine.ledger is None:
                return None
            return Batch(snapshot=self._snapshot(self.engine.blocks))

    def candidate_changed(self, identity: str, capabilities: str, now: float) -> None:
        """Counting starts again. Committed with the next block, at the same place of the log."""
        with self.lock:
            first = self.identity is None and self.engine.ledger is None
            self.identity = identity
            since = now if first else max(now, self.event_time)
            self._pending_candidate = (self.seq + 1, since, identity, capabilities)
            self._pending_events += self._change_candidate(since, self.seq + 1)

    @property
    def is_changing(self) -> bool:
        """Whether another candidate was announced and no pair of it is committed yet."""
        return self._pending_candidate is not None

    def forget(self, ids: Collection[str]) -> None:
        """Name these pairs as examples no more."""
        with self.lock:
            self.display.forget(set(ids))

    def probed(self, capabilities: Capabilities) -> None:
        """What both servers can do, found out a little after it was known who answers."""
        with self.lock:
            self.capabilities = capabilities
            if self._pending_candidate is not None:
                self._pending_candidate = (*self._pending_candidate[:3], str(capabilities))
        self.store.remember("capabilities", str(capabilities))

    def segments(self, dims: Mapping[str, str]) -> tuple[Segment, ...]:
        """Segment names of one exchange."""
        return segment_names(dims, self.config.crosses)

    def members(self, signals: Sequence[str], limit: int = MEMBERS) -> Iterator[Member]:
        """Recent scores of the given signals since the last candidate change."""
        parameters = {"first": self.display.first_seq, "signals": list(signals), "limit": limit}
        for seq, _, segments, signal, x, x0 in self.store.query("members", parameters):
            names = logged.segments_of_row(segments, self.config.crosses)
            yield Member(seq, names, signal, x, float("nan") if x0 is None else x0)

    def legs(self, limit: int = MEMBERS) -> Iterator[tuple[int, tuple[Segment, ...], Sequence[float | None]]]:
        """Comparable seconds of recent pairs, warm-up and cache hits left out."""
        parameters = {"first": self.display.first_seq, "limit": limit}
        for seq, segments, seconds in self.store.query("legs", parameters):
            yield seq, logged.segments_of_row(segments, self.config.crosses), seconds


def _event_row(event: Event) -> Row:
    return (event.time, event.kind, event.segment, event.signal, event.evidence)


def joined(evidence: bytes, display: bytes) -> bytes:
    """The body of a snapshot."""
    return len(evidence).to_bytes(8, "big") + evidence + display


def split(body: bytes) -> tuple[bytes, bytes]:
    """Evidence and display of a snapshot's body."""
    length = int.from_bytes(body[:8], "big")
    return body[8 : 8 + length], body[8 + length :]
