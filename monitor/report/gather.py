"""From a store to a `Report`: section by section, what was asked (asking.py) and what follows from it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from statistics import median
from typing import Any, Final

import duckdb
import numpy as np

from monitor.archive import opened
from monitor.calibration import Calibration, Outcome, calibrations
from monitor.config import Config
from monitor.errors import StoreError
from monitor.hypotheses import Settings, tests_of
from monitor.intervals import newcombe
from monitor.outlook import verdict_of
from monitor.parquet.reading import Archive
from monitor.records import SegmentVerdict, Verdict
from monitor.report.asking import Asking, Row, Step
from monitor.report.counting import samples_of
from monitor.report.drift import input_drift
from monitor.report.ladders import ladders_of, ordered
from monitor.report.lines import lines_of, worst_lines
from monitor.report.model import Case, InputDrift, Ladder, Line, Reliability, Report, Shift, Window
from monitor.report.weekly import LEVEL, Key, Sample, weeks
from monitor.signals import SIGNALS
from monitor.standing import Standing
from monitor.store import QUERIES, Store
from monitor.summary import reason
from monitor.vault import UNREADABLE, Vault

SEED: Final = 7
WORST: Final = 10
TEXT: Final = 4_000
MOST_BEHIND: Final = 200_000
"""Pairs behind the last snapshot that are applied again to show the live state; more would take minutes."""


class Gathering:
    """The sections of one report, and what is missing of them."""

    def __init__(self, asking: Asking, now: float) -> None:
        self.asking, self.now = asking, now
        self.gaps: list[str] = []

    def live(self) -> Verdict | None:
        """The live verdict, unless so much lies behind the last snapshot that it would take minutes."""
        self.asking.step("live state")
        if isinstance(self.asking.store, Archive):
            self.gaps.append(
                "the live state is left out: exported files hold what was closed, not what stands"
            )
            return None
        snapshot = self.asking.store.snapshot()
        block = snapshot.block if snapshot else 0
        ((behind,),) = self.asking.store.query(
            "SELECT count(*) FROM pairs WHERE block > $block", {"block": block}
        )
        if behind > MOST_BEHIND:
            self.gaps.append(f"the live state is left out: {behind:,} pairs lie behind its last snapshot")
            return None
        return verdict_of(Standing(self.asking.config, self.asking.store, b"unused"), now=self.now)

    def lines(self, live: Verdict | None) -> list[Line]:
        """The week beside the live state, worst unexplained divergence first."""
        tests = tests_of(Settings.of(self.asking.config))
        found: dict[Key, Sample] = {}
        for signal in self.asking.signals():
            self.asking.step(signal)
            found |= samples_of(
                signal,
                self.asking.scores(signal),
                self.asking.pairs,
                self.asking.dimensions,
                agreement=SIGNALS[signal].kind in {"agreement", "confidence"},
                fine=signal in tests,
            )
        self.asking.step("e-values")
        week = weeks(found, tests)
        rows: Sequence[SegmentVerdict] = live.segments if live else ()
        return lines_of(
            rows, week, self.asking.config.level, live.since if live else None, self.asking.window.since
        )

    def shifts(self) -> list[Shift] | None:
        """Segments whose share moved beyond its noise since the window before, largest first.

        None where there is nothing to compare with.
        """
        before = self.asking.sizes_before
        n, n0 = self.asking.sizes.get("all", (0, 0))[0], before.get("all", (0, 0))[0]
        if not n or not n0:
            self.gaps.append("no pairs in the window before: the traffic mix has nothing to compare with")
            return None
        made = []
        for segment in sorted(self.asking.sizes.keys() | before.keys()):
            k, k0 = self.asking.sizes.get(segment, (0, 0))[0], before.get(segment, (0, 0))[0]
            bounds = newcombe(k, n, k0, n0)
            if bounds.lower > 0 or bounds.upper < 0:
                made.append(Shift(segment, k0 / n0, k / n, bounds.lower, bounds.upper))
        return sorted(made, key=lambda shift: -abs(shift.now - shift.before))[:20]

    def drift(self) -> InputDrift | None:
        """Evidently's input drift against the window before."""
        self.asking.step("input drift")
        before, now = (
            self.asking.mix(self.asking.window.before, self.asking.before),
            self.asking.mix(self.asking.window, self.asking.places),
        )
        columns, gap = input_drift(before, now)
        if gap:
            self.gaps.append(gap)
            return None
        of = [sizes.get("all", (0, 0))[0] for sizes in (self.asking.sizes_before, self.asking.sizes)]
        return InputDrift(columns, version("evidently"), len(before), of[0], len(now), of[1])

    def ladders(self) -> list[Ladder]:
        """Latency per segment, largest p99 ratio first."""
        try:
            self.asking.step("latency")
            return ladders_of(ordered(self.asking.stretched("report_latency")), self.asking.dimensions)
        except StoreError as error:
            self.gaps.append(f"latency is missing: {error}")
            return []

    def reliability(self, segments: Sequence[str]) -> list[Reliability]:
        """Calibration in `segments`, agreement and delayed labels apart."""
        outcomes: dict[str, list[Outcome]] = {}
        for query in ("report_outcomes", "report_labelled"):
            for segment, sure, right, source in self.asking.newest(query, segments):
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
        rows = [(r[0], r[1], r[2], r[3], r[4], r[5], r[6]) for r in self.asking.plain("report_probes")]
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
            for row in self.asking.worst(line.segment, line.signal, share):
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
    asking = Asking(store, window, step)
    made = Gathering(asking, now)
    live = made.live()
    lines = made.lines(live)
    worst = worst_lines(lines)
    places = ["all", *dict.fromkeys(line.segment for line in worst if line.segment != "all")][:6]
    return replace(
        _judged(made, live, lines),
        candidates=[(since, _identity(text)) for since, text in asking.plain("report_candidates")],
        shifts=made.shifts(),
        drift=made.drift(),
        reasons=[(r[0], r[1], r[2], r[3]) for r in asking.ask("report_reasons", places)],
        ladders=made.ladders(),
        reliability=made.reliability(places),
        cases=made.cases(worst[:5], vault),
        probes=made.probes(),
        cost=_cost(asking.plain("report_cost")[0]),
        events=[(r[0], r[1], r[2], r[3]) for r in asking.plain("report_events")],
        gaps=made.gaps,
    )


def _judged(made: Gathering, live: Verdict | None, lines: list[Line]) -> Report:
    """The report's head: the live state, the lines, and what they were made from."""
    asking = made.asking
    pairs, replays = asking.sizes.get("all", (0, 0))
    if not pairs:
        made.gaps.append("no pair was received in this window")
    effects = [
        line.week.effect for line in lines if line.week and line.level == "page" and line.segment != "all"
    ]
    return Report(
        route=asking.config.route.name,
        verdict=live.verdict if live else "inconclusive",
        sentence=reason(live) if live else "the live state was not rebuilt; the week's own list stands below",
        window=asking.window,
        made_at=made.now,
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
