"""Recorded pairs to one verdict: segments, scorers, baseline health, the fixed-sample rule. Pure.

The command line, the benchmark and the tests all come through here. Texts are not kept: an `Entry`
holds scores, segments and ratios only, so that a file of any length fits.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from monitor.cautions import Observed, cautions
from monitor.config import Config
from monitor.explain import BUILT_IN
from monitor.health import baseline_illness
from monitor.latency import legs
from monitor.offline import Judgement, Recorded, Rule, judge, with_examples
from monitor.records import ALL, Funnel, Pair, Segment, SegmentVerdict, Verdict
from monitor.reference import PLAIN, Rules
from monitor.scoring import Failure, score_pair
from monitor.segments import segment_names, segments_of
from monitor.signals import Level
from monitor.verdict import Facts, assemble, explain_rows, required_segments

_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Entry:
    """One scored pair without its texts."""

    received_at: float
    dims: Mapping[str, str]
    recorded: Recorded
    observed: Observed
    failed: bool
    """Whether either side gave no answer."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where pairs came from, as far as the verdict tells: unusable lines by reason, and warnings."""

    unusable: Mapping[str, int] = field(default_factory=dict)
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """The verdict with what tables show beside it."""

    verdict: Verdict
    judgement: Judgement
    failures: Mapping[Failure, int]


def entry(pair: Pair, config: Config, rules: Rules = PLAIN) -> Entry:
    """Segments, scores and health of one pair; `rules` are `rules_of(config)`."""
    dims = segments_of(pair.exchange, config.segments, rules.ood)
    segments = segment_names(dims, config.crosses)
    illness = baseline_illness(pair.exchange)
    conversation, prompt = _repeat_keys(pair)
    recorded = Recorded(
        score_pair(pair, rules.scorers, config.level),
        segments,
        baseline_healthy=illness is None,
        conversation=conversation,
        prompt=prompt,
        legs=legs(pair),
    )
    failed = pair.baseline.error_type is not None or pair.candidate.error_type is not None
    observed = Observed(pair.id, segments, _length_ratio(pair), illness)
    return Entry(pair.exchange.received_at, dims, recorded, observed, failed)


def _repeat_keys(pair: Pair) -> tuple[str | None, str | None]:
    """Keys of de-duplication, on only where records say which session they belong to (DESIGN 5)."""
    exchange = pair.exchange
    if exchange.session is None:
        return None, None
    hour = int(exchange.received_at // _HOUR)
    text = "\n".join(f"{m.role}\t{m.text}" for m in exchange.request.messages)
    prompt = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
    turn = sum(m.role == "user" for m in exchange.request.messages)
    return f"{exchange.session}\t{turn}\t{hour}", f"{prompt}\t{hour}"


def _length_ratio(pair: Pair) -> float | None:
    if not pair.baseline.text or not pair.generated or pair.candidate.error_type is not None:
        return None
    return len(pair.candidate.text) / len(pair.baseline.text)


def verdict_of(rows: Sequence[Entry], control: Sequence[Entry], config: Config, source: Source) -> Result:
    """The verdict over scored pairs; `control` holds baseline-against-baseline pairs."""
    judgement = judge([row.recorded for row in rows], [row.recorded for row in control], rule(config))
    failures = Counter(failure for row in rows for failure in row.recorded.scored.failures)
    has_floor = bool(control) or any(row.recorded.scored.references for row in rows)
    warnings = [
        *cautions([row.observed for row in rows], has_floor=has_floor),
        *(f"scorer {f.scorer} failed on {n} pairs ({f.error_type})" for f, n in failures.most_common()),
        *source.notes,
    ]
    found = _explained(rows, judgement, config)
    facts = Facts(
        route=config.route.name,
        pairs=len(rows),
        since=min((row.received_at for row in rows), default=None),
        config_hash=config.hash,
        funnel=_funnel(rows, source.unusable),
        required=_required(rows, config),
        required_signals=config.verdict.required_signals,
        missing=judgement.missing,
        warnings=warnings,
    )
    return Result(assemble(found, facts), judgement, failures)


def _explained(rows: Sequence[Entry], judgement: Judgement, config: Config) -> Sequence[SegmentVerdict]:
    """The rows with their worst pairs, and with the segment that accounts for a divergence."""
    ids = [row.observed.id for row in rows]
    found = [with_examples(row, judgement.cells[row.segment, row.signal], ids) for row in judgement.rows]
    samples = {key: cell.sample for key, cell in judgement.cells.items()}
    asked = rule(config)
    nulls = {cell.signal: asked.question(cell.signal).null_mean for cell in judgement.cells.values()}
    nulls |= {
        cell.signal: cell.rung.null for cell in judgement.cells.values() if cell.rung and cell.segment == ALL
    }
    declared = dict.fromkeys(name for row in rows for name in row.dims if name not in BUILT_IN)
    return explain_rows(found, samples, nulls, tuple(declared))


def _required(rows: Sequence[Entry], config: Config) -> Sequence[Segment]:
    eligible = Counter(segment for row in rows for segment in row.observed.segments)
    configured = config.verdict.required
    return required_segments(eligible, None if configured is None else tuple(map(Segment, configured)))


def _funnel(rows: Sequence[Entry], unusable: Mapping[str, int]) -> Funnel:
    """A recorded pair was sampled and sent long ago: only unusable lines are skipped."""
    scored = len(rows)
    answered = sum(not row.failed for row in rows)
    return Funnel(
        eligible=scored + sum(unusable.values()),
        sampled=scored + sum(unusable.values()),
        sent=scored,
        completed=answered,
        comparable=answered,
        scored=scored,
        excluded={},
        skipped={f"line_{reason}": count for reason, count in sorted(unusable.items())},
    )


def rule(config: Config) -> Rule:
    """The fixed-sample rule with the configured levels and drops."""
    drop = config.evidence.allowed_drop
    allowed: dict[Level, float] = {"page": drop.page, "ticket": drop.ticket}
    return Rule(config.level, allowed, detectable=config.evidence.detectable_drop)
