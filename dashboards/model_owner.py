"""Model owner, weekly: what can this candidate no longer do?"""

from __future__ import annotations

from dashboards.panels import FLOOR, ROUTE, SEGMENT, Panel, Query, Row
from dashboards.rollout import ALLOWED, excess, floor

PLACE = "route, dimension, segment"


def _answer(bound: str) -> str:
    return f'max by ({PLACE}) (tailgate_segment_excess_ratio{{{SEGMENT},signal="answer",bound="{bound}"}})'


def _ratio(stat: str) -> str:
    arm = f'max by ({PLACE}) (tailgate_segment_latency_seconds{{{SEGMENT},role="%s",stat="{stat}"}})'
    return f"{arm % 'candidate'} / {arm % 'replay'}"


AGREEMENT = f"max by ({PLACE}) (tailgate_segment_agreement_ratio{{{SEGMENT}}})"
GAP = f'max by ({PLACE}) (tailgate_segment_calibration_gap_ratio{{{SEGMENT},role="candidate"}})'

SEGMENTS = Row(
    "Segments",
    (
        Panel(
            "Every segment",
            "Agreement on checkable answers, its excess divergence with interval, the noise floor, the calibration gap and the p99 ratio. Empty cells: the signal does not apply there or has no pairs yet.",
            "percentunit",
            (
                Query(f"max by ({PLACE}) (tailgate_segment_samples{{{SEGMENT}}})", "pairs", "short"),
                Query(AGREEMENT, "agreement"),
                Query(_answer("lower"), "excess, lower"),
                Query(_answer("estimate"), "excess"),
                Query(_answer("upper"), "excess, upper"),
                Query(f"max by ({PLACE}) ({floor('answer')})", FLOOR),
                Query(GAP, "calibration gap"),
                Query(_ratio("p99"), "p99 ratio", "none"),
                Query(f"{AGREEMENT} - {AGREEMENT.replace('}', '} offset 7d')}", "agreement, week on week"),
            ),
            "table",
            width=24,
            height=12,
        ),
        Panel(
            "Agreement",
            "Share of checkable answers that agree with the baseline. Dashed: one minus agreement of the baseline with itself.",
            "percentunit",
            (
                Query(AGREEMENT, "{{segment}}"),
                Query(f"max by ({PLACE}) ({floor('answer')})", f"{{{{segment}}}} {FLOOR}"),
            ),
            width=12,
        ),
        Panel(
            "Traffic mix",
            "Scored pairs per segment and hour. A new mix makes old evidence old.",
            "short",
            (
                Query(
                    f'sum by ({PLACE}) (increase(tailgate_pairs_total{{{SEGMENT},dimension!="all"}}[1h]))',
                    "{{segment}}",
                ),
            ),
            "stack",
            width=12,
        ),
    ),
)


def _above_floor(title: str, signals: str, description: str, *more: Query, width: int = 12) -> Panel:
    """Excess of signals per segment over their dashed noise floor."""
    return Panel(
        title,
        description,
        "percentunit",
        (
            Query(excess(signals, "estimate"), "{{segment}} {{signal}}"),
            Query(floor(signals), f"{{{{segment}}}} {{{{signal}}}} {FLOOR}"),
            *more,
        ),
        width=width,
    )


CONFIDENCE = Row(
    "Confidence and bias",
    (
        Panel(
            "Calibration gap",
            "Mean confidence minus agreement: 0.33 says 93 % and is right 60 %. Above 0.10 do not route by confidence.",
            "percentunit",
            (Query(GAP, "{{segment}}"),),
            steps=((None, "green"), (0.1, "red")),
        ),
        Panel(
            "Confidence",
            "Mean sequence confidence per arm, from token probabilities.",
            "percentunit",
            (
                Query(
                    f"max by ({PLACE}, role) (tailgate_segment_confidence_ratio{{{SEGMENT}}})",
                    "{{segment}} {{role}}",
                ),
            ),
        ),
        _above_floor(
            "Confident disagreement and forced drop",
            "confident_.+|forced_drop",
            "Differs while sure, and probability lost on the baseline's own words; the noise floor is dashed.",
            width=8,
        ),
        _above_floor(
            "Position bias",
            "first_option",
            "The candidate picks the first option where the baseline picked another; excess, noise floor dashed.",
            Query(ALLOWED, "allowed ({{level}})"),
        ),
        _above_floor(
            "Style",
            "hedging|verbosity|markdown",
            "Hedging, preambles and markup that the baseline lacks: shown, never judged; noise floor dashed.",
        ),
    ),
)

QUALITY = Row(
    "Quality of the data",
    (
        Panel(
            "Noise floor",
            "How often the baseline differs from itself, per segment and signal. A rise is a change of the baseline, not of the candidate.",
            "percentunit",
            (Query(floor(".+"), f"{{{{segment}}}} {{{{signal}}}} {FLOOR}"),),
            width=12,
        ),
        Panel(
            "Unscored pairs",
            "Share of pairs on which no signal applied, per segment.",
            "percentunit",
            (
                Query(
                    f'sum by ({PLACE}) (increase(tailgate_pairs_total{{{SEGMENT},result="unscored"}}[1h]))'
                    f" / sum by ({PLACE}) (increase(tailgate_pairs_total{{{SEGMENT}}}[1h]))",
                    "{{segment}}",
                ),
            ),
            width=12,
        ),
        Panel(
            "Replays",
            "Share of pairs whose baseline was asked twice; below 10 % noise floors stay young.",
            "percentunit",
            (
                Query(
                    f'sum by (route) (increase(tailgate_responses_total{{{ROUTE},role="replay"}}[1h]))'
                    f' / sum by (route) (increase(tailgate_responses_total{{{ROUTE},role="candidate"}}[1h]))',
                    "{{route}}",
                ),
            ),
            width=12,
            steps=((None, "red"), (0.1, "green")),
        ),
        Panel(
            "Mirrored",
            "Exchanges handed over per hour.",
            "short",
            (Query(f"sum by (route) (increase(tailgate_mirrored_total{{{ROUTE}}}[1h]))", "{{route}}"),),
            width=12,
        ),
    ),
)

ROWS = (SEGMENTS, CONFIDENCE, QUALITY)
