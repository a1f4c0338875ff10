"""On call: is it us, the candidate, or the world?"""

from __future__ import annotations

from dashboards.panels import ROUTE, Panel, Query, Row

KEY = "route, dimension, segment, signal"
VERDICTS = (("0", "ok", "green"), ("1", "inconclusive", "yellow"), ("2", "diverged", "red"))
VERDICT = (
    f'max by (route) (2 * tailgate_route_verdict{{{ROUTE},tailgate_route_verdict="diverged"}})'
    f' + max by (route) (tailgate_route_verdict{{{ROUTE},tailgate_route_verdict="inconclusive"}})'
)
WORST = (
    f'topk(10, max by ({KEY}) (tailgate_segment_excess_ratio{{{ROUTE},bound="lower"}})'
    f' and on ({KEY}) max by ({KEY}) (tailgate_segment_diverged{{{ROUTE},level=~"page|ticket",explained="no"}}))'
)


def _of_worst(expr: str) -> str:
    return f"{expr} and on ({KEY}) ({WORST})"


def _rate(family: str, by: str) -> str:
    return f"sum by (route, {by}) (rate({family}{{{ROUTE}}}[$__rate_interval]))"


STATE = Row(
    "State",
    (
        Panel(
            "Verdict",
            "The route's verdict over time: what the gates answer. Inconclusive means that required segments lack pairs or that nothing was scored lately.",
            "none",
            (Query(VERDICT, "{{route}}"),),
            "states",
            width=12,
            height=6,
            names=VERDICTS,
        ),
        Panel(
            "Firing alerts",
            "Alerts of Tailgate that fire now. Each has a runbook named like it in deploy/runbooks.",
            "none",
            (
                Query(
                    'max by (alertname, severity, route, segment, signal) (ALERTS{alertname=~"Tailgate.+",alertstate="firing"})',
                    "firing",
                ),
            ),
            "table",
            width=12,
            height=6,
        ),
        Panel(
            "Worst ten segments",
            "Unexplained rows with the largest lower bound of the excess over the noise floor. Above the allowed drop with evidence 1 the alarm is on.",
            "percentunit",
            (
                Query(WORST, "lower bound"),
                Query(
                    _of_worst(f'max by ({KEY}) (tailgate_segment_excess_ratio{{{ROUTE},bound="upper"}})'),
                    "upper bound",
                ),
                Query(
                    _of_worst(f"max by ({KEY}) (tailgate_segment_noise_floor_ratio{{{ROUTE}}})"),
                    "noise floor",
                ),
                Query(
                    f"max by ({KEY}) (tailgate_segment_evidence{{{ROUTE}}}) and on ({KEY}) ({WORST})",
                    "evidence",
                    "none",
                ),
            ),
            "table",
            width=24,
            hidden=("dimension",),
        ),
    ),
)

