"""The export as the monitor does it: once a minute whatever is closed, then upkeep."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from monitor.config import Config
from monitor.errors import TailgateError
from monitor.parquet.export import Exporter, exported_to
from monitor.parquet.layout import DAY, HOUR
from monitor.parquet.places import Place, place_of
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
        self._aged = 0.0
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
        # A route that went quiet ages too; listing a bucket costs, so not every minute.
        if pairs or now - self._aged > HOUR:
            retain(self._place, self._route, now - self._keep)
            self._place.sweep()
            self._aged = now
        self._exported(pairs, now)


def erase_exported(store: Store, configured: Place | None, subject_key: str) -> Mapping[str, Any]:
    """Forget a subject in the configured place and wherever else `tailgate export` took this store's rows.

    `exported`: how many pairs are gone; `unreached`: places of earlier exports that do not answer. Empty
    where nothing was ever exported. Raises StoreError where the configured place does not answer.
    """
    earlier = [at for at in exported_to(store) if configured is None or at != configured.location]
    gone, unreached, now = 0, [], time.time()
    for location in earlier:
        try:
            gone += _erase_earlier(location, subject_key, now)
        except TailgateError as error:
            unreached.append(str(error))
    if configured is not None:
        gone += erase(configured, subject_key, now)
    found = {"exported": gone} if earlier or configured else {}
    return {**found, **({"unreached": unreached} if unreached else {})}


def _erase_earlier(location: str, subject_key: str, now: float) -> int:
    """From an export that was made by hand; a directory that was deleted since holds nobody any more."""
    if "://" not in location and not Path(location).is_dir():
        return 0
    return erase(place_of(location), subject_key, now)
