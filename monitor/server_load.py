"""How busy a server says it is: vLLM's own metrics. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True, slots=True)
class Load:
    """vLLM's own view of its queue; None where the server does not say."""

    waiting: float | None = None
    kv_cache: float | None = None


def parse_load(text: str) -> Load:
    """`Load` from a page of vLLM metrics; engines are summed (waiting) or the fullest counts."""
    waiting: list[float] = []
    cache: list[float] = []
    try:
        for family in text_string_to_metric_families(text):
            if family.name == "vllm:num_requests_waiting":
                waiting += [sample.value for sample in family.samples]
            elif family.name in {"vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"}:
                cache += [sample.value for sample in family.samples]
    except ValueError:  # not a metrics page
        return Load()
    return Load(sum(waiting) if waiting else None, max(cache) if cache else None)