US = Row(
    "Is it us? The sidecar in production's path",
    (
        Panel(
            "Production requests",
            "Requests seen in the data path per second. Unparseable ones are forwarded unobserved.",
            "reqps",
            (Query(_rate("tailgate_requests_total", "outcome"), "{{route}} {{outcome}}"),),
            "stack",
        ),
        Panel(
            "Time that the sidecar adds",
            "Time added before a request reaches the baseline, connecting included. Above 5 ms at p99 use the kill switch.",
            "s",
            tuple(
                Query(
                    f"histogram_quantile({q}, sum by (route, le) (rate(tailgate_proxy_overhead_seconds_bucket{{{ROUTE}}}[$__rate_interval])))",
                    f"{{{{route}}}} p{100 * q:.0f}",
                )
                for q in (0.5, 0.99)
            ),
            steps=((None, "green"), (0.005, "red")),
        ),
        Panel(
            "Failures towards the baseline",
            "Failed connections to the baseline per second, by type. Clients see these.",
            "ops",
            (Query(_rate("tailgate_proxy_upstream_errors_total", "error_type"), "{{route}} {{error_type}}"),),
        ),
        Panel(
            "Dropped share",
            "Sampled requests that were not handed over, by reason. Drops are not random: above 5 % the tail is under-sampled.",
            "percentunit",
            (
                Query(
                    _rate("tailgate_mirror_dropped_total", "reason")
                    + f' / on (route) group_left () sum by (route) (rate(tailgate_requests_total{{{ROUTE},outcome="sampled"}}[$__rate_interval]))',
                    "{{route}} {{reason}}",
                ),
            ),
            steps=((None, "green"), (0.05, "red")),
        ),
        Panel(
            "Queue",
            "Exchanges that wait for the spool.",
            "short",
            (Query(f"sum by (route) (tailgate_mirror_queue_length{{{ROUTE}}})", "{{route}}"),),
        ),
        Panel(
            "Captured bytes in memory",
            "Bytes of exchanges under observation and queued; bounded by sidecar.max_queue_bytes per worker.",
            "bytes",
            (Query(f"sum by (route) (tailgate_mirror_queue_bytes{{{ROUTE}}})", "{{route}}"),),
        ),
        Panel(
            "Connections and requests in flight",
            "Open client connections and requests that await their answer.",
            "short",
            (
                Query(f"sum by (route) (tailgate_proxy_connections{{{ROUTE}}})", "{{route}} connections"),
                Query(
                    f"sum by (route) (tailgate_proxy_requests_in_flight{{{ROUTE}}})", "{{route}} in flight"
                ),
            ),
        ),
        Panel(
            "Sampling fraction",
            "The fraction in force; 0 is the kill switch.",
            "percentunit",
            (Query(f"max by (route) (tailgate_sampling_fraction_ratio{{{ROUTE}}})", "{{route}}"),),
        ),
        Panel(
            "Worker restarts",
            "Workers of the sidecar that died and were replaced, per hour.",
            "short",
            (
                Query(
                    f"sum by (route) (increase(tailgate_worker_restarts_total{{{ROUTE}}}[1h]))", "{{route}}"
                ),
            ),
        ),
    ),
)

CANDIDATE = Row(
    "Is it the candidate?",
    (
        Panel(
            "Candidate answers",
            "Whether the candidate's /v1/models answers.",
            "none",
            (Query(f"min by (route) (tailgate_candidate_up{{{ROUTE}}})", "{{route}}"),),
            "states",
            names=(("0", "down", "red"), ("1", "up", "green")),
        ),
        Panel(
            "How answers end",
            "Share of answers per arm by how they ended; errors of the candidate count against it.",
            "percentunit",
            (
                Query(
                    _rate("tailgate_responses_total", "role, finish_reason")
                    + " / on (route, role) group_left () "
                    + _rate("tailgate_responses_total", "role"),
                    "{{role}} {{finish_reason}}",
                ),
            ),
        ),
        Panel(
            "Candidate in flight",
            "Requests at the candidate against its limit (candidate.concurrency).",
            "short",
            (
                Query(
                    f"sum by (route) (tailgate_candidate_requests_in_flight{{{ROUTE}}})",
                    "{{route}} in flight",
                ),
                Query(f"max by (route) (tailgate_candidate_concurrency_limit{{{ROUTE}}})", "{{route}} limit"),
            ),
        ),
        Panel(
            "Not scored, by reason",
            "Eligible requests per second that were not scored. not_sampled is chosen, candidate_* is the candidate's doing.",
            "ops",
            (Query(_rate("tailgate_exchanges_skipped_total", "reason"), "{{route}} {{reason}}"),),
            "stack",
        ),
        Panel(
            "vLLM queue",
            "Requests running and waiting in any vLLM that Prometheus scrapes; empty where none is scraped.",
            "short",
            (
                Query("sum by (instance) (vllm:num_requests_waiting)", "{{instance}} waiting"),
                Query("sum by (instance) (vllm:num_requests_running)", "{{instance}} running"),
            ),
        ),
        Panel(
            "vLLM KV cache",
            "Share of the KV cache in use, under its new and its old name. Full caches preempt and slow the tail.",
            "percentunit",
            (
                Query(
                    'max by (instance) ({__name__=~"vllm:kv_cache_usage_perc|vllm:gpu_cache_usage_perc"})',
                    "{{instance}}",
                ),
            ),
        ),
    ),
)

