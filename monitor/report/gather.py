"""From a store to a `Report`: SQL does the counting, Python the statistics. The store is only read.

Ten million pairs stay in the database: what comes out is one row per segment, signal and value.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from itertools import pairwise
from math import ceil, floor
from statistics import median
from typing import Any, Final

import duckdb
import numpy as np

from monitor.archive import opened
from monitor.board import dimension_of
from monitor.calibration import Calibration, Outcome, calibrations
from monitor.config import Config
from monitor.errors import StoreError
from monitor.hypotheses import Settings, tests_of
from monitor.intervals import newcombe
from monitor.logged import segments_of_row
from monitor.outlook import verdict_of
from monitor.parquet.reading import Archive
from monitor.records import Segment, SegmentVerdict, Verdict
from monitor.report.drift import input_drift
from monitor.report.ladders import MEASUREMENTS, Names, Ordered, ladders_of, ordered
from monitor.report.lines import lines_of, worst_lines
from monitor.report.model import Case, InputDrift, Ladder, Line, Reliability, Report, Shift, Window
from monitor.report.weekly import LEVEL, samples, weeks
from monitor.signals import SIGNALS
from monitor.standing import Standing
from monitor.store import QUERIES, Columns, Store
from monitor.summary import reason
from monitor.vault import UNREADABLE, Vault

SEED: Final = 7
WORST: Final = 10
MEMORY: Final = "1200MB"
TEXT: Final = 4_000
STRETCH: Final = 1_000_000
MOST_BEHIND: Final = 200_000
"""Pairs behind the last snapshot that are applied again to show the live state; more would take minutes."""
Step = Callable[[str], None]
Row = tuple[Any, ...]


class Gathering:
    """One report's questions to the store."""

    def __init__(self, store: Store | Archive, window: Window, now: float, step: Step) -> None:
        self.store, self.window, self.now, self.step = store, window, now, step
        # DuckDB takes 80 % of the machine otherwise; beyond this it spills to disk beside the database.
        store.query(f"SET memory_limit = '{MEMORY}'")
        store.query("SET preserve_insertion_order = false")
        saved = store.mapping("meta").get("config")
        self.config = Config.model_validate_json(saved) if saved else Config()
        self.gaps: list[str] = []
        self.places, self.sizes = self._places(window)
        _, self.before = self._places(window.before)

    def _places(self, window: Window) -> tuple[dict[int, tuple[Segment, ...]], dict[str, tuple[int, int]]]:
        """Segments of every combination of dimension values, by its hash; (pairs, replays) of every segment."""
        self.step("segments")
        places: dict[int, tuple[Segment, ...]] = {}
        sizes: dict[str, tuple[int, int]] = {}
        for combo, segments, pairs, replays in self.store.query("report_combos", window.parameters()):
            places[combo] = segments_of_row(segments, self.config.crosses)
            for name in places[combo]:
                before = sizes.get(name, (0, 0))
                sizes[name] = (before[0] + pairs, before[1] + replays)
        return places, sizes

    def ask(self, query: str, segments: Collection[str] | None = None, **more: object) -> list[Row]:
        """Rows of a query over the window's places, or over those of `segments`."""
        self.step(query.removeprefix("report_"))
        places = [
            (combo, name)
            for combo, names in self.places.items()
            for name in names
            if segments is None or name in segments
        ]
        lists = {"combos": [combo for combo, _ in places], "segments": [name for _, name in places]}
        return self.plain(query, **lists, **more) if places else []

    def plain(self, query: str, **more: object) -> list[Row]:
        """Rows of a query over the window; parameters that its text does not name are left out."""
        return self.store.query(query, self._given(query, more))

    def columns(self, query: str, **more: object) -> Columns:
        """The same by column."""
        return self.store.arrays(query, self._given(query, more))

    def _given(self, query: str, more: Mapping[str, object]) -> dict[str, object]:
        given = {**self.window.parameters(), **more}
        return {name: value for name, value in given.items() if f"${name}" in QUERIES[query]}

    def live(self) -> Verdict | None:
        """The live verdict, unless so much lies behind the last snapshot that it would take minutes."""
        self.step("live state")
        if isinstance(self.store, Archive):
            self.gaps.append(
                "the live state is left out: exported files hold what was closed, not what stands"
            )
            return None
        snapshot = self.store.snapshot()
        block = snapshot.block if snapshot else 0
        ((behind,),) = self.store.query("SELECT count(*) FROM pairs WHERE block > $block", {"block": block})
        if behind > MOST_BEHIND:
            self.gaps.append(f"the live state is left out: {behind:,} pairs lie behind its last snapshot")
            return None
        return verdict_of(Standing(self.config, self.store, b"unused"), now=self.now)

    def lines(self, live: Verdict | None) -> list[Line]:
        """The week beside the live state, worst unexplained divergence first."""
        agreement = [name for name, signal in SIGNALS.items() if signal.kind in {"agreement", "confidence"}]
        tests = tests_of(Settings.of(self.config))
        given = {"agreement": agreement, "tested": list(tests)}
        found = samples(
            row
            for since, until in self._stretches()
            for row in self.ask("report_scores", since=since, until=until, **given)
        )
        self.step("e-values")
        week = weeks(found, tests)
        rows: Sequence[SegmentVerdict] = live.segments if live else ()
        return lines_of(rows, week, self.config.level, live.since if live else None, self.window.since)

    def _stretches(self) -> list[tuple[float, float]]:
        """The window cut at whole hours, about `STRETCH` pairs each: repeats are counted within an hour, so nothing
        is lost, and what is in memory at a time does not grow with the window."""
        start, end = self.window.since, self.window.until
        count = ceil(self.sizes.get("all", (0, 0))[0] / STRETCH) or 1
        cuts = {3600.0 * floor((start + n * (end - start) / count) / 3600) for n in range(1, count)}
        edges = [start, *sorted(cut for cut in cuts if start < cut < end), end]
        return list(pairwise(edges))

    def shifts(self) -> list[Shift] | None:
        """Segments whose share moved beyond its noise since the window before, largest first.

        None where there is nothing to compare with.
        """
        before = self.before
        n, n0 = self.sizes.get("all", (0, 0))[0], before.get("all", (0, 0))[0]
        if not n or not n0:
            self.gaps.append("no pairs in the window before: the traffic mix has nothing to compare with")
            return None
        made = []
        for segment in sorted(self.sizes.keys() | before.keys()):
            k, k0 = self.sizes.get(segment, (0, 0))[0], before.get(segment, (0, 0))[0]
            bounds = newcombe(k, n, k0, n0)
            if bounds.lower > 0 or bounds.upper < 0:
                made.append(Shift(segment, k0 / n0, k / n, bounds.lower, bounds.upper))
        return sorted(made, key=lambda shift: -abs(shift.now - shift.before))[:20]

    def drift(self) -> InputDrift | None:
        """Evidently's input drift against the window before."""
        self.step("input drift")
        before = self.store.query("report_mix", self.window.before.parameters())
        now = self.store.query("report_mix", self.window.parameters())
        columns, gap = input_drift([(r[0], r[1]) for r in before], [(r[0], r[1]) for r in now])
        if gap:
            self.gaps.append(gap)
            return None
        of = [sizes.get("all", (0, 0))[0] for sizes in (self.before, self.sizes)]
        return InputDrift(columns, version("evidently"), len(before), of[0], len(now), of[1])

    def ladders(self) -> list[Ladder]:
        """Latency per segment, largest p99 ratio first."""
        try:
            return ladders_of(self._answers(), self._dimensions())
        except StoreError as error:
            self.gaps.append(f"latency is missing: {error}")
            return []

    def _answers(self) -> dict[str, Ordered]:
        """What was measured of both legs, a stretch of the window at a time: rows cost more memory than columns."""
        given = {"combos": list(self.places), "numbers": list(range(len(self.places)))}
        self.step("latency")
        read = [
            self.columns("report_latency", since=since, until=until, **given)
            for since, until in self._stretches()
        ]
        return {name: ordered(read, name) for name in MEASUREMENTS}

    def _dimensions(self) -> list[Names]:
        """Per dimension the segment that each of `places` has in it."""
        found: dict[str, dict[int, str]] = {}
        for number, names in enumerate(self.places.values()):
            for name in names:
                found.setdefault(dimension_of(name), {})[number] = name
        return [[column.get(number) for number in range(len(self.places))] for column in found.values()]

    def reliability(self, segments: Sequence[str]) -> list[Reliability]:
        """Calibration in `segments`, agreement and delayed labels apart."""
        outcomes: dict[str, list[Outcome]] = {}
        for query in ("report_outcomes", "report_labelled"):
            for segment, sure, right, source in self.ask(query, segments):
                outcomes.setdefault(segment, []).append(Outcome(sure, right, source))
        rng = np.random.default_rng(SEED)
        return [
            _reliability(segment, found)
            for segment in segments
            if segment in outcomes
            for found in calibrations(outcomes[segment], rng).values()
        ]

    def probes(self) -> list[tuple[float, str, str, str, str, str, str]]:
        """The capability map: the latest result of every probe."""
        rows = [(r[0], r[1], r[2], r[3], r[4], r[5], r[6]) for r in self.plain("report_probes")]
        if not rows:
            self.gaps.append(
                "no probe results are stored: the capability map is empty (tailgate probe --monitor URL)"
            )
        return rows

    def cases(self, worst: Sequence[Line], vault: Vault | None) -> list[Case]:
        """The worst pairs of the worst lines, `WORST` in all, each pair once."""
        made: dict[str, Case] = {}
        share = max(2, WORST // max(len(worst), 1))
        for line in worst:
            for row in self.ask("report_worst", [line.segment], signal=line.signal, limit=share):
                made.setdefault(row[0], _case(line.segment, row, vault or Vault(b"")))
        if any(UNREADABLE in (case.explanation, case.baseline) for case in made.values()):
            self.gaps.append("texts are sealed and their key is not at hand (privacy.key_env, tailgate.key)")
        return list(made.values())[:WORST]


def _reliability(segment: str, found: Calibration) -> Reliability:
    return Reliability(
        segment, found.label_source, found.n, found.confidence, found.accuracy, found.gap,
        found.gap_interval.lower, found.gap_interval.upper, found.ece.value, found.ece.null_p95, found.points,
        found.temperature,
    )  # fmt: skip


def _case(segment: str, row: Row, vault: Vault) -> Case:
    names = ("id", "at", "signal", "x", "label", "explanation", "texts")
    pair = opened(dict(zip(names, row, strict=True)), vault)
    texts = pair["texts"] or {}
    parts = [text and text[:TEXT] for text in map(texts.get, ("request", "baseline", "candidate"))]
    return Case(
        pair["id"], pair["at"], segment, pair["signal"], pair["x"], pair["label"], pair["explanation"], *parts
    )


def _cost(row: Row) -> dict[str, float | None]:
    names = (
        "pairs", "replays", "candidate input tokens", "candidate output tokens", "replay input tokens",
        "replay output tokens", "candidate errors", "baseline unfit", "mean inclusion probability",
    )  # fmt: skip
    return dict(zip(names, row, strict=False))


def _identity(text: str) -> str:
    """`model, root, version` of a candidate."""
    try:
        parts = json.loads(text)
    except ValueError:
        return text
    return ", ".join(str(part) for part in parts if part) if isinstance(parts, list) else text


def gather(
    store: Store | Archive,
    window: Window,
    now: float,
    step: Step = lambda _words: None,
    vault: Vault | None = None,
) -> Report:
    """The report over `window` as of `now`; `step` hears what is being done. Raises StoreError.

    Without the `vault` that sealed them, texts are left out and said to be."""
    asking = Gathering(store, window, now, step)
    live = asking.live()
    lines = asking.lines(live)
    worst = worst_lines(lines)
    places = ["all", *dict.fromkeys(line.segment for line in worst if line.segment != "all")][:6]
    return replace(
        _judged(asking, live, lines),
        candidates=[(since, _identity(text)) for since, text in asking.plain("report_candidates")],
        shifts=asking.shifts(),
        drift=asking.drift(),
        reasons=[(r[0], r[1], r[2], r[3]) for r in asking.ask("report_reasons", places)],
        ladders=asking.ladders(),
        reliability=asking.reliability(places),
        cases=asking.cases(worst[:5], vault),
        probes=asking.probes(),
        cost=_cost(asking.plain("report_cost")[0]),
        events=[(r[0], r[1], r[2], r[3]) for r in asking.plain("report_events")],
        gaps=asking.gaps,
    )


def _judged(asking: Gathering, live: Verdict | None, lines: list[Line]) -> Report:
    """The report's head: the live state, the lines, and what they were made from."""
    pairs, replays = asking.sizes.get("all", (0, 0))
    if not pairs:
        asking.gaps.append("no pair was received in this window")
    effects = [
        line.week.effect for line in lines if line.week and line.level == "page" and line.segment != "all"
    ]
    return Report(
        route=asking.config.route.name,
        verdict=live.verdict if live else "inconclusive",
        sentence=reason(live) if live else "the live state was not rebuilt; the week's own list stands below",
        window=asking.window,
        made_at=asking.now,
        pairs=pairs,
        replays=replays,
        since=live.since if live else None,
        config_hash=asking.config.hash,
        lines=lines,
        median_effect=median(effects) if effects else None,
        funnel=_funnel(live),
        warnings=live.warnings if live else (),
        versions=_versions(asking.store),
        thresholds=_thresholds(asking.config),
        sql={name: text for name, text in QUERIES.items() if name.startswith("report_")},
    )


def _funnel(live: Verdict | None) -> dict[str, Any]:
    if live is None:
        return {}
    funnel = live.funnel
    stages = ("eligible", "sampled", "sent", "completed", "comparable", "scored", "pending")
    return {**{stage: getattr(funnel, stage) for stage in stages}, "skipped": dict(funnel.skipped)}


def _versions(store: Store | Archive) -> dict[str, str]:
    return {"tailgate": version("tailgate"), "duckdb": duckdb.__version__, "store": store.id}


def _thresholds(config: Config) -> dict[str, float]:
    evidence = config.evidence
    return {
        "false alarms per week, live": evidence.budget_per_week,
        "allowed drop, page": evidence.allowed_drop.page,
        "allowed drop, ticket": evidence.allowed_drop.ticket,
        "detectable drop": evidence.detectable_drop,
        "false discovery rate of the week's list": LEVEL,
        "random seed": SEED,
    }
