"""How the route stands: evidence, examples and funnel, restored from the store and kept beside it.

The scores in the store are the log. On start the last snapshot of the evidence is loaded and the
blocks behind it are applied again, candidate changes at their places, so that a killed monitor goes
on with the same bits as one that never died.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from monitor import logged
from monitor.config import Config
from monitor.evidence import Engine, Event
from monitor.funnel import restored
from monitor.hypotheses import Settings
from monitor.ledger import Keys, Row, pair_row, score_rows, texts_of, token_maker
from monitor.logged import UNHEALTHY
from monitor.means import Means, Measured
from monitor.pipeline import Block
from monitor.records import Score, Segment
from monitor.segments import segment_names
from monitor.store import Batch, Snapshot, Store

SNAPSHOT_BLOCKS = 64
EXAMPLES = 5
FIRED = 0.5


class Standing:
    """State of one route. `apply` and `candidate_changed` from one thread at a time; reads lock."""

    def __init__(self, config: Config, store: Store, secret: bytes) -> None:
        self.config = config
        self.store = store
        self.keys = Keys(secret)
        self.lock = threading.RLock()
        self._token = token_maker(secret)
        self.engine = Engine(Settings.of(config))
        self.examples: dict[tuple[Segment, str], deque[str]] = {}
        self.means = Means()
        self.counts: Counter[Segment] = Counter()
        self.illness: Counter[tuple[Segment, str]] = Counter()
        self.replayed = 0
        self.since: float | None = None
        self.first_seq = 0
        self.seq, self.event_time = self._last()
        self.tally = restored(
            store.mapping("funnel"), store.query("SELECT stream, name, value FROM capture_counters")
        )
        self._pending_candidate: Row | None = None
        self._pending_events: list[Event] = []
        self.identity = self._restore()

    def _last(self) -> tuple[int, float]:
        ((seq, at),) = self.store.query("SELECT max(seq), max(received_at) FROM pairs")
        return seq or 0, at or 0.0

    def _restore(self) -> str | None:
        """Snapshot, then the log behind it; returns the identity of the last candidate."""
        changes = self.store.query("SELECT seq, since, identity FROM candidates ORDER BY seq, since")
        snapshot = self.store.snapshot()
        resumed = 0
        if snapshot is not None:
            with_state = self.engine.restore(snapshot.body)
            resumed = snapshot.block
            if not with_state:
                self._start_afresh()
                return changes[-1][2] if changes else None
        log = self.store.query("replay_log", {"block": resumed})
        first = log[0][0] if log else self.seq + 1
        for seq, since, _ in changes:
            if seq < first:
                self.since, self.first_seq = since, seq
        self._apply_log(log, [change for change in changes if change[0] >= first])
        if self.since is None and log:
            self.since = log[0][2]
        return changes[-1][2] if changes else None

    def _start_afresh(self) -> None:
        """Another configuration: the log was scored under other rules and proves nothing now."""
        ((block,),) = self.store.query("SELECT max(block) FROM pairs")
        self.engine.blocks = max(self.engine.blocks, block or 0)
        self.since, self.first_seq = self.event_time, self.seq + 1

    def _apply_log(self, log: Sequence[Row], changes: Sequence[Row]) -> None:
        waiting = deque(changes)
        for _, group in groupby(log, key=lambda row: row[1]):
            rows = list(group)
            while waiting and waiting[0][0] <= rows[0][0]:
                seq, since, _ = waiting.popleft()
                self.engine.new_candidate(since)
                self.since, self.first_seq = since, seq
                self._forget()
            for block in logged.of_rows(rows, self.config.crosses):
                self.engine.apply(block)
            self._remember_rows(rows)

    def _remember_rows(self, rows: Sequence[Row]) -> None:
        for row in rows:
            segments = logged.segments_of_row(row[3], self.config.crosses)
            scores = [
                Score(name, x, baseline=baseline, candidate=candidate)
                for name, x, baseline, candidate in zip(row[10], row[11], row[13], row[14], strict=True)
                if name is not None
            ]
            references = {name: x0 for name, x0 in zip(row[10], row[12], strict=True) if x0 is not None}
            self._remember(row[8], segments, scores, references, row[6], replayed=row[9])

    def _remember(
        self,
        pair_id: str,
        segments: Sequence[Segment],
        scores: Iterable[Score],
        references: Mapping[str, float],
        flags: Iterable[str],
        *,
        replayed: bool,
    ) -> None:
        """Counts, rates and examples: what is shown beside the evidence."""
        self.counts.update(segments)
        self.replayed += replayed
        ills = [flag.removeprefix(UNHEALTHY) for flag in flags if flag.startswith(UNHEALTHY)]
        self.illness.update((segment, ill) for segment in segments for ill in ills)
        known = list(scores)
        for segment in segments:
            for score in known:
                if score.value >= FIRED:
                    self.examples.setdefault((segment, score.signal), deque(maxlen=EXAMPLES)).append(pair_id)
        self.means.add(
            Measured((segment, s.signal), s.value, references.get(s.signal), s.baseline, s.candidate)
            for segment in segments
            for s in known
        )

    def _forget(self) -> None:
        """A new candidate: counting starts again."""
        self.means.clear()
        self.counts.clear()
        self.illness.clear()
        self.examples.clear()
        self.replayed = 0

    def apply(self, block: Block) -> Batch:
        """Evidence, examples and rows of one block."""
        observations = [logged.of_entry(entry, self.config.crosses) for entry in block.entries]
        with self.lock:
            events = [*self._pending_events, *self.engine.apply(observations)]
            for entry, observation in zip(block.entries, observations, strict=True):
                pair = entry.paired.pair
                self._remember(
                    entry.exchange.id,
                    observation.segments,
                    entry.scored.scores.values(),
                    entry.scored.references,
                    entry.flags,
                    replayed=pair is not None and pair.replay is not None,
                )
            self.seq, self.event_time = block.entries[-1].seq, block.entries[-1].time
            if self.since is None:
                self.since = block.entries[0].time
            candidate, self._pending_candidate, self._pending_events = self._pending_candidate, None, []
            snapshot = self._snapshot(block.number) if block.number % SNAPSHOT_BLOCKS == 0 else None
        scored_at = time.time()
        text = self.config.store.text
        return Batch(
            pairs=[
                pair_row(entry, block.number, scored_at, texts_of(entry, text, self._token))
                for entry in block.entries
            ],
            scores=[row for entry in block.entries for row in score_rows(entry, text, self._token)],
            events=[(e.time, e.kind, e.segment, e.signal, e.evidence) for e in events],
            candidate=candidate,
            snapshot=snapshot,
        )

    def _snapshot(self, block: int) -> Snapshot:
        return Snapshot(block, time.time(), self.config.hash, self.engine.snapshot())

    def final_batch(self) -> Batch | None:
        """A last snapshot for a quick start; None where nothing was ever applied."""
        with self.lock:
            if self.engine.ledger is None:
                return None
            return Batch(snapshot=self._snapshot(self.engine.blocks))

    def candidate_changed(self, identity: str, capabilities: str, now: float) -> None:
        """Counting starts again. Committed with the next block, at the same place of the log."""
        with self.lock:
            first = self.identity is None
            self.identity = identity
            since = now if first else max(now, self.event_time)
            self._pending_candidate = (self.seq + 1, since, identity, capabilities)
            if first and self.engine.ledger is None:
                return
            self._pending_events += self.engine.new_candidate(since)
            self.since, self.first_seq = since, self.seq + 1
            self._forget()

    def segments(self, dims: Mapping[str, str]) -> tuple[Segment, ...]:
        """Segment names of one exchange."""
        return segment_names(dims, self.config.crosses)

    def members(self, signals: Sequence[str], limit: int = 20_000) -> Iterator[Mapping[str, Any]]:
        """Recent scored pairs of the given signals since the last candidate change."""
        parameters = {"first": self.first_seq, "signals": list(signals), "limit": limit}
        for seq, pair_id, segments, signal, x, x0 in self.store.query("members", parameters):
            names = logged.segments_of_row(segments, self.config.crosses)
            yield {"seq": seq, "id": pair_id, "segments": names, "signal": signal, "x": x, "x0": x0}