MONITOR = Row(
    "Is it the monitor?",
    (
        Panel(
            "Scoring lag",
            "Age of the oldest exchange that waits for its score; beyond spool.max_age_seconds it is deleted unscored.",
            "s",
            (Query(f"max by (route) (tailgate_scoring_lag_seconds{{{ROUTE}}})", "{{route}}"),),
            steps=((None, "green"), (900, "red")),
        ),
        Panel(
            "Age of the newest scored pair",
            "Time since the newest scored pair was received. It grows while nothing is mirrored.",
            "s",
            (
                Query(
                    f"time() - max by (route) (tailgate_last_scored_timestamp_seconds{{{ROUTE}}})",
                    "{{route}}",
                ),
            ),
        ),
        Panel(
            "Scored pairs",
            "Pairs per second by result; every pair is counted once (dimension all).",
            "ops",
            (
                Query(
                    f'sum by (route, result) (rate(tailgate_pairs_total{{{ROUTE},dimension="all"}}[$__rate_interval]))',
                    "{{route}} {{result}}",
                ),
            ),
            "stack",
        ),
        Panel(
            "Funnel",
            "Where eligible requests are: eligible = scored + skipped + pending.",
            "short",
            (Query(f"max by (route, state) (tailgate_funnel_exchanges{{{ROUTE}}})", "{{route}} {{state}}"),),
        ),
        Panel(
            "Scorer failures",
            "Exceptions in scorers per hour; the pair keeps its other scores.",
            "short",
            (
                Query(
                    "sum by (scorer, error_type) (increase(tailgate_scorer_failures_total[1h]))",
                    "{{scorer}} {{error_type}}",
                ),
            ),
        ),
        Panel(
            "Store",
            "Database and write-ahead log on disk.",
            "bytes",
            (Query(f"max by (route) (tailgate_storage_bytes{{{ROUTE}}})", "{{route}}"),),
        ),
        Panel(
            "Retention",
            "Age of the oldest record against store.retention_days.",
            "s",
            (
                Query(
                    f"time() - min by (route) (tailgate_storage_oldest_record_timestamp_seconds{{{ROUTE}}})",
                    "{{route}} oldest",
                ),
                Query(
                    f"max by (route) (tailgate_storage_retention_seconds{{{ROUTE}}})", "{{route}} retention"
                ),
            ),
        ),
        Panel(
            "Redaction",
            "Secrets replaced before anything was stored, and texts that could not be redacted (not stored), per second.",
            "ops",
            (
                Query("sum by (kind) (rate(tailgate_redactions_total[$__rate_interval]))", "{{kind}}"),
                Query("sum(rate(tailgate_redaction_failures_total[$__rate_interval]))", "failed"),
            ),
        ),
        Panel(
            "Configuration reload",
            "Whether the last reload worked; 0 runs on the previous configuration.",
            "none",
            (Query("min by (instance) (tailgate_config_last_reload_successful)", "{{instance}}"),),
            "states",
            names=(("0", "failed", "red"), ("1", "ok", "green")),
        ),
        Panel(
            "Segment labels",
            "Segments with series of their own, and how many were folded into __other__.",
            "short",
            (
                Query(f"max by (route) (tailgate_segments_active{{{ROUTE}}})", "{{route}} shown"),
                Query(f"max by (route) (tailgate_segment_overflow_total{{{ROUTE}}})", "{{route}} folded"),
            ),
        ),
        Panel(
            "Versions",
            "What runs: sidecar and monitor should agree.",
            "none",
            (Query("count by (version, instance) (tailgate_build_info)", "targets"),),
            "table",
        ),
    ),
)

ROWS = (STATE, US, CANDIDATE, MONITOR)
