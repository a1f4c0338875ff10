"""What the HTTP side and the pipeline ask of the monitor: verdict, pairs, metrics, labels, erasure.

Methods may block for milliseconds and are called in threads. The verdict and the gauges are made
about once per second from one consistent view and handed out from there.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from monitor import archive, forgetting, probe_results
from monitor.board import Board, Latency
from monitor.candidate import Identity, Leg
from monitor.capabilities import Capabilities, words
from monitor.config import Config
from monitor.errors import BadInput, ConfigError, TailgateError
from monitor.judging import Judging
from monitor.ledger import Kept, Outcome
from monitor.metrics import Metrics
from monitor.outlook import board_of, verdict_of
from monitor.pairing import Paired
from monitor.records import Arm, Exchange, Funnel, Verdict
from monitor.reference import rules_of
from monitor.settling import Settling
from monitor.standing import Standing

log = logging.getLogger("tailgate.monitor")

FRESH_SECONDS = 0.5
LATENCY_WINDOW = 7 * 86_400.0
LATENCY_SECONDS, LATENCY_SHARE = 10.0, 0.02
"""Latency is read this often, but for at most this share of the time: quantiles are dear."""
BOARD_SHARE = 0.05
"""Of a core, that the gauges take at most: thousands of rows are gone through every other second."""
MAX_LABELS = 10_000
STALE_SECONDS = 7 * 86_400.0
"""A segment without a pair for this long leaves the metrics page."""
DAY_SECONDS = 86_400.0
LATE_SECONDS = 900.0
"""An erased subject's last request may be at the candidate this long."""


