"""What answers cost is counted per arm: tokens, and seconds where the servers report them."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitor.metrics import Metrics
from monitor.records import Arm, Completion
from monitor.scoring import Scored

GENERATED = Completion(
    "x", input_tokens=90, output_tokens=30, server_duration_seconds=2.0, server_queue_seconds=0.5
)
PLAIN = Completion("x", input_tokens=90, output_tokens=20, duration_seconds=1.0)


def counted(
    arms: dict[Arm, Completion], prefilled: int, seconds: float | None = None
) -> dict[tuple[str, ...], float]:
    metrics = Metrics("r", 5)
    metrics.observe(["all"], Scored("p", {}, {}), arms, diverged=False, clean=True)
    metrics.forced(prefilled, seconds)
    page = metrics.render(openmetrics=False).decode()
    samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
    return {
        (sample.name, sample.labels["role"], *([kind] if (kind := sample.labels.get("token_type")) else [])): sample.value
        for sample in samples
        if sample.name in {"tailgate_tokens_total", "tailgate_engine_seconds_total", "tailgate_queue_seconds_total"}
    }  # fmt: skip


def test_tokens_asked_answered_and_prefilled_for_scoring_are_apart() -> None:
    found = counted({"candidate": GENERATED, "baseline": PLAIN}, prefilled=120)
    tokens = {key[1:]: value for key, value in found.items() if key[0] == "tailgate_tokens_total"}
    assert tokens == {
        ("candidate", "input"): 90,
        ("candidate", "output"): 30,
        ("candidate", "forced"): 120,
        ("baseline", "input"): 90,
        ("baseline", "output"): 20,
    }


@pytest.mark.parametrize(("name", "seconds"), [("engine", 2.0), ("queue", 0.5)])
def test_seconds_are_counted_where_a_server_reports_them(name: str, seconds: float) -> None:
    found = counted({"candidate": GENERATED, "baseline": PLAIN}, prefilled=0)
    by_role = {key[1]: value for key, value in found.items() if key[0] == f"tailgate_{name}_seconds_total"}
    assert by_role == {"candidate": seconds}


def test_an_engines_seconds_for_scoring_are_apart_from_those_for_answering() -> None:
    found = counted({"candidate": GENERATED}, prefilled=120, seconds=0.25)
    by_role = {key[1]: value for key, value in found.items() if key[0] == "tailgate_engine_seconds_total"}
    assert by_role == {"candidate": 2.0, "forced": 0.25}
