"""`score --db`: recorded pairs enter the database as live ones do, for reports and slice search."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import floor
from pathlib import Path

from collectors.spool import load_key
from monitor.config import Config
from monitor.judging import Judging
from monitor.ledger import Entry as LedgerEntry
from monitor.pairing import Paired
from monitor.recorded import Entry
from monitor.records import Pair
from monitor.settling import BLOCK_PAIRS, Block
from monitor.standing import Standing
from monitor.store import Batch, Store


class Keeper:
    """Writes pairs in blocks of one second of event time, through the code that live pairs take."""

    def __init__(self, config: Config, standing: Standing) -> None:
        self._standing = standing
        self._judging = Judging(config, standing.keys)
        self._open: list[LedgerEntry] = []
        self._seq, self._time = standing.seq, standing.event_time

    def keep(self, pair: Pair, row: Entry) -> None:
        """Add one scored pair; event time never runs backwards."""
        self._time = max(self._time, row.received_at)
        full = len(self._open) >= BLOCK_PAIRS
        if self._open and (full or floor(self._time) != floor(self._open[0].time)):
            self.flush()
        self._seq += 1
        paired = Paired(pair.exchange, pair, sent=True)
        kept = self._judging.kept(paired, pair, row.recorded.scored, row.dims)
        self._open.append(LedgerEntry(self._seq, self._time, pair.id, kept))
        self._count(row)

    def _count(self, row: Entry) -> None:
        tally = self._standing.tally
        for stage in ("read", "sent", "comparable", "scored"):
            tally.count(stage)
        tally.count("completed", int(not row.failed))

    def flush(self) -> None:
        """Commit the open block."""
        if self._open:
            block = Block(self._standing.engine.blocks + 1, tuple(self._open))
            self._open = []
            self._standing.store.commit(self._standing.apply(block))

    def close(self) -> None:
        """Commit what is left, a snapshot and the funnel."""
        self.flush()
        if batch := self._standing.final_batch():
            self._standing.store.commit(batch)
        self._standing.store.commit(_funnel(self._standing))


def _funnel(standing: Standing) -> Batch:
    return Batch(funnel=dict(standing.tally.names))


@contextmanager
def keeper(db: Path, config: Config) -> Iterator[Keeper]:
    """The open database. Raises StoreError where it cannot be opened or is a running monitor's."""
    store = Store(db)
    try:
        key = load_key(config.spool_directory, config.privacy.key_env)
        store.remember("config", config.model_dump_json())
        found = Keeper(config, Standing(config, store, key))
        yield found
        found.close()
    finally:
        store.close()
