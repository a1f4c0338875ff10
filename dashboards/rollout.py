"""Rollout owner: may I go on?"""

from __future__ import annotations

from dashboards.oncall import VERDICT, VERDICTS
from dashboards.panels import FLOOR, ROUTE, SEGMENT, Panel, Query, Row

KEY = "route, dimension, segment, signal"
PAGE = f'max by ({KEY}) (tailgate_segment_diverged{{{SEGMENT},level="page"}})'
ALLOWED = f"max by (route, level) (tailgate_allowed_drop_ratio{{{ROUTE}}})"


def excess(signals: str, bound: str) -> str:
    return f'max by ({KEY}) (tailgate_segment_excess_ratio{{{SEGMENT},signal=~"{signals}",bound="{bound}"}})'


def floor(signals: str) -> str:
    return f'max by ({KEY}) (tailgate_segment_noise_floor_ratio{{{SEGMENT},signal=~"{signals}"}})'


def shift(title: str, signals: str, description: str) -> Panel:
    """Excess of a family of signals per segment with its floor and the allowance."""
    return Panel(
        title,
        f"{description} Lower bound of the excess over the noise floor (dashed: the floor itself) against the allowed drop.",
        "percentunit",
        (
            Query(excess(signals, "lower"), "{{segment}} {{signal}}"),
            Query(floor(signals), f"{{{{segment}}}} {{{{signal}}}} {FLOOR}"),
            Query(ALLOWED, "allowed ({{level}})"),
        ),
        width=12,
    )


def _latency(title: str, stat: str, family: str) -> Panel:
    return Panel(
        title,
        f"Exact {stat} of the duration per arm. The replay is the fair peer: same client, same clock. The baseline's own clock is shown only.",
        "s",
        (
            Query(
                f'max by (route, segment, role) ({family}{{{SEGMENT},stat="{stat}"}})', "{{segment}} {{role}}"
            ),
        ),
        width=12,
    )


def _now(title: str, family: str, description: str, labels: str = f'{ROUTE},dimension="all"') -> Panel:
    """Median and p99 per arm from a histogram."""
    rate = f"sum by (route, role, le) (rate({family}_bucket{{{labels}}}[$__rate_interval]))"
    quantiles = tuple(
        Query(f"histogram_quantile({q}, {rate})", f"{{{{role}}}} p{100 * q:.0f}") for q in (0.5, 0.99)
    )
    return Panel(title, description, "s", quantiles)


VERDICT_ROW = Row(
    "Verdict",
    (
        Panel(
            "Verdict",
            "What the gate answers now.",
            "none",
            (Query(VERDICT, "{{route}}"),),
            "stat",
            width=4,
            height=6,
            names=VERDICTS,
            steps=((None, "green"), (1, "yellow"), (2, "red")),
        ),
        Panel(
            "Pairs since the last candidate change",
            "Evidence so far, over all traffic.",
            "short",
            (Query(f'max by (route) (tailgate_segment_samples{{{ROUTE},segment="all"}})', "{{route}}"),),
            "stat",
            width=4,
            height=6,
        ),
        Panel(
            "Diverged segments",
            "Segments with an unexplained page-level divergence; one is enough to stop.",
            "short",
            (
                Query(
                    f'sum by (route) (max by ({KEY}) (tailgate_segment_diverged{{{ROUTE},level="page",explained="no"}}))',
                    "{{route}}",
                ),
            ),
            "stat",
            width=4,
            height=6,
            steps=((None, "green"), (1, "red")),
        ),
        Panel(
            "False-alarm budget paid",
            "Upper bound on the expected false alarms so far, over all segments and signals together.",
            "short",
            (Query(f"max by (route) (tailgate_false_alarm_budget_paid_total{{{ROUTE}}})", "{{route}}"),),
            width=6,
            height=6,
        ),
        Panel(
            "What is compared",
            "Candidate and configuration of the route.",
            "none",
            (
                Query(
                    f"count by (route, candidate_model, candidate_root, candidate_version, config_hash) (tailgate_route_info{{{ROUTE}}})",
                    "monitors",
                ),
            ),
            "table",
            width=6,
            height=6,
        ),
    ),
)

