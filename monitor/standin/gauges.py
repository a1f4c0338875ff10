"""The stand-in's load and its `vllm:*` metrics page."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

_PAGE = """\
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{{{labels}}} {running}
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{{{labels}}} {waiting}
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{{{labels}}} {cache}
# TYPE vllm:prompt_tokens_total counter
vllm:prompt_tokens_total{{{labels}}} {prompt_tokens}
# TYPE vllm:generation_tokens_total counter
vllm:generation_tokens_total{{{labels}}} {generation_tokens}
# TYPE vllm:prefix_cache_queries_total counter
vllm:prefix_cache_queries_total{{{labels}}} {prompt_tokens}
# TYPE vllm:prefix_cache_hits_total counter
vllm:prefix_cache_hits_total{{{labels}}} {cached_tokens}
# TYPE vllm:admission_rejections_total counter
vllm:admission_rejections_total{{{labels},reason="queue_full"}} {rejected}
# TYPE vllm:request_success_total counter
"""


@dataclass(slots=True)
class Gauges:
    """Counts since the start; `running` and `waiting` are now."""

    slots: int
    running: int = 0
    waiting: int = 0
    serial: int = 0
    prompt_tokens: int = 0
    generation_tokens: int = 0
    cached_tokens: int = 0
    rejected: int = 0
    finished: Counter[str] = field(default_factory=Counter)

    def page(self, model: str) -> bytes:
        """Prometheus text with the names that vLLM uses."""
        labels = f'engine="0",model_name="{model}"'
        page = _PAGE.format(
            labels=labels,
            running=self.running,
            waiting=self.waiting,
            cache=min(1.0, self.running / self.slots),
            prompt_tokens=self.prompt_tokens,
            generation_tokens=self.generation_tokens,
            cached_tokens=self.cached_tokens,
            rejected=self.rejected,
        )
        for reason in ("stop", "length", "abort", "error", "repetition"):
            count = self.finished[reason]
            page += f'vllm:request_success_total{{{labels},finished_reason="{reason}"}} {count}\n'
        return page.encode()
