"""The sidecar's metric families in the Prometheus text format. Pure.

Written by hand: at most 60 series, and a metrics library would cost the admin process more memory
than all else in it. Names are a contract; reasons appear once they occur, the usual ones at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from collectors.counters import (
    EVERY_DROPPED,
    EVERY_EXCLUDED,
    OVERHEAD_BUCKETS,
    UNOBSERVED,
    UPSTREAM_ERRORS,
    Board,
)

_USUAL_DROPS = ("thinned", "queue_full", "too_large", "spool_full", "worker_died", "shutdown")
_USUAL_ERRORS = ("refused", "timeout", "reset")
# name, kind, help; values in `_single`
_SINGLE = (
    ("tailgate_mirrored_total", "counter", "Exchanges handed over to the spool."),
    ("tailgate_worker_restarts_total", "counter", "Workers that died and were replaced."),
    ("tailgate_mirror_queue_length", "gauge", "Exchanges waiting for the spool."),
    ("tailgate_mirror_queue_bytes", "gauge", "Captured bytes in memory, under observation and queued."),
    ("tailgate_proxy_requests_in_flight", "gauge", "Requests awaiting their answer."),
    ("tailgate_proxy_connections", "gauge", "Open client connections."),
    ("tailgate_sampling_fraction_ratio", "gauge", "Sampling fraction in force; 0 is the kill switch."),
)


def counts(board: Board, group: str, names: Iterable[str]) -> dict[str, int]:
    """The counts of one group by reason, over all workers."""
    return {name: board.total(f"{group}:{name}") for name in names}


def positive(values: Mapping[str, int]) -> dict[str, int]:
    """Only what occurred."""
    return {reason: count for reason, count in values.items() if count}


def exposition(route: str, board: Board, version: str) -> str:
    """All families, as text."""
    return "\n".join(_lines(route, board, version)) + "\n"


def _lines(route: str, board: Board, version: str) -> Iterator[str]:
    yield from _reasons(
        "tailgate_requests_total",
        "Requests seen in the data path; unparseable counts connections that are forwarded unobserved.",
        route,
        "outcome",
        _outcomes(board),
    )
    yield from _reasons(
        "tailgate_mirror_dropped_total",
        "Requests that were not handed over, by reason; reasons appear once they occur.",
        route,
        "reason",
        dict.fromkeys(_USUAL_DROPS, 0)
        | positive(counts(board, "dropped", EVERY_DROPPED))
        | positive(counts(board, "excluded", EVERY_EXCLUDED)),
    )
    yield from _reasons(
        "tailgate_proxy_upstream_errors_total",
        "Failures of the connection to the baseline, by type.",
        route,
        "error_type",
        dict.fromkeys(_USUAL_ERRORS, 0) | positive(counts(board, "upstream", UPSTREAM_ERRORS)),
    )
    yield from _overhead(route, board)
    values = _single(board)
    for name, kind, text in _SINGLE:
        yield from (*_head(name, kind, text), f'{name}{{route="{route}"}} {values[name]:.17g}')
    yield from _head("tailgate_build_info", "gauge", "Version.")
    yield f'tailgate_build_info{{version="{version}"}} 1'


def _outcomes(board: Board) -> dict[str, int]:
    return {
        "sampled": board.total("sampled"),
        "skipped": board.total("not_sampled"),
        "excluded": sum(counts(board, "excluded", EVERY_EXCLUDED).values()),
        "unparseable": sum(counts(board, "unobserved", UNOBSERVED).values()),
    }


def _single(board: Board) -> dict[str, float]:
    return {
        "tailgate_mirrored_total": board.total("written"),
        "tailgate_worker_restarts_total": board.total("restarts"),
        "tailgate_mirror_queue_length": board.total("gauge:queue_items"),
        "tailgate_mirror_queue_bytes": board.total("gauge:queue_bytes"),
        "tailgate_proxy_requests_in_flight": board.total("gauge:in_flight"),
        "tailgate_proxy_connections": board.total("gauge:connections"),
        "tailgate_sampling_fraction_ratio": board.fraction,
    }


def _head(name: str, kind: str, text: str) -> tuple[str, str]:
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"


def _reasons(name: str, text: str, route: str, label: str, values: Mapping[str, int]) -> Iterator[str]:
    yield from _head(name, "counter", text)
    for value, count in values.items():
        yield f'{name}{{route="{route}",{label}="{value}"}} {count}'


def _overhead(route: str, board: Board) -> Iterator[str]:
    name = "tailgate_proxy_overhead_seconds"
    text = "Time added to a request before it reaches the baseline, connecting included."
    yield from _head(name, "histogram", text)
    count = 0
    for index, bound in enumerate((*OVERHEAD_BUCKETS, "+Inf")):
        count += board.total(f"overhead:{index}")
        yield f'{name}_bucket{{route="{route}",le="{bound}"}} {count}'
    yield f'{name}_sum{{route="{route}"}} {board.total("overhead_sum_ns") / 1e9:.9g}'
    yield f'{name}_count{{route="{route}"}} {count}'