class Service:
    """One route's monitor as others see it."""

    def __init__(
        self,
        config: Config,
        standing: Standing,
        *,
        metrics: Metrics,
        candidate: Leg,
        reload: Callable[[], Config],
        erase_waiting: Callable[[str], int] = lambda _subject: 0,
        erase_exported: Callable[[str], Mapping[str, Any]] = lambda _key: {},
        tell: Callable[[Exchange, Kept], None] | None = None,
    ) -> None:
        self.config = config
        self._standing, self._metrics, self._candidate = standing, metrics, candidate
        self._reload_config, self._erase_waiting = reload, erase_waiting
        self._erase_exported, self._tell = erase_exported, tell
        self._judging = Judging(config, standing.keys, rules_of(config))
        self._settling: Settling | None = None
        self._identity: Identity | None = None
        self._up = False
        self._lock = threading.Lock()
        self._erased = forgetting.marks(standing.store)
        self._purged, self._compacted_at = 0, float("-inf")
        self._verdict: tuple[float, Verdict] | None = None
        self._latency: Mapping[tuple[str, Arm], Latency] = {}
        self._latency_due = self._board_due = float("-inf")
        self._trails: Mapping[tuple[str, str], Sequence[tuple[float, float]]] = {}

    def load_models(self) -> None:
        """Score one made-up pair, so that no real one waits for models to load."""
        self._judging.load_models()

    def attach(self, settling: Settling) -> None:
        """The flow comes last: it needs the service, and the service shows its state."""
        self._settling = settling

    # for the pipeline

    def eligible(self) -> int:
        """Production requests seen so far (the replay cap's denominator)."""
        return self._standing.tally.funnel().eligible

    def model(self) -> str | None:
        """Model name for the candidate: configured, else the one it serves."""
        return self.config.candidate.model or (self._identity.model if self._identity else None)

    def judge(self, paired: Paired) -> Outcome:
        """Score one pair (in the loop or a thread, one at a time)."""
        outcome = self._judging.judge(paired)
        if self._tell is not None and outcome.kept is not None:
            self._tell(paired.exchange, outcome.kept)
        return outcome

    def observe(self, kept: Kept) -> None:
        """Count one scored pair."""
        fired = any(
            score.value >= 0.5 and self.config.level(name) == "page"
            for name, score in kept.scored.scores.items()
        )
        clean = not {"warmup", "cached"} & set(kept.flags)
        segments = self._standing.segments(kept.dims)
        self._metrics.observe(
            segments, kept.scored, kept.arms, diverged=fired, clean=clean, now=time.monotonic()
        )
        self._metrics.forced(kept.prefilled, kept.forced_seconds)
        if kept.redactions is None:
            self._metrics.redaction_failed()
        else:
            self._metrics.redacted(kept.redactions)

    async def identified(self, identity: Identity | None) -> bool:
        """Note what serves at the candidate's address; True where it is another candidate."""
        self._up = identity is not None
        if identity is None or identity == self._identity:
            return False
        self._identity = identity
        if str(identity) == self._standing.identity:
            return False
        log.info("candidate: %s", identity)
        self._standing.candidate_changed(str(identity), "{}", time.time())
        return True

    def seen(self, identity: Identity | None) -> None:
        """Show what serves at the candidate's address; the route's log says when it changed."""
        self._up = identity is not None
        self._identity = identity or self._identity

    @property
    def identity(self) -> Identity | None:
        """What serves at the candidate's address, as last seen."""
        return self._identity

    def probed(self, capabilities: Capabilities) -> None:
        """Note what both servers can do."""
        log.info("candidate can: %s", words(capabilities.candidate) or "nothing beyond plain answers")
        self._standing.probed(capabilities)
        self._metrics.probed(capabilities)

    # for people and machines

    def verdict(self) -> Verdict:
        """The route's verdict, at most half a second old."""
        with self._lock:
            if self._verdict is None or time.monotonic() - self._verdict[0] > FRESH_SECONDS:
                verdict = verdict_of(self._standing, now=time.time())
                self._verdict = (time.monotonic(), verdict)
            return self._verdict[1]

    def funnel(self) -> Funnel:
        """Where every request ended, as of now: whoever asks for it often need not pay for a verdict."""
        found = self._standing.tally.funnel()
        with self._lock:
            if self._verdict is not None and self._verdict[1].funnel != found:
                self._verdict = None  # who has seen this must not be shown an older verdict
        return found

    def refresh(self) -> None:
        """Make the gauges that the next scrapes show, unless the last ones were dear and are still young."""
        if time.monotonic() < self._board_due:
            return
        self._look_up()
        began = time.thread_time()
        self._metrics.board = self._board()
        self._board_due = time.monotonic() + (time.thread_time() - began) / BOARD_SHARE

    def _look_up(self) -> None:
        """What gauges and page take from the store, when it is due."""
        if (began := time.monotonic()) <= self._latency_due:
            return
        self._latency = archive.latency(self._standing.store, time.time() - LATENCY_WINDOW)
        self._trails = archive.trails(self._standing.store, self._standing.display.since or 0.0)
        self._standing.store.trim()
        took = time.monotonic() - began
        self._latency_due = began + max(LATENCY_SECONDS, took / LATENCY_SHARE)

    def _board(self) -> Board:
        board = board_of(
            self._standing,
            self.verdict(),
            self._latency,
            now=time.time(),
            in_flight=self._candidate.in_flight,
            candidate_up=self._up,
            info=self._info(),
        )
        return replace(board, trails=self._trails)

    def _info(self) -> dict[str, str]:
        identity = self._identity
        return {
            "baseline": self.config.baseline.url,
            "candidate": self.config.candidate.url or "",
            "candidate_model": (identity.model or "") if identity else "",
            "candidate_root": (identity.root or "") if identity else "",
            "candidate_version": (identity.version or "") if identity else "",
            "candidate_capabilities": words(self._standing.capabilities.candidate),
            "config_hash": self.config.hash,
        }

    def metrics(self, *, openmetrics: bool) -> bytes:
        """The metrics page."""
        if self._metrics.board is None:
            self.refresh()
        return self._metrics.page(openmetrics=openmetrics)

    def pairs(self, segment: str | None, signal: str | None, limit: int) -> Sequence[Mapping[str, Any]]:
        """The worst pairs of a segment and signal, ids and scores; text only where it is stored."""
        store, first = self._standing.store, self._standing.display.first_seq
        return archive.worst_pairs(store, segment, signal, limit, self._judging.vault, first_seq=first)

    def board(self) -> Board:
        """What the gauges show, for the page: the same numbers as the metrics."""
        if self._metrics.board is None:
            self.refresh()
        board = self._metrics.board or self._board()
        return replace(board, verdict=self.verdict())

    def changes(self) -> Sequence[tuple[float, str]]:
        """Which candidates served since when, newest first."""
        return archive.changes(self._standing.store)

    def capabilities(self) -> Capabilities:
        """What both servers were found to offer."""
        return self._standing.capabilities

    def probes(self) -> Sequence[tuple[Any, ...]]:
        """Latest result of every probe that `tailgate probe --monitor` sent."""
        return archive.probes(self._standing.store, time.time())

    def about(self, segment: str) -> Mapping[str, Sequence[tuple[Any, ...]]]:
        """History, reasons and alarms of one segment since the last candidate change."""
        return archive.about(self._standing.store, segment, self._standing.display.first_seq)

    def label(self, labels: Sequence[Mapping[str, Any]]) -> Mapping[str, int]:
        """Store delayed labels; unusable ones are counted, never fatal."""
        if len(labels) > MAX_LABELS:
            raise BadInput("too_many", f"send at most {MAX_LABELS} labels at once")
        rows = [row for label in labels if (row := archive.label_row(label, time.time()))]
        archive.store_labels(self._standing.store, rows)
        self.look_for_labels()
        return {"accepted": len(rows), "rejected": len(labels) - len(rows)}

    def look_for_labels(self) -> None:
        """With the next commit, count the labels whose pairs are scored."""
        self._standing.labels_waiting = True

    def store_probes(self, results: Sequence[Any]) -> Mapping[str, int]:
        """Store and count the results of a run of `tailgate probe`. Raises BadInput."""
        rows = probe_results.read(results)
        archive.store_probes(self._standing.store, [row.stored(time.time()) for row in rows])
        for row in rows:
            self._metrics.probe_result(row.pack, row.verdict)
        return {"accepted": len(rows)}

    def erase(self, subject: str) -> Mapping[str, Any]:
        """Forget a data subject: stored and exported pairs, and sealed exchanges that wait in the spool."""
        key = self._standing.keys.subject(subject)
        waiting = self._erase_waiting(subject)
        self._erased[key] = time.time()
        forgetting.mark(self._standing.store, key, time.time())
        stored = self._forget(key)
        # Last, when nothing is left that could still be exported.
        remark = forgetting.remark(self.config.privacy.subject)
        return {"pairs": stored, "spool": waiting, **self._erase_exported(key), **remark}

    def _forget(self, key: str) -> int:
        store = self._standing.store
        self._standing.forget(forgetting.pairs_of(store, key))
        gone = forgetting.erase(store, key, time.time())
        self._metrics.erased(gone)
        return gone

    def forget_late(self) -> None:
        """Forget again who was erased while their requests were at the candidate, and finish what a death
        or a full disk cut short."""
        store = self._standing.store
        for key, at in list(self._erased.items()):
            if forgetting.pairs_of(store, key):
                self._forget(key)
            if time.time() - at > LATE_SECONDS:
                self._erased.pop(key, None)

    def export_subject(self, subject: str) -> Sequence[Mapping[str, Any]]:
        """Everything that is kept about a data subject."""
        key = self._standing.keys.subject(subject)
        found = forgetting.export(self._standing.store, key, self._judging.vault)
        self.note("export", f"{len(found)} pairs")
        return found

    def note(self, action: str, detail: str) -> None:
        """One line of the audit."""
        forgetting.note(self._standing.store, time.time(), action, detail)

    def purge(self) -> None:
        """Delete what is beyond its retention, once a day the bytes that it leaves in the file too; segments
        that left the traffic leave the metrics."""
        now, store, rules = time.time(), self._standing.store, self.config.store
        self._purged += forgetting.purge(
            store,
            pairs_before=now - DAY_SECONDS * rules.retention_days,
            text_before=now - DAY_SECONDS * min(rules.text_retention_days, rules.retention_days),
        )
        self._metrics.purged(now)
        self._metrics.forget(time.monotonic() - STALE_SECONDS)
        if store.compaction_due and time.monotonic() - self._compacted_at > DAY_SECONDS:
            self.note("purge", f"{self._purged} pairs")
            store.compact()
            self._purged, self._compacted_at = 0, time.monotonic()

    def not_ready(self) -> str | None:
        """Why the monitor cannot score now; None = it can."""
        return None if self._settling else "loading the language models"

    def reload(self) -> str:
        """Read the configuration again. What can change at run time does; the rest asks for a restart."""
        try:
            fresh = self._reload_config()
        except TailgateError:
            self._metrics.reloaded(time.time(), ok=False)
            raise
        if fresh.hash != self.config.hash or fresh.store != self.config.store:
            self._metrics.reloaded(time.time(), ok=False)
            raise ConfigError("evidence, signals, segments and store need a restart of the monitor to change")
        self.config = fresh
        self._metrics.reloaded(time.time(), ok=True)
        return fresh.hash

    def reload_quietly(self) -> None:
        """SIGHUP: the same, with the outcome in the log and the metrics."""
        try:
            self.reload()
        except TailgateError as error:
            log.error("configuration not reloaded: %s", error)
