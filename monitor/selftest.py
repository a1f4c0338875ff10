"""`tailgate selftest`: is a planted tail regression found, exported, refused by the gate and alerted?

The canary of the canary: a monitor that never alerts looks like one that has nothing to say. Runs the
demo's stage under the route `selftest`; Prometheus and Alertmanager, where named, must be those that
watch production, so that scraping, rules and routing are tested too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families

from monitor.demo import Json, Plan, Sent, Stage, unexplained
from monitor.errors import Unreachable

ROUTE = "selftest"
ALERT = "TailgateTailSegmentDiverged"
POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Check:
    """One link of the chain: `detail` says what was seen."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Alerting:
    """Addresses of the servers that must see the alert, and how long they have, seconds."""

    prometheus: str | None = None
    alertmanager: str | None = None
    wait: float = 300.0


def checks(stage: Stage, plan: Plan, verdict: Json, sent: Sent, alerting: Alerting) -> Iterator[Check]:
    """Every link in order, each as soon as it is known. Raises Unreachable for a server that was named."""
    planted = str(plan.planted)
    found = sorted(unexplained(verdict))
    yield Check("clients", sent.failed == 0, f"{sent.failed} of {sent.requests} requests failed")
    yield Check("verdict", found == [planted], f"planted {planted}, found {', '.join(found) or 'nothing'}")
    yield _exported(stage.urls["monitor"], planted)
    yield _gate(stage.urls["monitor"])
    deadline = time.monotonic() + alerting.wait
    if alerting.prometheus:
        fires = lambda: in_prometheus(str(alerting.prometheus), planted)  # noqa: E731
        yield _alerted("prometheus", fires, deadline)
    if alerting.alertmanager:
        arrived = lambda: in_alertmanager(str(alerting.alertmanager), planted)  # noqa: E731
        yield _alerted("alertmanager", arrived, deadline)


def _exported(monitor: str, planted: str) -> Check:
    """The gauge that the alert reads is 1 for the planted segment, and for no other unexplained one."""
    page = httpx.get(f"{monitor}/metrics", timeout=30, trust_env=False).text
    wanted = {"level": "page", "explained": "no"}
    shown = {
        sample.labels["segment"]
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == "tailgate_segment_diverged" and sample.value == 1 and wanted.items() <= sample.labels.items()
    }  # fmt: skip
    return Check(
        "metrics",
        shown == {planted},
        f"tailgate_segment_diverged is 1 for {', '.join(sorted(shown)) or 'nothing'}",
    )


def _gate(monitor: str) -> Check:
    answer = httpx.post(f"{monitor}/gate/flagger", json={}, timeout=30, trust_env=False)
    return Check("gate", answer.status_code == 412, f"{answer.status_code} {answer.text.strip()}")


def in_prometheus(url: str, planted: str) -> bool:
    """Whether the alert of the planted segment fires there."""
    query = f'ALERTS{{alertname="{ALERT}",alertstate="firing",route="{ROUTE}",segment="{planted}"}}'
    return bool(_json(f"{url.rstrip('/')}/api/v1/query", {"query": query})["data"]["result"])


def in_alertmanager(url: str, planted: str) -> bool:
    """Whether it has arrived there, muted or not."""
    labels = {"alertname": ALERT, "route": ROUTE, "segment": planted}
    return bool(
        _json(
            f"{url.rstrip('/')}/api/v2/alerts",
            {"filter": [f'{name}="{value}"' for name, value in labels.items()]},
        )
    )


def _json(url: str, query: Mapping[str, str | list[str]]) -> Json:
    try:
        answer = httpx.get(url, params=query, timeout=10, trust_env=False)
        answer.raise_for_status()
        body: Json = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise Unreachable(f"{url}: {str(error) or type(error).__name__}") from error
    return body


def _alerted(name: str, seen: Callable[[], bool], deadline: float) -> Check:
    started = time.monotonic()
    while not (ok := seen()) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    waited = time.monotonic() - started
    return Check(name, ok, f"{ALERT} {'arrived' if ok else 'did not arrive'} within {waited:.0f} s")
