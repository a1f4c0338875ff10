"""The evidence engine: scored pairs in, alarms and clears out. Pure: no clock, no I/O.

    engine = Engine(settings)
    for block in cut(observations):       # sequences of Observation in log order
        for event in engine.apply(block): # Event(kind="alarm" | "clear", ...)
            ...
    engine.rows()                         # state of every (segment, signal) under test
    engine.new_candidate(time)            # evidence restarts at zero, a lump of budget is paid
    engine.snapshot() / engine.restore(snapshot)

What it promises, under which assumption and from which sources: detector.py (theorem), noise_floor.py
(unknown floor), budget.py (who is paid). This file wires: which detector each signal gets, who its
parent is, de-duplication (dedup.py), the latency ladder (latency.py).

**Blocks.** Capping, alarms and clears happen at block ends. The same blocks give the same bits: store
the block's number with its pairs, and after a restart apply the blocks beyond `Engine.blocks` of the
restored snapshot.

**Which test.** A signal's `null` (signals.py) decides: `integrity`, `affine` and `latency` are one
stream against a known m; `flip` and `agreement` are two streams, candidate against replay. Only page
and ticket signals are tested. A flip-prone signal in a segment with fewer than 30 replays borrows its
parent's, under the assumption stated in noise_floor.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from monitor.budget import Ledger, Member, equal_shares
from monitor.cells import Cells
from monitor.dedup import Repeats
from monitor.detector import YOUNG_REPLAYS
from monitor.hypotheses import Settings, Test, tests_of
from monitor.latency import Legs, Reference
from monitor.observations import Observation, cut, parents_of
from monitor.records import ALL, Segment
from monitor.signals import SIGNALS
from monitor.snapshot import pack, unpack
from monitor.table import Columns, Event, Key, Row, Table
from monitor.trail import Trail

__all__ = ["Engine", "Event", "Observation", "Row", "Settings", "cut", "parents_of"]

_NAN = float("nan")
_LATENCY_BITS = {"latency": 1 << len(SIGNALS), "ttft": 2 << len(SIGNALS)}


class Engine:
    """All detectors of one route."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.now = float("-inf")
        self.blocks = 0
        """Blocks applied so far: where to go on after a restart."""
        self.repeated = 0
        """Observations left out because their key had counted already."""
        self.paid_before = 0.0
        self.ledger: Ledger | None = None
        self._tests = tests_of(settings)
        self._repeats = Repeats()
        self._tables = (Table(two_stream=False), Table(two_stream=True))
        self._trails = (Trail(), Trail())
        self._references: dict[Key, Reference] = {}
        self._heard: list[tuple[Segment, str, float]] = []
        self._young: set[int] = set()

    @property
    def paid(self) -> float:
        """Budget paid so far: an upper bound on the expected number of false alarms so far."""
        return self.paid_before + sum(table.bank.paid for table in self._tables)

    def apply(self, block: Sequence[Observation]) -> list[Event]:
        """Everything that one block changes, as events in the order of their times."""
        if not block:
            return []
        start = max(self.now, block[0].time)
        self._turn(start)
        for observation in block:
            self.now = max(self.now, observation.time)
            self._gather(observation)
        self._admit(start)
        self._lend()
        events = [event for table in self._tables if table.row for event in table.feed()]
        self._learn()
        for table in self._tables:
            table.clear()
        self.blocks += 1
        return sorted(events, key=lambda event: event.time)

    def new_candidate(self, time: float, *, baseline_changed: bool = False) -> list[Event]:
        """Evidence restarts at zero and half of the week's remaining lump is paid. Returns the clears
        of alarms that this ends. A changed baseline also forgets its noise floor and latencies."""
        if self.ledger is None:
            return []
        self.now = time = max(self.now, time)
        self._turn(time)
        lump = self.ledger.lump()
        events: list[Event] = []
        for table in self._tables:
            table.bank.settle(time)
            fired = table.bank.restart(time, forget_floor=baseline_changed)
            table.bank.pay(table.bank.cells.rate * (lump / self.ledger.rate))
            events += [Event("clear", time, table.keys[r][0], table.keys[r][1], 0.0) for r in fired]
        if baseline_changed:
            self._references.clear()
        self._find_young()
        return events

    def rows(self) -> list[Row]:
        """Every (segment, signal) under test."""
        return [row for table in self._tables for row in self._rows(table)]

    def moved(self) -> Iterator[tuple[Key, float]]:
        """Detectors whose evidence has moved a visible step since they were last given here."""
        for trail, table in zip(self._trails, self._tables, strict=True):
            yield from trail.due(table.keys, table.bank.cells.evidence)

    def latency_limit(self, segment: Segment, signal: str) -> float | None:
        """Seconds of the candidate beyond which x = 1 for `latency_p95` and the like; None = not yet."""
        what, _, rung = signal.partition("_")
        reference = self._references.get((segment, what), _NO_REFERENCE)
        return reference.limit(rung)

    def snapshot(self) -> bytes:
        """Everything between two blocks, to be stored in the transaction that stores the last one."""
        assert self.ledger is not None, "nothing applied yet"  # noqa: S101
        header = {
            "config_hash": self.settings.config_hash,
            "now": self.now,
            "blocks": self.blocks,
            "repeated": self.repeated,
            "paid": [self.paid_before, *(table.bank.paid for table in self._tables)],
            "ledger": asdict(self.ledger),
            "repeats": self._repeats.dump(),
            "keys": [table.keys for table in self._tables],
            "nulls": [table.nulls for table in self._tables],
            "references": [[*key, reference.dump()] for key, reference in self._references.items()],
        }
        return pack(
            header,
            {
                f"{i}.{f.name}": getattr(t.bank.cells, f.name)
                for i, t in enumerate(self._tables)
                for f in fields(Cells)
            },
        )

    def restore(self, blob: bytes) -> bool:
        """State of a snapshot. With another configuration only time, budget and repeats carry over:
        evidence starts at zero, an opening lump is set aside, and False is returned."""
        header, arrays = unpack(blob)
        self.now, self.blocks, self.repeated = header["now"], header["blocks"], header["repeated"]
        self._repeats.load(header["repeats"])
        self.ledger = Ledger(self.settings.budget_per_week, header["ledger"]["start"])
        same = bool(header["config_hash"] == self.settings.config_hash)
        if not same:
            self.ledger.resume(header["ledger"])
            self.ledger.open(self.now)
            self.paid_before = sum(header["paid"])
            return False
        for name, value in header["ledger"].items():
            setattr(self.ledger, name, value)
        self.paid_before, *paid = header["paid"]
        for index, table in enumerate(self._tables):
            self._restore_table(table, index, header, arrays)
            table.bank.paid = paid[index]
        self._references = {
            (Segment(s), what): Reference.load(state) for s, what, state in header["references"]
        }
        self._find_young()
        return True

    @staticmethod
    def _restore_table(
        table: Table, index: int, header: Mapping[str, Any], arrays: Mapping[str, Any]
    ) -> None:
        table.keys = [(Segment(segment), signal) for segment, signal in header["keys"][index]]
        table.rows = {key: row for row, key in enumerate(table.keys)}
        table.nulls = header["nulls"][index]
        table.bank.cells = Cells(**{f.name: arrays[f"{index}.{f.name}"] for f in fields(Cells)})

    def _gather(self, observation: Observation) -> None:
        """One pair into the block's columns, repeats left out."""
        tests = self._tests
        named = {
            name: tests[name] for name in {**observation.scores, **observation.references} if name in tests
        }
        for per_conversation in (False, True):
            group = {name: test for name, test in named.items() if test.per_conversation == per_conversation}
            legs = observation.latencies if per_conversation else {}
            if group or legs:
                key = _dedup_key(observation, per_conversation=per_conversation)
                self._gather_group(observation, group, legs, key)

    def _gather_group(
        self,
        observation: Observation,
        group: Mapping[str, Test],
        latencies: Mapping[str, Legs],
        key: str | None,
    ) -> None:
        """Signals whose repeats are told by one key."""
        bits = {what: _LATENCY_BITS[what] for what in latencies}
        parts = [(table, self._columns(observation, group, table)) for table in self._tables]
        mask = sum(columns.mask for _, columns in parts) | sum(bits.values())
        before = self._repeats.counted(self.now, key, observation.segments, mask)
        for segment in observation.segments:
            seen = before.get(segment, 0) & mask
            self.repeated += seen.bit_count()
            for table, columns in parts:
                if columns.names:
                    table.put_all(segment, columns.without(seen) if seen else columns, self.now)
            for what, legs in latencies.items():
                if not seen & bits[what]:
                    self._put_latency(segment, what, legs)

    def _columns(self, observation: Observation, group: Mapping[str, Test], table: Table) -> Columns:
        own = {name: test for name, test in group.items() if test.two_stream == table.bank.two_stream}
        x = [observation.scores.get(name, _NAN) for name in own]
        x0 = [observation.references.get(name, _NAN) for name in own]
        if table.bank.two_stream and self.settings.provable:
            x = [_NAN if floor == floor else score for score, floor in zip(x, x0, strict=True)]  # noqa: PLR0124  not nan
        nulls, bits = tuple(test.m for test in own.values()), tuple(test.bit for test in own.values())
        return Columns(tuple(own), nulls, bits, x, x0)

    def _put_latency(self, segment: Segment, what: str, legs: Legs) -> None:
        if legs[1] is not None:
            self._heard.append((segment, what, legs[1]))
        reference = self._references.get((segment, what))
        table = self._tables[0]
        for outcome in (reference or _NO_REFERENCE).judge(legs):
            name = f"{what}_{outcome.rung}"
            if name in self._tests:
                row = table.put((segment, name), outcome.null, self.now, outcome.x, _NAN)
                table.latency_nulls[row] = outcome.null

    def _learn(self) -> None:
        """The block's replays, heard after its candidates were judged: nulls stay predictable."""
        for segment, what, seconds in self._heard:
            reference = self._references.setdefault((segment, what), Reference())
            parents = (self._references.get((parent, what)) for parent in parents_of(segment))
            reference.learn(seconds, next((parent for parent in parents if parent is not None), None))
        self._heard.clear()

    def _turn(self, time: float) -> None:
        """Whatever the calendar brings up to `time`: equal shares, opening money, a new week."""
        if self.ledger is None:
            self.ledger = Ledger(self.settings.budget_per_week, time)
        while time >= self.ledger.next_rebalance:
            self._rebalance(self.ledger, self.ledger.next_rebalance)

    def _rebalance(self, ledger: Ledger, time: float) -> None:
        week = ledger.week
        opening = ledger.rebalanced(time)
        shares = equal_shares([self._member(key) for table in self._tables for key in table.keys])
        for table in self._tables:
            table.bank.settle(time)
            own, shares = shares[: len(table.bank)], shares[len(table.bank) :]
            table.bank.cells.rate[:] = own * ledger.rate
            table.bank.pay(own * opening)
        if ledger.week != week:
            self._tables[1].bank.rotate()

    def _member(self, key: Key) -> Member:
        segment, signal = key
        parent = segment == ALL or ("," not in segment and segment.partition("=")[0] in self.settings.crossed)
        return Member(self._tests[signal].level, parent)

    def _admit(self, time: float) -> None:
        """Segments that nobody had met yet draw on the reserve."""
        assert self.ledger is not None  # noqa: S101  set by _turn
        new = [key for table in self._tables for key in table.newcomers]
        if not new:
            return
        rates = self.ledger.newcomers([self._tests[signal].level for _, signal in new]) * self.ledger.rate
        for table in self._tables:
            count = len(table.newcomers)
            table.admit(time, rates[:count])
            rates = rates[count:]
        self._find_young()

    def _find_young(self) -> None:
        """Flip-prone rows that may still have to borrow replays."""
        table = self._tables[1]
        replays = table.bank.cells.counts[:, 0].sum(axis=1)
        self._young = {
            row
            for row, (segment, signal) in enumerate(table.keys)
            if segment != ALL and self._tests[signal].null == "flip" and replays[row] < YOUNG_REPLAYS - 0.5
        }

    def _lend(self) -> None:
        """Young rows of this block see their parents' replays as of the last block."""
        table = self._tables[1]
        counts = table.bank.cells.counts[:, 0]
        replays = counts.sum(axis=1)
        borrowers: dict[int, int] = {}
        for row in sorted(self._young.intersection(table.row)):
            if replays[row] >= YOUNG_REPLAYS - 0.5:
                self._young.discard(row)
                continue
            segment, signal = table.keys[row]
            lenders = (table.rows.get((parent, signal)) for parent in parents_of(segment))
            lender = next((r for r in lenders if r is not None and replays[r] >= YOUNG_REPLAYS - 0.5), None)
            if lender is not None:
                borrowers[row] = lender
        table.bank.lend(np.array([*borrowers], np.int64), counts[[*borrowers.values()]])

    def _rows(self, table: Table) -> Iterator[Row]:
        """Columns leave numpy as lists, once: one by one they cost ten times as much, every second."""
        cells = table.bank.cells
        columns = zip(
            table.keys, cells.evidence.tolist(), cells.firing.tolist(), cells.since.tolist(), cells.born.tolist(),
            cells.pairs.tolist(), cells.replays.tolist(), cells.sum_x.tolist(), cells.sum_x0.tolist(),
            cells.inverse_null[:, 0].tolist(), cells.rate.tolist(), cells.granted.tolist(),
            table.bank.known().tolist(), table.bank.has_floor().tolist(), strict=True,
        )  # fmt: skip
        for (
            segment,
            signal,
        ), wealth, firing, since, born, pairs, replays, x, x0, inverse, rate, lump, known, floor in columns:
            test = self._tests[signal]
            latency = test.null == "latency"
            reference = self._references.get((segment, signal.partition("_")[0]), _NO_REFERENCE)
            yield Row(
                segment=segment,
                signal=signal,
                level=test.level,
                wealth=wealth,
                firing=firing,
                since=since,
                born=born,
                pairs=pairs,
                replays=replays,
                sum_x=x,
                sum_x0=x0,
                two_stream=test.two_stream,
                null=1 / inverse if latency else test.m,
                rate=rate,
                granted=lump,
                known=known,
                ready=reference.ready if latency else not test.two_stream or floor,
                references=reference.replays if latency else None,
            )


_NO_REFERENCE = Reference()


def _dedup_key(observation: Observation, *, per_conversation: bool) -> str | None:
    if per_conversation and observation.conversation is not None:
        return f"c:{observation.conversation}"
    prefix = "q" if per_conversation else "p"
    return None if observation.prompt is None else f"{prefix}:{observation.prompt}"
