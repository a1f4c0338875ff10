"""The export as the monitor does it: once a minute whatever is closed, then upkeep."""

from __future__ import annotations

import time
from collections.abc import Callable

from monitor.config import Config
from monitor.parquet.export import Exporter
from monitor.parquet.layout import DAY, HOUR
from monitor.parquet.places import Place
from monitor.parquet.upkeep import compact, erase, retain
from monitor.store import Store

MARGIN_SECONDS = 60.0
"""Beyond `spool.max_age_seconds`, when an idle hour can get no rows any more."""


class Routine:
    """One store's export. `turn` and `erase` may come from two threads: files appear whole."""

    def __init__(
        self, config: Config, store: Store, place: Place, exported: Callable[[int, float], None]
    ) -> None:
        """`exported(pairs, now)` hears of every turn that worked."""
        self._place, self._store, self._route, self._exported = place, store, config.route.name, exported
        self._keep = DAY * (config.export.retention_days or config.store.retention_days)
        self._exporter = Exporter(
            store,
            place,
            self._route,
            unit=HOUR if config.export.hourly else DAY,
            patience=config.spool.max_age_seconds + MARGIN_SECONDS,
        )

    def turn(self) -> None:
        """Export, compact, age. Raises StoreError; the next turn does what this one could not."""
        now = time.time()
        pairs = self._exporter.turn(now)
        if pairs:
            compact(self._place, self._store.id, now)
            retain(self._place, self._route, now - self._keep)
        self._exported(pairs, now)

    def erase(self, subject_key: str) -> int:
        """Forget a subject in all exported files; how many pairs are gone."""
        return erase(self._place, subject_key, time.time())