TAIL = Row(
    "The median lies, the tail votes",
    (
        Panel(
            "Median segment against worst segment",
            "Excess over the noise floor of the median and of the worst segment, per signal that pages. A gap between them is what an average hides. Dashed: median noise floor.",
            "percentunit",
            (
                Query(
                    f"max by (route, signal) ({excess('.+', 'estimate')} and on ({KEY}) {PAGE})",
                    "{{signal}} worst segment",
                ),
                Query(
                    f"quantile by (route, signal) (0.5, {excess('.+', 'estimate')} and on ({KEY}) {PAGE})",
                    "{{signal}} median segment",
                ),
                Query(
                    f"quantile by (route, signal) (0.5, {floor('.+')} and on ({KEY}) {PAGE})",
                    f"{{{{signal}}}} {FLOOR}",
                ),
                Query(ALLOWED, "allowed ({{level}})"),
            ),
            width=12,
            height=10,
        ),
        Panel(
            "Evidence",
            "Wealth of the sequential test per segment and signal, capped at 10; the alarm is at 1, any number of looks.",
            "short",
            (
                Query(
                    f"topk(20, max by ({KEY}) (tailgate_segment_evidence{{{SEGMENT}}}))",
                    "{{segment}} {{signal}}",
                ),
            ),
            width=12,
            height=10,
            steps=((None, "green"), (1, "red")),
        ),
        Panel(
            "Segments over time",
            "Alarm per segment over its page signals: red while latched. Segments that only moved with a smaller one stay green.",
            "none",
            (
                Query(
                    f'max by (route, segment) (tailgate_segment_diverged{{{SEGMENT},level="page",explained="no"}})',
                    "{{segment}}",
                ),
            ),
            "states",
            width=24,
            height=8,
            names=(("0", "ok", "green"), ("1", "diverged", "red")),
        ),
        Panel(
            "Enough pairs?",
            "Pairs per segment against what a verdict needs; segments with too few stay inconclusive.",
            "short",
            (
                Query(f"max by (route, dimension, segment) (tailgate_segment_samples{{{SEGMENT}}})", "pairs"),
                Query(
                    f"max by (route, dimension, segment) (tailgate_segment_samples_needed{{{SEGMENT}}})",
                    "pairs needed",
                ),
            ),
            "table",
            width=12,
        ),
        Panel(
            "Signals that fired",
            "Share of the pairs on which a signal fired, per segment. Noise included: compare with the dashed floor.",
            "percentunit",
            (
                Query(
                    f"sum by (route, segment, signal) (rate(tailgate_pair_divergences_total{{{SEGMENT}}}[$__rate_interval]))"
                    f" / on (route, segment) group_left () sum by (route, segment) (rate(tailgate_pairs_total{{{SEGMENT}}}[$__rate_interval]))",
                    "{{segment}} {{signal}}",
                ),
                Query(floor(".+"), f"{{{{segment}}}} {{{{signal}}}} {FLOOR}"),
            ),
            width=12,
        ),
    ),
)

KINDS = Row(
    "What kind of difference",
    (
        shift("Answers", "answer|number_scale", "Checkable answers: numbers, choices, JSON leaves, tool arguments."),
        shift("Formats and constraints", "format|code|constraint", "Formats that were asked for and kept by the baseline."),
        shift("Tool calls", "tool_call", "Missing, unknown or invalid tool calls."),
        shift("Refusals", "refusal", "Refusals where the baseline answered."),
        shift("Language and script", "language|script", "Answers in another language or script."),
        shift("Broken", "error|empty|degenerate|truncated", "Errors, empty, looping and cut answers."),
        shift("Length and words", "length|similarity|divergence", "Open text: shown, never judged; a harmless int8 model changes nearly half of its greedy answers."),
    ),
)  # fmt: skip

SPEED = Row(
    "Speed and cost",
    (
        _latency("Duration p50", "p50", "tailgate_segment_latency_seconds"),
        _latency("Duration p99", "p99", "tailgate_segment_latency_seconds"),
        Panel(
            "p99 of the candidate over the replay's",
            "Ratio per segment; above 1.5 while p50 is not: only the tail is slower.",
            "short",
            (
                Query(
                    f'max by (route, segment) (tailgate_segment_latency_seconds{{{SEGMENT},role="candidate",stat="p99"}})'
                    f' / max by (route, segment) (tailgate_segment_latency_seconds{{{SEGMENT},role="replay",stat="p99"}})',
                    "{{segment}}",
                ),
            ),
            steps=((None, "green"), (1.5, "red")),
        ),
        _now(
            "Duration now",
            "tailgate_request_duration_seconds",
            "p50 and p99 of all traffic from the histograms; follows changes faster than the exact quantiles.",
        ),
        _now(
            "Time to first token now",
            "tailgate_time_to_first_token_seconds",
            "p50 and p99 of streamed answers.",
        ),
        _now(
            "Time per output token",
            "tailgate_time_per_output_token_seconds",
            "Duration divided by output tokens.",
            labels=ROUTE,
        ),
        Panel(
            "Tokens",
            "Tokens per second and arm as the servers report them: the cost of shadowing.",
            "short",
            (
                Query(
                    f"sum by (route, role, token_type) (rate(tailgate_tokens_total{{{ROUTE}}}[$__rate_interval]))",
                    "{{role}} {{token_type}}",
                ),
            ),
            "stack",
        ),
        Panel(
            "Output tokens per answer",
            "Per arm, of the answers whose server reports tokens (a stream only where its client asks for usage)."
            " A ratio of two or one half: thinking mode, stop strings, chat template.",
            "short",
            (
                Query(
                    f'sum by (route, role) (rate(tailgate_tokens_total{{{ROUTE},token_type="output"}}[$__rate_interval]))'
                    f" / sum by (route, role) (rate(tailgate_time_per_output_token_seconds_count{{{ROUTE}}}[$__rate_interval]))",
                    "{{role}}",
                ),
            ),
        ),
    ),
)

ROWS = (VERDICT_ROW, TAIL, KINDS, SPEED)
